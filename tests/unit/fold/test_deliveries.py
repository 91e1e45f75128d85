"""Deliveries: one Run each, or one a run of the sender's; in the trace of the record they name."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import ids
from exporter.domain.events import Event
from exporter.fold.advance import KINDS
from exporter.fold.subjects import Integration
from tests.searching import searching
from tests.worlds import APPROVALS, FLOW, TENANT, World, at, document, read, story, webhook

ORDER = ids.trace_id(TENANT, "purchase.order", "17", "")
HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_delivery_that_stands_alone_is_told_at_once() -> None:
    """No mark is waited for: it is complete when it came (features 41, 60)."""
    world = World().append([webhook("evt_1", 10, kind="invoice.paid")])
    (run,) = world.runs()
    assert (run.workflow, run.result, run.record_id, run.title) == ("stripe", "success", "evt_1", "stripe invoice.paid")
    (span,) = world.spans
    words = dict(span.attributes)
    assert (span.name, span.kind, words["http.route"]) == ("POST /hooks/stripe", "server", "/hooks/stripe")
    assert (words["odoo.delivery.kind"], words["odoo.delivery.latency"]) == ("invoice.paid", 2.0)
    assert world.total("odoo_deliveries_total") == 1
    assert world.total("odoo_delivery_latency_seconds") == 2_000_000


def test_a_failed_delivery_says_why() -> None:
    """Class, cause, whether it passes by itself, a fingerprint, and a log event (features 10, 11, 91)."""
    failed = webhook("evt_1", 10, result="failure", error=("ReadTimeout", "timed out", 504))
    world = World().append([failed])
    why = world.runs()[0].failure
    assert why is not None
    assert (why.cause, why.failure_class, why.transient, bool(why.fingerprint)) == ("timeout", "technical", True, True)
    (log,) = world.logs
    assert (log.event_name, log.severity) == ("odoo.delivery.failed", "error")


def test_deliveries_of_one_run_tell_of_one_run() -> None:
    """Open from the first, ended by the last with a result, a Step each; told when Odoo was read behind it (5, 33)."""
    first = webhook("a1", 20, run="7", result=None, status="queued")
    last = webhook("a2", 50, run="7", result="failure", status="failure", began=25)
    world = World().append([first])
    opened = world.open("delivery/stripe/7")
    assert opened is not None
    assert (opened.state, opened.since, world.spans) == ("queued", at(20), [])
    world.append([last])
    assert world.runs() == []
    world.read_until(60)
    (run,) = world.runs()
    assert (run.started_at, run.ended_at, run.result) == (at(20), at(50), "failure")
    assert [(s.role, s.started_at, s.ended_at) for s in run.steps] == [
        ("delivery/a1", at(20), at(20)),
        ("delivery/a2", at(25), at(50)),
    ]
    assert dict(run.attributes)["odoo.delivery.attempts"] == 2


@pytest.mark.parametrize("record_first", [True, False])
def test_a_name_is_waited_for_until_odoo_was_read(*, record_first: bool) -> None:
    """The record may be read before or after the webhook that names it: the trace is the record's (features 7, 77)."""
    named = webhook("evt_1", 10, correlation=("purchase.order:P00017",))
    known = document(5, "draft")
    world = World().append([known] if record_first else [named])
    world.append([named] if record_first else [known]).read_until(60)
    (span,) = world.spans
    assert span.trace_id == ORDER
    assert span.parent_id == ids.span_id(TENANT, ("purchase.order", "17", "1"))


def test_a_name_that_nobody_bears_leaves_a_trace_of_its_own() -> None:
    """After Odoo was read two seconds behind it; not a moment before."""
    world = World().append([webhook("evt_1", 10, correlation=(":P9",))])
    assert world.append([read(APPROVALS, 11)]).runs() == []
    (run,) = world.append([read(APPROVALS, 13)]).runs()
    assert run.joins is None


def test_a_reference_needs_no_waiting() -> None:
    """Odoo's own form leads to the record by itself."""
    world = World().append([webhook("evt_1", 10, correlation=("purchase.order,17",))])
    assert [span.trace_id for span in world.spans] == [ORDER]


def test_a_callers_trace_counts_more() -> None:
    """A traceparent is adopted, and the record it names is a link (features 77, 99)."""
    world = World().append([webhook("evt_1", 10, correlation=("purchase.order,17",), traceparent=HEADER)])
    (span,) = world.spans
    assert (span.trace_id.hex(), span.parent_id.hex()) == tuple(HEADER.split("-")[1:3])
    assert [(link.trace_id, link.attributes) for link in span.links] == [(ORDER, (("odoo.link.reason", "record"),))]


def test_a_run_that_never_ends_is_not_remembered_whole() -> None:
    """Its first delivery and the newest ones; it is told whole, as each was told when it came (R12)."""
    world = World()
    for number in range(300):
        world.append([webhook(f"a{number}", 10 + number, run="7", result=None, status="firing")]).read_until(
            20 + number
        )
    assert len(world.subjects["delivery/stripe/7"].facts) == 201
    world.append([webhook("end", 400, run="7")]).read_until(500)
    (run,) = world.runs()
    assert (run.started_at, run.ended_at, len(run.steps)) == (at(10), at(400), 202)
    assert len({span.span_id for span in world.spans if span.name == "delivery"}) == 301


def test_a_later_delivery_with_another_result_is_a_correction() -> None:
    """What was told stays (decision 1); one that agrees is silent."""
    world = World().append([webhook("a1", 10, run="7", result="failure")]).read_until(60)
    world.append([webhook("a2", 70, run="7", result="failure"), webhook("a3", 80, run="7", result="success")])
    assert len(world.runs()) == 1
    assert world.corrections() == [f"stripe a1: a3 says success at {at(80).isoformat()}, was told as failure"]


def test_what_the_operator_said_of_a_sender_is_told() -> None:
    """Its criticality stands on every span (feature 72)."""
    flow = replace(FLOW, hooks={"stripe": Integration(criticality="critical")})
    (span,) = World(flow=flow).append([webhook("evt_1", 10)]).spans
    assert dict(span.attributes)["odoo.integration.criticality"] == "critical"


def test_schema_drift_is_counted_by_field() -> None:
    """Each field that a payload lacked or had new (feature 45)."""
    world = World().append([webhook("e1", 10, drift=("a", "b")), webhook("e2", 11, drift=("a",))])
    fields = sorted(dict(m.labels)["field"] for m in world.measurements if "drift" in m.name)
    assert fields == ["a", "a", "b"]


@st.composite
def deliveries(draw: st.DrawFn) -> list[Event]:
    """Deliveries of a few runs and of none, some naming records that are read before or after."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 8))):
        about: dict[str, Any] = {
            "run": draw(st.sampled_from(["", "", "7", "8"])),
            "result": draw(st.sampled_from(["success", "failure", None])),
            "correlation": draw(st.sampled_from([(), ("purchase.order,17",), (":P00017",), (":P9",)])),
        }
        about["result"] = about["result"] if about["run"] else about["result"] or "success"
        events.append(webhook(f"d{number}", draw(st.integers(0, 100)), **about))
    if draw(st.booleans()):
        events.append(document(draw(st.integers(0, 100)), "draft"))
    return events


@searching(150)
@given(deliveries(), st.randoms(use_true_random=True), st.sampled_from([1, 2, 100]))
def test_any_order_and_any_batches_tell_the_same(events: list[Event], rng: Random, batch: int) -> None:
    """Shuffled, repeated, saved and loaded between any two Commits: the same spans, logs and numbers."""
    shuffled = [*events, *rng.sample(events, len(events) // 2)]
    rng.shuffle(shuffled)
    world = World().append(shuffled, batch=batch).read_until(300)
    assert story(world) == story(World().append(events).read_until(300))
    assert not world.quarantined


def test_the_control_that_does_not_wait_tells_another_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a run told with its first result, the order in which its deliveries come would decide (negative control)."""
    first, last = webhook("a1", 20, run="7", result=None), webhook("a2", 50, run="7")
    hasty = replace(KINDS["delivery"], cut=lambda facts, memory, _, flow: KINDS_CUT(facts, memory, at(10_000), flow))
    monkeypatch.setitem(KINDS, "delivery", hasty)  # type: ignore[arg-type]
    one, other = (World().append(order, batch=1).read_until(300) for order in ([first, last], [last, first]))
    assert story(one) != story(other)


KINDS_CUT = KINDS["delivery"].cut
