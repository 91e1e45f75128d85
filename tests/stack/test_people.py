"""Expenses, time off and a model nobody described, on the real Odoo 19: each document is one Run (features 33, 36)."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.stack.installs.databases import DUMP, FACTS, PEOPLE, Template
from tests.stack.lab import Lab, company
from tests.stack.servers.odoo import Odoo
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres

MODELS = ("hr.expense", "hr.leave", "sale.order")
WITHIN = 60.0


@cache
def people() -> dict[str, Any]:
    """Who asks and who approves, and for what."""
    found: dict[str, Any] = json.loads((PEOPLE.place / FACTS).read_text())
    return found


@dataclass(slots=True)
class Office:
    """What was asked for and decided, by how it is told, and what the Collector received of it."""

    lab: Lab
    documents: dict[str, tuple[str, int]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    decisions: dict[tuple[str, str], float] = field(default_factory=dict)

    def call(self, who: str, model: str, method: str, /, **arguments: Any) -> Any:
        """A call of somebody's."""
        key = people()["keys"].get(who) or company().keys[who]
        return self.lab.odoo.json2(model, method, key, **arguments)

    def expense(self, decide: str) -> None:
        """Erin asks for her money, and Hana decides."""
        values = {"name": f"LAB {decide}", "employee_id": people()["employee"], "product_id": people()["product"]}
        one = self.call("erin", "hr.expense", "create", vals_list=[{**values, "total_amount_currency": 42.0}])[0]
        self.call("erin", "hr.expense", "action_submit", ids=[one])
        if decide == "approve":
            self.call("hana", "hr.expense", "action_approve", ids=[one])
        else:
            wizard = {"reason": "LAB reason", "expense_ids": [[6, 0, [one]]]}
            asked = self.call("hana", "hr.expense.refuse.wizard", "create", vals_list=[wizard])
            self.call("hana", "hr.expense.refuse.wizard", "action_refuse", ids=asked)
        self.documents[f"expense {decide}"] = ("hr.expense", one)

    def leave(self, kind: str, weeks: int, *decide: str) -> None:
        """Erin asks for a Monday; Hana decides, where two have to behind the lead of Erin's team."""
        day = date.today() + timedelta(days=7 * weeks - date.today().weekday())  # noqa: DTZ011 - Odoo's own clock
        values = {"employee_id": people()["employee"], "holiday_status_id": people()[kind]}
        days = {"request_date_from": str(day), "request_date_to": str(day)}
        one = self.call("erin", "hr.leave", "create", vals_list=[{**values, **days, "name": "private words"}])[0]
        for who, method in zip(("ivo", "hana")[-len(decide) :], decide, strict=True):
            self.call(who, "hr.leave", f"action_{method}", ids=[one])
        self.documents[f"leave {kind} {' '.join(decide)}"] = ("hr.leave", one)

    def sale(self) -> None:
        """A quotation is confirmed: nobody described its states to us."""
        one = self.lab.create_sale()
        self.lab.confirm_sale(one)
        self.documents["sale"] = ("sale.order", one)

    def steps(self, document: str) -> list[str]:
        """The names of the Steps of a document's only Run, in the order of time; its result last."""
        model, one = self.documents[document]
        mine = [span for span in self.spans if _tags(span).get("odoo.model") == model]
        mine = [span for span in mine if _tags(span).get("odoo.record.id") == str(one) and span.name != "started"]
        (root,) = (span for span in mine if not span.parent_span_id)
        steps = sorted((span for span in mine if span.parent_span_id), key=lambda span: span.start_time_unix_nano)
        return [*(span.name for span in steps), _tags(root)["odoo.approval.decision"]]


def _tags(span: Span) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in span.attributes}


@pytest.fixture(scope="module")
def office(postgres: Postgres, stack_folder: Path) -> Iterator[Office]:
    """The company after a day of asking and deciding, all of it told."""
    folder = stack_folder / "people"
    folder.mkdir()
    folder.chmod(0o755)
    postgres.restore("people", PEOPLE.place / DUMP)
    odoo = Odoo(postgres, folder / "odoo", "people", OdooOptions(cron_threads=1))
    Template(PEOPLE.place).unpack_files(odoo.program)
    with odoo, FakeCollector() as collector:
        found = Office(Lab(odoo))
        entry = _entry(odoo)
        _grant(folder, entry)
        with Exporter(folder / "exporter", [entry], endpoint=collector.url) as exporter:
            until(lambda: exporter.reads("acme"), WITHIN, "the first poll")
            _day(found)
            told = 7
            until(lambda: exporter.value("odoo_workflow_runs_total") >= told, WITHIN, "telling")
            until(lambda: exporter.settled("acme"), WITHIN)
            for (name, labels), number in exporter.samples().items():
                if name == "odoo_approval_decisions_total" and number:
                    found.decisions[dict(labels)["workflow"], dict(labels)["decision"]] = number
        found.spans = collector.spans()
        yield found
    postgres.dropdb("people")


def _day(office: Office) -> None:
    office.expense("approve")
    office.expense("refuse")
    office.leave("once", 2, "approve")
    office.leave("once", 3, "refuse")
    office.leave("twice", 4, "approve", "approve")
    office.leave("twice", 5, "approve", "refuse")
    office.sale()


def _entry(odoo: Odoo) -> dict[str, Any]:
    given = {"name": "acme", "url": odoo.url, "database": odoo.db, "user": "mon", "api_key": company().keys["mon"]}
    return {**given, "poll_seconds": 1, "approvals": [*MODELS]}


def _grant(folder: Path, entry: dict[str, Any]) -> None:
    """The rights that are printed for this configuration, applied by the administrator."""
    config, program = folder / "access.yaml", folder / "access.py"
    config.write_text(yaml.safe_dump({"databases": [entry]}))
    command = [Path(sys.executable).with_name("odoo-otel"), "odoo-access", "--config", config, "--format", "rpc"]
    program.write_text(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    env = {"ODOO_URL": entry["url"], "ODOO_DB": entry["database"], "ODOO_ADMIN": "admin"}
    env |= {"ODOO_ADMIN_KEY": company().keys["admin"], "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, program, "grant"], capture_output=True, text=True, check=False, env=env, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_expense_is_submitted_and_decided(office: Office) -> None:
    """One Run: a draft, a wait for somebody, the decision that somebody else took."""
    assert office.steps("expense approve") == ["state draft", "state submitted", "approved"]
    assert office.steps("expense refuse") == ["state draft", "state submitted", "refused"]


def test_a_leave_is_decided_once_or_twice(office: Office) -> None:
    """One Run: it waits from its first second on, for one person or for two, until it is approved or refused."""
    assert office.steps("leave once approve") == ["state confirm", "approved"]
    assert office.steps("leave once refuse") == ["state confirm", "refused"]
    assert office.steps("leave twice approve approve") == ["state confirm", "state validate1", "approved"]
    assert office.steps("leave twice approve refuse") == ["state confirm", "state validate1", "refused"]


def test_a_model_that_nobody_described(office: Office) -> None:
    """Named in `approvals` and no more: a sale is approved when it is confirmed."""
    assert office.steps("sale") == ["state draft", "approved"]


def test_each_decision_is_counted_once_and_nothing_private_is_told(office: Office) -> None:
    """Seven documents, seven root spans under ids of their own, seven decisions; of names and reasons no word."""
    assert office.decisions == {
        ("expense", "approved"): 1,
        ("expense", "refused"): 1,
        ("leave", "approved"): 2,
        ("leave", "refused"): 2,
        ("sale.order", "approved"): 1,
    }
    spans = [span for span in office.spans if span.name.startswith("workflow ")]
    roots = Counter((_tags(span)["odoo.model"], int(_tags(span)["odoo.record.id"])) for span in spans)
    assert roots == Counter(office.documents.values())
    assert not any(
        word in str(span) for span in office.spans for word in ("private words", "LAB reason", "LAB approve")
    )
