"""The real n8n 2.41: its executions are told as the recorded ones are (`make test-n8n`)."""

import time
from collections.abc import Callable
from itertools import pairwise
from threading import Thread

import pytest

from exporter.domain.redact import Secret
from exporter.sources.n8n.door import N8nAccess, RestDoor
from tests.contract import n8n_contract as promises
from tests.fakes import odoo_live as live
from tests.fakes.exporter import until
from tests.stack_n8n.conftest import CALLER, Lab, words

TRACE, SPAN = (bytes.fromhex(part) for part in CALLER.split("-")[1:3])


def test_a_success_stands_below_its_caller(lab: Lab) -> None:
    """`traceparent` on the webhook, n8n's own tracing off: the execution stands in that trace (feature 94)."""
    began = time.monotonic()
    assert lab.n8n.call("/webhook/order?p=/s/200", {"odoo_ref": "P00099"}, {"traceparent": CALLER}) == 200
    execution = lab.last("order0000000001", "success")
    root = lab.root(execution["id"])
    assert time.monotonic() - began < 10  # the hook file said so: polls are 20 s apart
    assert (root.trace_id, root.parent_span_id) == (TRACE, SPAN)
    nodes = lab.below(root)
    assert list(nodes) == ["node Webhook", "node Tag", "node HTTP Request", "node Respond"]
    for node in nodes.values():
        assert root.start_time_unix_nano <= node.start_time_unix_nano
        assert node.end_time_unix_nano <= root.end_time_unix_nano
    for one, next_one in pairwise(nodes.values()):
        assert one.start_time_unix_nano <= next_one.start_time_unix_nano
    assert words(root)["url.full"] == f"{lab.n8n.url}/workflow/order0000000001/executions/{execution['id']}"


def test_a_failing_node_says_why_in_the_trace_of_the_record(lab: Lab) -> None:
    """By the record's name in the custom data; the error workflow hangs below what failed (features 7, 10, 77)."""
    assert lab.n8n.call("/webhook/order?p=/s/401", {"odoo_ref": "P00099"}) == 500
    root = lab.root(lab.last("order0000000001", "error")["id"])
    node = lab.below(root)["node HTTP Request"]
    assert (words(node)["http.response.status_code"], words(node)["error.type"]) == (401, "NodeApiError")
    assert words(root)["odoo.failure.cause"] == "auth"
    handler = lab.root(lab.last("errwf00000000001")["id"])
    assert (handler.trace_id, handler.parent_span_id) == (root.trace_id, root.span_id)
    with lab.odoo.transaction():
        live.confirmed(lab.odoo, 1)
    until(lambda: [span for span in lab.spans() if span.name == "workflow purchase"], 45, "the order told")
    (record,) = (span for span in lab.spans() if span.name == "workflow purchase")
    assert (root.trace_id, root.parent_span_id) == (record.trace_id, record.span_id)


def test_an_ignored_failure_is_seen(lab: Lab) -> None:
    """Continue on fail: n8n says success, the node's span says which error (feature 45)."""
    assert lab.n8n.call("/webhook/cont?p=/s/500", {}) == 200
    root = lab.root(lab.last("contin000000001")["id"])
    node = lab.below(root)["node HTTP Request"]
    assert words(root)["odoo.run.result"] == "success"
    assert words(node)["n8n.node.continued"] is True
    assert (words(node)["http.response.status_code"], node.status.code) == (500, 2)


def test_a_sub_workflow_hangs_on_the_node_that_called_it(lab: Lab) -> None:
    """In one trace, with the caller's (feature 99)."""
    assert lab.n8n.call("/webhook/parent", {}, {"traceparent": CALLER}) == 200
    parent = lab.root(lab.last("paren0000000001")["id"])
    child = lab.root(lab.last("child0000000001")["id"])
    assert child.trace_id == parent.trace_id == TRACE
    assert child.parent_span_id == lab.below(parent)["node Child"].span_id


def test_a_parked_execution_waits_and_goes_on(lab: Lab) -> None:
    """Shown while it waits for a call; the wait is a span of its own when somebody has called (feature 33)."""
    assert lab.n8n.call("/webhook/approval", {}) == 200
    execution = lab.last("appro0000000001", "waiting")["id"]
    waits = {"workflow": "Approval", "state": "waiting"}
    until(lambda: lab.exporter.value("odoo_n8n_open_executions", **waits) == 1, 30, "the wait shown")
    time.sleep(2)
    assert lab.n8n.call(f"/webhook-waiting/{execution}?signature={lab.token(execution)}", {}) == 200
    lab.ends(execution, "success")
    root = lab.root(execution)
    wait = lab.below(root)["wait Wait"]
    assert words(wait)["odoo.wait.kind"] == "human"
    assert wait.end_time_unix_nano - wait.start_time_unix_nano > 2_000_000_000
    assert lab.exporter.value("odoo_n8n_open_executions", **waits) == 0


def test_a_retry_is_linked_to_the_original(lab: Lab) -> None:
    """With the node it ran itself, and none of those that n8n copied (feature 35)."""
    lab.n8n.call("/webhook/order?p=/s/503", {"odoo_ref": "none"})
    first = lab.last("order0000000001", "error")["id"]
    lab.n8n.api(lab.drive, f"/executions/{first}/retry", {"loadWorkflow": False})
    until(lambda: lab.last("order0000000001", "error")["retryOf"] == first, 30, "the retry")
    original, retry = lab.root(first), lab.root(lab.last("order0000000001", "error")["id"])
    assert [(link.trace_id, link.span_id) for link in retry.links] == [(original.trace_id, original.span_id)]
    assert [name for name in lab.below(retry) if name.startswith("node")] == ["node HTTP Request"]


def test_a_cancelled_wait_is_a_cancellation(lab: Lab) -> None:
    """Somebody stops an execution that waits: it is over, no failure, and waits no more (feature 60)."""
    assert lab.n8n.call("/webhook/approval", {}) == 200
    execution = lab.last("appro0000000001", "waiting")["id"]
    lab.n8n.api(lab.drive, f"/executions/{execution}/stop", {})
    lab.ends(execution, "canceled")
    root = lab.root(execution)
    assert (words(root)["odoo.run.result"], root.status.code) == ("cancellation", 0)


def test_what_takes_too_long_is_a_timeout(lab: Lab) -> None:
    """A workflow that may take a second and takes two: n8n calls it canceled, which it is not (features 10, 79)."""
    lab.n8n.call("/webhook/hasty", {})
    execution = lab.last("hasty0000000001", "canceled")["id"]
    root = lab.root(execution)
    assert words(root)["odoo.run.result"] == "timeout"
    assert root.status.code == 2


def crash(lab: Lab) -> str:
    """Kill n8n while an execution waits for an answer; which one."""
    calling = Thread(target=lab.n8n.call, args=("/webhook/order?p=/slow", {"odoo_ref": "none"}), daemon=True)
    calling.start()
    running = lab.last("order0000000001", "running")["id"]
    time.sleep(0.5)
    lab.n8n.kill()
    calling.join(10)
    return str(running)


@pytest.mark.parametrize("promise", promises.CHECKS, ids=lambda promise: promise.__name__)
def test_the_real_door_keeps_the_promises_of_the_fake(lab: Lab, promise: Callable[[RestDoor], None]) -> None:
    """What tests/contract asks of the fake holds on the real one, with a key that may only read (R24)."""
    lab.n8n.call("/webhook/approval", {})
    lab.last("appro0000000001", "waiting")
    promise(RestDoor(N8nAccess(url=lab.n8n.url, key=Secret(lab.read), timeout=20)))


def test_a_crash_is_true_and_told_once(lab: Lab) -> None:
    """kill -9 in the middle of an execution: n8n says crashed when it is back, and nothing is counted twice (R3)."""
    running = crash(lab)
    until(lambda: lab.exporter.value("odoo_source_success", source="n8n/executions") == 0, 45, "the outage seen")
    assert lab.exporter.value("odoo_up") == 1
    lab.n8n.start()
    until(lambda: lab.exporter.value("odoo_source_success", source="n8n/executions") == 1, 60, "n8n read again")
    root = lab.root(running)
    assert (words(root)["n8n.execution.status"], words(root)["odoo.run.result"]) == ("crashed", "error")
    assert "node HTTP Request" in lab.below(root)
    assert lab.exporter.value("odoo_n8n_executions_total", result="error") == 1
    roots = [span.span_id for span in lab.spans() if span.name.startswith("n8n ")]
    assert len(roots) == len(set(roots))
    assert lab.collector.differing() == []


def test_nothing_that_approves_left_n8n(lab: Lab) -> None:
    """R15: no resume token, no signature, no key of n8n's in what was sent, kept, logged or shown."""
    tokens = [row["id"] for row in lab.n8n.api(lab.read, "/executions?status=waiting")["data"]]
    secrets = [lab.token(one) for one in tokens] + [lab.read, lab.drive]
    assert tokens
    sent = b"".join(request.body for request in lab.collector.requests)
    kept = b"".join(path.read_bytes() for path in lab.exporter.state.iterdir() if path.is_file())
    shown = (lab.exporter.get("/metrics")[1] + lab.exporter.get("/")[1] + "".join(lab.exporter.lines)).encode()
    for secret in secrets:
        for place in (sent, kept, shown):
            assert secret.encode() not in place
    for place in (sent, kept, shown):
        assert b"signature=" not in place
