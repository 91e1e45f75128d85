"""Mail that failed is a delivery like any other: told at once, with its cause, in the trace of its record."""

from random import Random

import pytest

from exporter.domain import ids
from tests.worlds import TENANT, World, at, mail, story

ORDER = ("purchase.order", 17)


def test_a_failed_mail_is_a_failed_delivery() -> None:
    """A customer who was not told: counted, logged, with class and cause, in the order's trace (features 1, 10, 11)."""
    world = World().append([mail(30, of=ORDER)])
    (run,) = world.runs()
    assert (run.result, run.started_at, run.ended_at) == ("failure", at(0), at(30))
    assert run.failure is not None
    assert (run.failure.type, run.failure.cause, bool(run.failure.fingerprint)) == ("mail_smtp", "outage", True)
    (span,) = world.spans
    assert (span.name, span.kind, span.is_error) == ("send mail", "client", True)
    assert span.trace_id == ids.trace_id(TENANT, "purchase.order", "17", "")
    (log,) = world.logs
    assert (log.event_name, log.severity) == ("odoo.mail.failed", "error")
    (counted,) = [one for one in world.measurements if one.name == "odoo_deliveries_total"]
    assert counted.labels == (("hook", "mail"), ("kind", "mail_smtp"), ("result", "failure"))


def test_sent_after_all_is_another_attempt() -> None:
    """What failed stays told; that it went well later is a Run of its own in the same trace."""
    world = World().append([mail(30), mail(90, "sent"), mail(30)])
    assert [run.result for run in world.runs()] == ["failure", "success"]
    assert len({span.trace_id for span in world.spans}) == 1
    assert len({span.span_id for span in world.spans}) == 2
    assert not world.corrections()


@pytest.mark.parametrize("seed", range(10))
def test_any_order_tells_the_same(seed: int) -> None:
    """Attempts do not know one another (R3)."""
    facts = [mail(30), mail(60), mail(90, "sent"), mail(40, "cancel", number=10), mail(50, "outgoing", number=11)]
    expected = story(World().append(facts).read_until(200))
    assert story(World().append(Random(seed).sample(facts, len(facts)), batch=2).read_until(200)) == expected
