"""docs/ids.md: the programs on the page give the ids that we give."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from exporter.domain import ids
from exporter.domain.events import Event
from exporter.domain.tenants import Tenant
from exporter.fold.happening import Expectation, Happening
from tests.stack.installs import n8n
from tests.unit.fold.test_doubles import doubled
from tests.unit.fold.test_sends import RECONCILED, WITNESSES, rule, sent
from tests.worlds import FLOW, SOURCES, World, document, moved, read, webhook

ROOT = Path(__file__).parents[2]
VECTORS: list[dict[str, str]] = json.loads((ROOT / "tests/data/ids.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/ids.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAMES = [vector["name"] for vector in VECTORS]
SCRIPT = PAGE.split("```javascript\n")[1].split("```")[0]
EXPECTED = [vector[size] for vector in VECTORS for size in ("trace_id", "span_id")]

SENDS = {"hooks": RECONCILED.hooks, "witnesses": RECONCILED.witnesses, "grace": RECONCILED.grace}
EXPECTING = {
    "witnesses": frozenset({"odoo/approvals"}),
    "expected": (
        Expectation(
            name="paid",
            after=Happening(what="hook", name="stripe"),
            then=Happening(what="record", name="sale.order", value="sale"),
            within=timedelta(seconds=60),
        ),
    ),
}
OtelId = Callable[..., str]


def arguments(vector: dict[str, str]) -> list[tuple[Any, ...]]:
    """What an `otel_id` of the page is called with for the trace id and for the span id."""
    where = (vector["uuid"], vector["environment"], vector["model"], vector["record_id"])
    return [(16, *where, vector["trace_key"], "trace"), (8, *where, vector["run_key"], vector["role"])]


def program(number: int) -> OtelId:
    """The `otel_id` of the page's n-th Python program."""
    names: dict[str, Any] = {}
    exec(PROGRAMS[number], names)  # noqa: S102 the page is ours
    found: OtelId = names["otel_id"]
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_our_ids_are_those_of_the_vectors(vector: dict[str, str]) -> None:
    """The ids other programs rely on do not change: empty, long and non-ASCII fields included (feature 104)."""
    tenant = Tenant(name="x", database="x", uuid=vector["uuid"], environment=vector["environment"])
    run = (vector["model"], vector["record_id"], vector["run_key"])

    assert ids.trace_id(tenant, vector["model"], vector["record_id"], vector["trace_key"]).hex() == vector["trace_id"]
    assert ids.span_id(tenant, run, vector["role"]).hex() == vector["span_id"]


TOLD: dict[str, tuple[dict[str, Any], list[Event]]] = {
    "a webhook that stands alone": ({}, [webhook("evt_1Qx", 0)]),
    "a run that several webhooks tell of": ({}, [webhook("d", 0, hook="github-actions", run="9001")]),
    "one of those webhooks": (
        {},
        [webhook("72d3162e-cc78-11e3-81ab-4c9367dc0958", 0, hook="github-actions", run="9001")],
    ),
    "a webhook that a rule should have sent": (SENDS, [rule(), moved(0, "draft", "sale", 911, of=("sale.order", 23))]),
    "one for a record that was made": (
        SENDS,
        [rule(states=(), on_create=True), document(0, "draft", of=("sale.order", 23))],
    ),
    "one that came for what was rolled back": (
        SENDS,
        [rule(), document(-50, "draft", of=("sale.order", 23)), sent(1, 23)],
    ),
    "what was expected to follow": (EXPECTING, [webhook("evt_1Qx", 0)]),
    "a duplicate": ({}, [doubled(5, (12, 0), (13, 3))]),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_vectors_are_what_is_told(name: str) -> None:
    """Deliveries, sends, what was expected, duplicates: the spans that the fold tells bear these ids (7, 77, 107)."""
    (vector,) = [one for one in VECTORS if one["name"] == name]
    about, facts = TOLD[name]
    tenant = replace(FLOW.tenant, uuid=vector["uuid"], environment=vector["environment"])
    world = World(flow=replace(FLOW, tenant=tenant, **about)).append(facts)
    world.append([read(source, 400) for source in (*WITNESSES, *SOURCES)])
    spans = {span.span_id.hex(): span for span in world.spans}
    assert vector["span_id"] in spans
    if not vector["model"].startswith("base."):  # those stand in their record's trace
        assert spans[vector["span_id"]].trace_id.hex() == vector["trace_id"]


@pytest.mark.parametrize("number", [0, 1], ids=["hashlib", "server action"])
@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_the_python_programs_of_the_page_agree(number: int, vector: dict[str, str]) -> None:
    """Ten lines with hashlib, and the server action's own BLAKE2b, give every vector (features 77, 99)."""
    assert [program(number)(*call) for call in arguments(vector)] == [vector["trace_id"], vector["span_id"]]


def test_the_server_action_uses_nothing_safe_eval_forbids() -> None:
    """No import, no attribute set, no inner function with outer variables, no underscore name (Odoo 19's safe_eval)."""
    code = compile(PROGRAMS[1], "action", "exec")
    functions = [constant for constant in code.co_consts if hasattr(constant, "co_freevars")]

    assert not re.search(r"import|__|\._|\.\w+ = ", PROGRAMS[1])
    assert all(not function.co_freevars and not function.co_cellvars for function in functions)


def javascript(node: str | Path) -> list[str]:
    """What the Code node's program on the page gives for every vector."""
    calls = [call for vector in VECTORS for call in arguments(vector)]
    script = SCRIPT + f"\nconsole.log(JSON.stringify({json.dumps(calls)}.map((call) => otelId(...call))));"
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


NODES = [found for found in (shutil.which("node"), n8n.node()) if found is not None and Path(found).exists()]


@pytest.mark.skipif(not NODES, reason="Node is not to be had here: make test-n8n brings it, and runs the program on it")
def test_the_n8n_program_agrees() -> None:
    """The Code node's JavaScript gives every vector, without an import."""
    assert javascript(NODES[0]) == EXPECTED
    assert "require" not in SCRIPT


def test_a_short_cut_of_blake2b512_is_another_value() -> None:
    """Cutting a 64-byte digest to 16 bytes, which is all Node's crypto could do, does not give the id."""
    person = ids.PERSON.ljust(16, b"\0")

    assert blake2b(b"x", digest_size=16, person=person).digest() != blake2b(b"x", person=person).digest()[:16]
