"""What is said of an execution that n8n shows: every recorded scenario, and nothing that may not leave."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.bodies import ExecutionSeen, NodeRun
from exporter.domain.events import encode_body
from exporter.sources.n8n.nodes import NODES
from exporter.sources.n8n.parsing import detailed, wants_words
from exporter.sources.n8n.rows import Detail
from tests.fakes.n8n import DATA, redact, sample
from tests.searching import searching

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NAMES = sorted(path.stem for path in DATA.glob("*.json") if path.stem != "workflows")
Row = dict[str, Any]


def detail(row: Row) -> Detail:
    """As it is decoded."""
    return msgspec.json.decode(json.dumps(row).encode(), type=Detail)


def seen(row: Row, *, native: bool = False) -> ExecutionSeen:
    """What is said of it."""
    return detailed(detail(row), NOW, reference="odoo_ref", native=native)


def of(name: str, *, redacted: bool = True) -> ExecutionSeen:
    """What is said of a sample."""
    return seen(redact(sample(name)) if redacted else sample(name))


def nodes(found: ExecutionSeen) -> list[tuple[str, str]]:
    """(name, status) of every node run."""
    return [(node.name, node.status) for node in found.nodes]


def node(found: ExecutionSeen, name: str) -> NodeRun:
    """The last run of a node."""
    return [one for one in found.nodes if one.name == name][-1]


def at(text: str) -> datetime:
    """A time of that day."""
    return datetime.fromisoformat(f"2026-11-22T{text}+00:00")


def test_a_success() -> None:
    """Its workflow, its times, its nodes in order, the record it names, its caller's context."""
    found = of("success")
    assert (found.execution, found.workflow, found.status, found.mode) == ("3", "Order sync", "success", "webhook")
    assert (found.started_at, found.stopped_at) == (at("13:32:53.533"), at("13:32:53.669"))
    assert nodes(found) == [(name, "success") for name in ("Webhook", "Tag", "HTTP Request", "Respond")]
    assert found.correlation == (":SO002",)
    assert found.traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")


@pytest.mark.parametrize(
    ("name", "error", "status"),
    [
        ("error401", "NodeApiError", 401),
        ("error500", "NodeApiError", 500),
        ("node_retry_fail", "NodeApiError", 500),
        ("timeout", "ECONNABORTED", None),
        ("reset", "ECONNRESET", None),
    ],
)
def test_a_failing_node_says_why_without_its_words(name: str, error: str, status: int | None) -> None:
    """Redacted, the class and n8n's code say enough: nothing has to be read unredacted."""
    found = of(name)
    assert found.status == "error"
    assert (found.error_type, found.http_status, found.error) == (error, status, "")
    failing = node(found, "HTTP Request")
    assert (failing.error_type, failing.http_status, failing.status) == (error, status, "error")
    assert not wants_words(detail(redact(sample(name))))


def test_an_error_without_a_code_is_read_for_its_words() -> None:
    """Of a class alone nothing follows; of the unredacted answer class and masked message are taken."""
    row = sample("error401")
    for error in (row["data"]["resultData"]["error"], row["data"]["resultData"]["runData"]["HTTP Request"][0]["error"]):
        del error["httpCode"]
        error.update(name="TypeError", message="Cannot read name of jane.doe@example.com")
    assert wants_words(detail(redact(json.loads(json.dumps(row)))))
    found = seen(row)
    assert (found.error_type, found.error) == ("TypeError", "Cannot read name of [EMAIL]")


def test_what_is_ignored_shows_in_the_items_alone() -> None:
    """Continue on fail: redacted it looks well, unredacted one node failed and the workflow went on."""
    assert wants_words(detail(redact(sample("continued"))))
    assert not any(one.continued for one in of("continued").nodes)
    found = of("continued", redacted=False)
    assert found.status == "success"
    failing = node(found, "HTTP Request")
    assert (failing.continued, failing.http_status, failing.error_type) == (True, 500, "AxiosError")
    assert [one.name for one in found.nodes if one.continued] == ["HTTP Request"]


def test_an_error_output_shows_that_it_was_used_also_redacted() -> None:
    """A node with an output for errors: something came out of it."""
    row = sample("continued")
    next(one for one in row["workflowData"]["nodes"] if one["name"] == "HTTP Request")["onError"] = (
        "continueErrorOutput"
    )
    entry = row["data"]["resultData"]["runData"]["HTTP Request"][0]
    entry["data"]["main"] = [[], entry["data"]["main"][0]]
    assert node(seen(redact(row)), "HTTP Request").continued


def test_an_item_that_has_a_field_error_is_none() -> None:
    """Only of nodes after whose failure the workflow goes on an item is looked at, and only text or an error counts."""
    row = sample("success")
    item = row["data"]["resultData"]["runData"]["Tag"][0]["data"]["main"][0][0]
    item["json"] = {"error": "none at all"}
    assert not any(one.continued for one in seen(row).nodes)
    for value in (None, 7, True, [], {}, {"id": 4}, ""):
        odd = sample("continued")
        odd["data"]["resultData"]["runData"]["HTTP Request"][0]["data"]["main"][0][0]["json"] = {"error": value}
        assert not any(one.continued for one in seen(odd).nodes), value


def test_a_parked_execution_waits_for_a_person() -> None:
    """While it waits: since the node had parked it, and without an end."""
    found = of("waiting")
    wait = node(found, "Wait")
    assert (found.status, wait.status, wait.wait, wait.ended_at) == ("waiting", "waiting", "human", None)
    assert wait.started_at == at("13:33:06.275")


def test_a_resumed_execution_shows_its_wait() -> None:
    """n8n overwrote the entry: the wait lies between the node before and the resume."""
    wait, after = (one for one in of("resumed").nodes if one.name == "Wait")
    assert (wait.wait, wait.started_at, wait.ended_at) == ("human", at("13:33:06.056"), at("13:35:17.564"))
    assert (after.wait, after.status) == (None, "success")
    wait, _ = (one for one in of("timer_resumed").nodes if one.name == "Wait")
    assert (wait.wait, wait.ended_at) == ("external", at("13:34:16.747"))


def test_a_wait_that_was_cancelled_ended_with_it() -> None:
    """Parked until somebody stopped the execution."""
    found = of("canceled")
    assert (found.status, found.error_type) == ("canceled", "ManualExecutionCancelledError")
    assert (node(found, "Wait").wait, node(found, "Wait").ended_at) == ("human", at("13:41:30.077"))


def test_what_ran_longer_than_it_may_was_timed_out() -> None:
    """n8n 2.41 says "canceled" and no error, as recorded: the workflow's own limit tells it from a cancellation."""
    found = of("hasty")
    assert (found.status, found.error_type) == ("canceled", "TimeoutExecutionCancelledError")


def test_a_crashed_node_stands_behind_those_that_had_ended() -> None:
    """n8n gives its start in seconds: it is taken for the end of the node before, within that second."""
    found = of("crashed")
    assert (found.status, found.error_type) == ("crashed", "WorkflowCrashedError")
    assert nodes(found) == [("Webhook", "success"), ("Tag", "success"), ("HTTP Request", "crashed")]
    assert node(found, "HTTP Request").started_at == at("13:38:29.692")


def test_a_retry_has_only_what_it_did_itself() -> None:
    """n8n copies the nodes before the failed one, with their old times."""
    found = of("retry")
    assert (found.mode, found.retry_of, nodes(found)) == ("retry", "11", [("HTTP Request", "error")])


def test_parents_are_named() -> None:
    """A sub-workflow and an error workflow say whose they are; the caller says which node called."""
    assert (of("child").parent, of("error_workflow").parent) == ("24", "5")
    assert node(of("parent"), "Child").sub_execution == "25"


def test_a_loop_shows_every_run() -> None:
    """Runs of one node are numbered, and stand in the order of time."""
    runs = [(one.name, one.run) for one in of("loop").nodes]
    assert runs[2:6] == [("Loop", 0), ("HTTP Request", 0), ("Loop", 1), ("HTTP Request", 1)]
    assert len(runs) == len(set(runs)) == 9


def test_of_an_endless_loop_so_many_runs_are_told() -> None:
    """The earliest, and each that failed or called another execution; the others are counted (R12)."""
    row = sample("loop")
    runs = row["data"]["resultData"]["runData"]
    once, failed = runs["HTTP Request"][0], sample("error401")["data"]["resultData"]["runData"]["HTTP Request"][0]
    runs["HTTP Request"] = [
        (once if (number + 1) % 2500 else failed) | {"startTime": once["startTime"] + number} for number in range(5000)
    ]
    found = seen(row)
    assert (len(found.nodes), found.nodes_left_out) == (NODES, 5000 + 6 - NODES)
    assert [one.run for one in found.nodes if one.error_type] == [2499, 4999]
    assert list(found.nodes) == sorted(found.nodes, key=lambda one: one.started_at)


def test_native_spans_need_a_context() -> None:
    """An execution that n8n did not trace is told whole, whatever is configured."""
    assert seen(sample("success"), native=True).native
    assert not seen(sample("success") | {"tracingContext": None}, native=True).native
    dropped = seen(sample("success") | {"tracingContext": {"traceparent": CALLER[:-1] + "0"}}, native=True)
    assert (dropped.native, dropped.sampled_out) == (False, True)
    assert seen(sample("success") | {"tracingContext": {"traceparent": "00-no-header-01"}}).traceparent == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("redacted", [True, False])
def test_no_secret_and_no_item_leaves_the_parser(name: str, *, redacted: bool) -> None:
    """R15: tokens, signatures, requests, parameters, headers, bodies and stacks of every sample carry a canary."""
    row = sample(name)
    assert "canary" in json.dumps(row)
    found = seen(redact(row) if redacted else row)
    assert b"canary" not in encode_body(found).lower()


def _strings(value: object) -> Iterator[list[Any] | Row]:
    """Every container of a JSON value."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


ODD = [None, 7, -1e300, "x", [], {}, True, "2026-11-22T13:00:00", "2026-11-22T13:00:00+02:00"]
ODD += ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00"]


@searching(200)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=True), st.sampled_from(ODD))
def test_whatever_n8n_answers_is_told_or_refused(name: str, rng: Any, odd: object) -> None:
    """One value of a sample replaced by another type: an execution with ordered times, or a refusal; never a crash."""
    row = sample(name)
    places = [(of, key) for of in _strings(row) for key in (of if isinstance(of, dict) else range(len(of)))]
    where, key = rng.choice(places)
    where[key] = odd  # type: ignore[index]
    try:
        found = detail(row)
    except msgspec.MsgspecError:
        return
    said = detailed(found, NOW, reference="odoo_ref", native=False)
    assert b"canary" not in encode_body(said).lower()
    for when in (said.started_at, said.stopped_at, said.wait_till):
        assert when is None or when.utcoffset() == timedelta(0)
    for one in said.nodes:
        assert one.ended_at is None or one.ended_at >= one.started_at - timedelta(microseconds=1)
