"""A real n8n that exports its own spans: they are joined, nothing is told twice, what they lack is added."""

import time
from threading import Thread

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.exporter import until
from tests.stack_n8n.conftest import CALLER, Lab, words

TRACE = bytes.fromhex(CALLER.split("-")[1])


def theirs(lab: Lab, execution: str, name: str = "workflow.execute") -> list[Span]:
    """n8n's own spans of an execution."""
    return [span for span in lab.spans() if span.name == name and words(span).get("n8n.execution.id") == execution]


def ours(lab: Lab, trace: bytes) -> list[str]:
    """What we tell in a trace."""
    return [span.name for span in lab.spans() if span.trace_id == trace and "odoo.model" in words(span)]


def test_a_success_is_told_by_n8n_alone(native: Lab) -> None:
    """Its spans stand in the caller's trace, ours would double them: but for a link to the record it names (94)."""
    before = native.exporter.value("odoo_n8n_executions_total", result="success")
    assert native.n8n.call("/webhook/order?p=/s/200", {"odoo_ref": "P00099"}, {"traceparent": CALLER}) == 200
    execution = native.last("order0000000001", "success")["id"]
    until(lambda: theirs(native, execution), 20, "n8n's span")
    until(lambda: native.exporter.value("odoo_n8n_executions_total", result="success") == before + 1, 20, "it counted")
    until(lambda: native.exporter.settled("acme"), 10, "all sent")
    assert theirs(native, execution)[0].trace_id == TRACE
    assert ours(native, TRACE) == ["n8n Order sync links"]
    mark = native.below(theirs(native, execution)[0])["n8n Order sync links"]
    assert [words(link)["odoo.link.reason"] for link in mark.links] == ["record"]


def test_the_code_of_a_failure_is_added_below_n8ns_root(native: Lab) -> None:
    """n8n's spans carry no HTTP status: an outcome of the node that failed does."""
    assert native.n8n.call("/webhook/order?p=/s/401", {"odoo_ref": "P00099"}) == 500
    execution = native.last("order0000000001", "error")["id"]
    until(lambda: theirs(native, execution), 20, "n8n's span")
    (root,) = theirs(native, execution)
    until(lambda: "outcome HTTP Request" in ours(native, root.trace_id), 20, "the outcome")
    outcome = native.below(root)["outcome HTTP Request"]
    assert words(outcome)["http.response.status_code"] == 401
    assert ours(native, root.trace_id).count("outcome HTTP Request") == 1


def test_a_wait_is_added_below_n8ns_root(native: Lab) -> None:
    """n8n draws no span of the time an execution was parked."""
    assert native.n8n.call("/webhook/approval", {}) == 200
    execution = native.last("appro0000000001", "waiting")["id"]
    time.sleep(1)
    assert native.n8n.call(f"/webhook-waiting/{execution}?signature={native.token(execution)}", {}) == 200
    native.ends(execution, "success")
    until(lambda: theirs(native, execution), 20, "n8n's spans")
    trace = theirs(native, execution)[0].trace_id
    until(lambda: "wait Wait" in ours(native, trace), 20, "the wait")
    (wait,) = (span for span in native.spans() if span.name == "wait Wait")
    assert wait.parent_span_id in {span.span_id for span in theirs(native, execution)}


def test_the_root_of_a_crash_has_the_id_its_orphans_name(native: Lab) -> None:
    """kill -9: n8n exported the nodes that had ended and never their root; we tell it, under that id."""
    call = ("/webhook/order?p=/slow", {"odoo_ref": "P00099"})
    calling = Thread(target=native.n8n.call, args=call, daemon=True)
    calling.start()
    execution = native.last("order0000000001", "running")["id"]
    time.sleep(1.2)
    native.n8n.kill()
    calling.join(10)
    native.n8n.start()
    root = native.root(execution)
    assert words(root)["n8n.execution.status"] == "crashed"
    trace = [span for span in native.spans() if span.trace_id == root.trace_id]
    exported = {span.span_id for span in trace if span.name == "workflow.execute"}  # the error workflow has a root
    orphans = [span for span in trace if span.name == "node.execute" and span.parent_span_id not in exported]
    assert orphans
    assert {span.parent_span_id for span in orphans} == {root.span_id}


def test_what_n8n_samples_out_is_told_whole(unsampled: Lab) -> None:
    """Of a trace that n8n made and did not send nothing is doubled, and nothing hangs on a span that nobody sent."""
    assert unsampled.n8n.call("/webhook/parent", {}) == 200
    child, _ = (unsampled.root(unsampled.last(one)["id"]) for one in ("child0000000001", "paren0000000001"))
    trace = [span for span in unsampled.spans() if span.trace_id == child.trace_id]
    sent = {span.span_id: span.name for span in trace}
    assert sent[child.parent_span_id] == "node Child"
    assert [span.name for span in trace if span.parent_span_id not in sent] == ["n8n Parent"]
    assert not [span for span in trace if span.name in {"workflow.execute", "node.execute"}]
