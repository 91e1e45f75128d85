"""Executions of n8n: a span for each node run and each wait, in the trace of the record, the caller or the parent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import ids
from exporter.domain.bodies import ExecutionSeen, Standing
from exporter.domain.events import Event
from exporter.domain.told import Span
from exporter.fold.subjects import Flow
from tests.fakes.n8n import T1, FakeN8n, sample
from tests.fakes.n8n_reader import Reader, events_of
from tests.searching import searching
from tests.worlds import APPROVALS, FLOW, T0, TENANT, World, document, read, story

N8N = replace(FLOW, n8n="https://n8n.example")
LATER = (T1 - T0).total_seconds()
ORDER = ids.trace_id(TENANT, "purchase.order", "17", "")
ORDER_ROOT = ids.span_id(TENANT, ("purchase.order", "17", "1"))
HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def own(execution: str, role: str = "root") -> bytes:
    """The id of a span of an execution."""
    return ids.span_id(TENANT, ("n8n.execution", execution, "1"), role)


def plain(event: Event, **about: Any) -> Event:
    """The Event without a context and a record, but for what is given."""
    assert isinstance(event.body, ExecutionSeen)
    return replace(event, body=replace(event.body, **({"traceparent": "", "correlation": ()} | about)))


def of(name: str, **about: Any) -> Event:
    """What is told of one sample."""
    (event,) = events_of(name)
    return plain(event, **about)


def world(*events: Event, flow: Flow = N8N) -> World:
    """What is made of it."""
    return World(flow=flow).append(events)


def by_name(found: World) -> dict[str, Span]:
    """The spans; of one name the last."""
    return {span.name: span for span in found.spans}


def test_an_execution_is_a_root_with_a_span_for_each_node() -> None:
    """Told at once, without waiting for any mark; its address leads to n8n (features 5, 99)."""
    found = world(of("success"))
    spans = by_name(found)
    assert list(spans) == ["node Webhook", "node Tag", "node HTTP Request", "node Respond", "n8n Order sync"]
    root = spans["n8n Order sync"]
    assert (root.kind, root.parent_id, root.span_id) == ("server", b"", own("3"))
    assert root.trace_id == ids.trace_id(TENANT, "n8n.execution", "3", "1")
    assert {span.parent_id for span in found.spans[:-1]} == {root.span_id}
    assert (root.ended_at - root.started_at).total_seconds() == pytest.approx(0.136)
    words = dict(root.attributes)
    assert words["url.full"] == "https://n8n.example/workflow/order0000000001/executions/3"
    assert (words["odoo.run.result"], words["n8n.execution.status"]) == ("success", "success")
    assert dict(spans["node HTTP Request"].attributes)["n8n.node.type"] == "n8n-nodes-base.httpRequest"
    assert found.total("odoo_n8n_executions_total") == 1


@pytest.mark.parametrize(
    ("name", "kind", "cause", "status"),
    [
        ("error401", "NodeApiError", "auth", 401),
        ("error500", "NodeApiError", "unknown", 500),
        ("timeout", "ECONNABORTED", "timeout", None),
        ("reset", "ECONNRESET", "outage", None),
    ],
)
def test_a_failure_has_a_cause_though_its_words_are_redacted(
    name: str, kind: str, cause: str, status: int | None
) -> None:
    """Root and node are errors, with type, HTTP status, cause; a log event says so (features 10, 11, 91)."""
    found = world(of(name))
    for span in (by_name(found)["n8n Order sync"], by_name(found)["node HTTP Request"]):
        words = dict(span.attributes)
        assert span.is_error
        assert (words["error.type"], words["odoo.failure.cause"]) == (kind, cause)
        assert words.get("http.response.status_code") == status
    assert not by_name(found)["node Tag"].is_error
    (log,) = found.logs
    assert (log.event_name, log.severity) == ("odoo.execution.failed", "error")
    (errors,) = [m for m in found.measurements if m.name == "odoo_n8n_node_errors_total"]
    assert errors.labels == (("workflow", "Order sync"), ("error_type", kind), ("continued", "false"))


@pytest.mark.parametrize(
    ("name", "result", "is_error"), [("crashed", "error", True), ("canceled", "cancellation", False)]
)
def test_crashed_and_cancelled_ones_are_true(name: str, result: str, *, is_error: bool) -> None:
    """A crash is an error, a cancellation is none; both end when n8n says."""
    found = world(of(name))
    root = found.spans[-1]
    assert (dict(root.attributes)["odoo.run.result"], root.is_error) == (result, is_error)
    assert found.runs()[0].ended_at == datetime.fromisoformat(sample(name)["stoppedAt"]).astimezone(UTC)


def test_what_n8n_stopped_for_its_time_is_a_timeout() -> None:
    """n8n says canceled; the class of its error says why."""
    found = world(of("canceled", error_type="TimeoutExecutionCancelledError"))
    assert found.runs()[0].result == "timeout"


def test_a_failure_that_was_ignored_is_seen() -> None:
    """Continue on fail: the execution is a success, the node is an error, and it is counted (feature 45)."""
    found = world(of("continued"))
    spans = by_name(found)
    root, node = spans["n8n Continue on fail"], spans["node HTTP Request"]
    assert (root.is_error, node.is_error) == (False, True)
    assert dict(node.attributes)["n8n.node.continued"] is True
    assert dict(root.attributes)["n8n.execution.continued"] == 1
    (errors,) = [m for m in found.measurements if m.name == "odoo_n8n_node_errors_total"]
    assert ("continued", "true") in errors.labels


@pytest.mark.parametrize(
    ("name", "who", "seconds"), [("resumed", "human", 131.508), ("timer_resumed", "external", 70.143)]
)
def test_a_wait_is_a_span_of_its_own(name: str, who: str, seconds: float) -> None:
    """From parking to resume, for a person or for a time; observed is what was worked (feature 7)."""
    found = world(of(name))
    wait = by_name(found)["wait Wait"]
    assert dict(wait.attributes)["odoo.wait.kind"] == who
    assert (wait.ended_at - wait.started_at).total_seconds() == pytest.approx(seconds)
    (numbers,) = [m for m in found.measurements if m.name == "odoo_n8n_wait_duration_seconds"]
    assert numbers.labels[1] == ("wait", who)
    (observed,) = found.observations
    assert observed.value < 2


def test_a_parked_execution_is_open_and_shows_what_it_did() -> None:
    """Waiting since it parked; in a trace that is certain its ended nodes are told before it ends, once."""
    found = world(of("waiting", traceparent=HEADER)).read_until(LATER)
    opened = found.open("execution/27")
    assert opened is not None
    assert (opened.state, opened.since) == ("waiting", datetime(2026, 11, 22, 13, 33, 6, 318000, UTC))
    assert set(by_name(found)) == {"node Webhook", "n8n Approval started"}
    assert "n8n.execution.wait_till" not in dict(opened.attributes)
    found.append([of("resumed", traceparent=HEADER)])
    names = [span.name for span in found.spans]
    assert names.count("node Webhook") == 1
    assert {"wait Wait", "node Wait", "node HTTP Request", "n8n Approval"} <= set(names)
    assert found.open("execution/27") is None


def test_a_parked_execution_says_how_long_it_waits_at_most() -> None:
    """A Wait node with a time, or with a limit; who is waited for can be asked before that."""
    opened = world(of("waiting", wait_till=T1)).open("execution/27")
    assert opened is not None
    assert dict(opened.attributes)["n8n.execution.wait_till"] == "2026-11-22T14:00:00+00:00"


def test_a_parked_execution_whose_place_may_change_tells_nothing_of_its_parts() -> None:
    """Its record may still be named: what was told could not move."""
    found = world(of("waiting")).read_until(LATER)
    assert "node Webhook" not in by_name(found)


def test_a_traceparent_is_adopted() -> None:
    """The execution is a child of its caller, whatever record it names; that record is a link (features 7, 94)."""
    found = world(of("success", traceparent=HEADER, correlation=("purchase.order,17",)))
    root = by_name(found)["n8n Order sync"]
    assert (root.trace_id.hex(), root.parent_id.hex()) == tuple(HEADER.split("-")[1:3])
    assert [(link.trace_id, link.span_id) for link in root.links] == [(ORDER, ORDER_ROOT)]


def test_a_reference_joins_the_record() -> None:
    """Odoo's own form needs no waiting."""
    root = by_name(world(of("success", correlation=("purchase.order,17",))))["n8n Order sync"]
    assert (root.trace_id, root.parent_id, root.links) == (ORDER, ORDER_ROOT, ())


@pytest.mark.parametrize("record_first", [True, False])
def test_a_name_is_waited_for_until_odoo_was_read(*, record_first: bool) -> None:
    """The record may be read before or after the execution that names it: the trace is the record's (feature 77)."""
    named, known = of("success", correlation=(":P00017",)), document(5, "draft")
    found = world(*([known] if record_first else [named]))
    found.append([named] if record_first else [known]).read_until(LATER)
    root = by_name(found)["n8n Order sync"]
    assert (root.trace_id, root.parent_id) == (ORDER, ORDER_ROOT)


def test_a_name_is_not_waited_for_where_odoo_s_documents_are_not_read() -> None:
    """`sources` without odoo/approvals: nobody will ever say what the name is of."""
    named = of("success", correlation=(":P00017",))
    found = world(named, flow=replace(N8N, witnesses=frozenset({"n8n/executions"})))
    assert "n8n Order sync" in by_name(found)


def test_a_name_that_nobody_bears_leaves_a_trace_of_its_own() -> None:
    """After Odoo was read behind it; not before."""
    found = world(of("success", correlation=(":P9",)))
    assert found.runs() == []
    found.append([read(APPROVALS, LATER)])
    assert by_name(found)["n8n Order sync"].trace_id == ids.trace_id(TENANT, "n8n.execution", "3", "1")


@pytest.mark.parametrize(
    ("about", "trace"),
    [
        ({"traceparent": HEADER}, HEADER.split("-")[1]),
        ({"correlation": ("purchase.order,17",)}, ORDER.hex()),
        ({}, ids.trace_id(TENANT, "n8n.execution", "24", "1").hex()),
    ],
)
def test_a_sub_workflow_stands_in_its_parents_trace(about: dict[str, Any], trace: str) -> None:
    """Wherever the parent stands, its child hangs on the node run that called it."""
    parent, child = events_of("parent", "child")
    child = plain(child, outermost=Standing(execution="24", **about))
    found = world(plain(parent, **about), child)
    spans = by_name(found)
    assert {span.trace_id.hex() for span in found.spans} == {trace}
    assert spans["n8n Child flow"].parent_id == spans["node Child"].span_id == own("24", "node/Child/0")
    assert dict(spans["node Child"].attributes)["n8n.sub_execution.id"] == "25"


def test_an_error_workflow_hangs_on_the_execution_that_failed() -> None:
    """In its trace, below its root."""
    failed, handler = events_of("error401", "error_workflow")
    handler = plain(handler, outermost=Standing(execution="5"))
    spans = by_name(world(plain(failed), handler))
    assert spans["n8n Error handler"].parent_id == spans["n8n Order sync"].span_id
    assert spans["n8n Error handler"].trace_id == spans["n8n Order sync"].trace_id


def test_a_child_of_one_that_names_a_record_waits_with_it() -> None:
    """Both are told when Odoo was read, in the record's trace."""
    parent, child = events_of("parent", "child")
    named = (":P00017",)
    child = plain(child, outermost=Standing(execution="24", correlation=named))
    found = world(plain(parent, correlation=named), child)
    assert found.runs() == []
    found.append([document(5, "draft")]).read_until(LATER)
    assert {span.trace_id for span in found.spans if span.scope == "n8n/executions"} == {ORDER}


def test_a_retry_is_linked_to_what_it_retries() -> None:
    """In the record's trace both; with the nodes it ran itself and no others."""
    first, retry = events_of("error500", "retry")
    named = ("purchase.order,17",)
    retry = plain(retry, correlation=named, retried=Standing(execution="11", correlation=named))
    found = world(plain(first, correlation=named), retry)
    (link,) = found.spans[-1].links
    assert (link.trace_id, link.span_id, link.attributes) == (ORDER, own("11"), (("odoo.link.reason", "retry"),))
    assert [
        span.name for span in found.spans if span.span_id in {own("32", "node/Tag/0"), own("32", "node/Webhook/0")}
    ] == []


def test_what_runs_inside_a_node_is_its_child() -> None:
    """An agent's tools run while the agent does: the shortest run around it is the parent."""
    (event,) = events_of("loop")
    assert isinstance(event.body, ExecutionSeen)
    nodes = list(event.body.nodes)
    agent = replace(nodes[2], name="Agent", run=0, ended_at=nodes[-1].ended_at)
    tool = replace(nodes[3], name="Tool", run=0)
    spans = by_name(world(plain(event, nodes=(nodes[0], agent, tool))))
    assert spans["node Tool"].parent_id == spans["node Agent"].span_id
    assert spans["node Agent"].parent_id == spans["n8n Branch and loop"].span_id


def test_a_crash_that_n8n_tells_twice_is_told_once() -> None:
    """The same key with another time is a no-op; another end than was told is a correction."""
    crashed = of("crashed")
    found = world(crashed, replace(crashed, at=crashed.at.replace(microsecond=808000)))
    assert len(found.runs()) == 1
    assert found.corrections() == []
    other = plain(of("crashed", status="success"))
    found.append([replace(other, key=other.key.replace("crashed", "success"))])
    assert len(found.corrections()) == 1


# --- n8n exports spans of its own


def native(name: str, **about: Any) -> Event:
    """A sample of an n8n that does."""
    n8n = FakeN8n()
    n8n.put(name, **about)
    (event,) = Reader(n8n, native=True).told()
    return event


def root_in(event: Event) -> tuple[bytes, bytes]:
    """Trace and span id of n8n's own root."""
    assert isinstance(event.body, ExecutionSeen)
    found = ids.traceparent(event.body.traceparent)
    assert found is not None
    return found


def test_native_spans_are_not_doubled() -> None:
    """Of a success nothing is said but its numbers: n8n said the rest."""
    event = native("success", customData=None)
    found = world(event)
    assert found.spans == []
    assert found.total("odoo_n8n_executions_total") == 1
    assert [row.trace_id for row in found.rows.values()] == [root_in(event)[0]]


@pytest.mark.parametrize("name", ["purchase.order,17", "P00017"])
def test_a_native_execution_is_linked_to_the_record_it_names(name: str) -> None:
    """n8n's own trace cannot become the record's: a mark below its root carries the link (features 7, 77)."""
    event = native("success", customData={"odoo_ref": name})
    found = world(event, document(5, "draft")).read_until(LATER)
    (mark,) = (span for span in found.spans if span.scope == "n8n/executions")
    assert (mark.name, (mark.trace_id, mark.parent_id)) == ("n8n Order sync links", root_in(event))
    assert [(link.trace_id, link.span_id) for link in mark.links] == [(ORDER, ORDER_ROOT)]


def test_what_n8n_sampled_out_is_told_whole_under_the_id_it_gave() -> None:
    """N8N_OTEL_TRACES_SAMPLE_RATE below 1: of such an execution n8n sends nothing, so nothing is doubled."""
    event = native("error401", tracingContext={"traceparent": HEADER[:-1] + "0"}, customData=None)
    spans = by_name(world(event))
    root = spans["n8n Order sync"]
    assert ((root.trace_id, root.span_id), root.parent_id) == (root_in(event), b"")
    assert {span.parent_id for span in spans.values() if span is not root} == {root.span_id}
    assert set(spans) == {"n8n Order sync", "node Webhook", "node Tag", "node HTTP Request"}


def test_a_sub_workflow_that_was_sampled_out_hangs_on_the_node_that_called_it() -> None:
    """Under ids of ours, in the trace that n8n gave; an error workflow hangs on the root of what failed."""
    n8n = FakeN8n()
    dropped = {"traceparent": HEADER[:-1] + "0"}
    for name in ("parent", "child", "error401", "error_workflow"):
        n8n.put(name, tracingContext=dropped, customData=None)
    found = World(flow=N8N).append(Reader(n8n, native=True).told())
    spans = by_name(found)
    assert spans["n8n Child flow"].parent_id == spans["node Child"].span_id
    assert spans["n8n Error handler"].parent_id == spans["n8n Order sync"].span_id
    assert {span.trace_id.hex() for span in found.spans} == {HEADER.split("-")[1]}


@pytest.mark.parametrize(
    ("name", "said"),
    [("error401", "outcome HTTP Request"), ("continued", "outcome HTTP Request"), ("resumed", "wait Wait")],
)
def test_what_native_spans_lack_is_added_to_their_root(name: str, said: str) -> None:
    """The HTTP code, an ignored failure, the time it was parked: children of n8n's own root."""
    event = native(name, customData=None)
    found = world(event)
    (span,) = found.spans
    assert (span.name, (span.trace_id, span.parent_id)) == (said, root_in(event))
    if said.startswith("outcome"):
        assert dict(span.attributes)["http.response.status_code"] in {401, 500}


def test_the_root_of_a_native_crash_is_told_under_the_id_that_its_orphans_name() -> None:
    """n8n exports a root when it ends: of a crash never."""
    event = native("crashed", tracingContext={"traceparent": HEADER}, customData=None)
    found = world(event)
    root = found.spans[-1]
    assert (root.name, (root.trace_id, root.span_id), root.parent_id) == ("n8n Order sync", root_in(event), b"")
    assert root.is_error
    assert [span.parent_id for span in found.spans[:-1]] == [root.span_id]


def test_the_link_of_a_native_retry_is_a_mark_below_its_root() -> None:
    """Nobody can add a link to a span that n8n exported: a mark carries it, to n8n's root of the original."""
    n8n = FakeN8n()
    n8n.put("error500", customData=None)
    n8n.put("retry", customData=None)
    first, retry = Reader(n8n, native=True).told()
    found = world(first, retry)
    mark = by_name(found)["n8n Order sync links"]
    assert (mark.trace_id, mark.parent_id) == root_in(retry)
    assert [(link.trace_id, link.span_id) for link in mark.links] == [root_in(first)]


# --- whatever the order


def everything() -> list[Event]:
    """Every sample, and the parked one before it went on; a document that some of them name."""
    names = (
        "success",
        "error401",
        "error_workflow",
        "error500",
        "timeout",
        "reset",
        "node_retry_ok",
        "node_retry_fail",
    )
    names += ("continued", "parent", "child", "loop", "resumed", "timer_resumed", "retry", "crashed", "canceled")
    found = [*events_of("waiting"), *events_of(*names)]
    return [*(_named(event) for event in found), document(5, "draft")]


def _named(event: Event) -> Event:
    """Executions name a record in turn, or have a caller, or both, or neither."""
    assert isinstance(event.body, ExecutionSeen)
    turn = int(event.body.execution) % 4
    known: Sequence[str] = (":P00017",) if turn in {0, 3} else ()
    return plain(event, correlation=tuple(known), traceparent=HEADER if turn in {1, 3} else "")


EVERYTHING = everything()


@searching()
@given(st.randoms(use_true_random=True), st.sampled_from([1, 3, 1000]))
def test_any_order_and_any_batches_tell_the_same(rng: Random, batch: int) -> None:
    """Shuffled, a third twice, saved and loaded between any two Commits (R1)."""
    shuffled = [*EVERYTHING, *rng.sample(EVERYTHING, len(EVERYTHING) // 3)]
    rng.shuffle(shuffled)
    found = World(flow=N8N).append(shuffled, batch).read_until(LATER)
    told = World(flow=N8N).append(EVERYTHING).read_until(LATER)
    assert story(found) == story(told)
    assert found.quarantined == []


def test_no_span_is_told_twice() -> None:
    """One fact, one span (R3)."""
    found = World(flow=N8N).append(EVERYTHING, 1).read_until(LATER)
    spans = [(span.trace_id, span.span_id) for span in found.spans]
    assert len(spans) == len(set(spans))
