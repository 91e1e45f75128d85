"""Webhooks of Odoo's own, from its log: told once, with what is known of them and no more."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain.events import Event
from tests.searching import searching
from tests.worlds import FLOW, World, event, story


def line(number: int, says: str, **about: object) -> Event:
    """A line about a webhook."""
    body = b.LogWritten(says=says, host="hooks.example.com", pid=7, **about)  # type: ignore[arg-type]
    return event("odoo.log.written", number, f"0/line{number}", body, source="odoo/log")


FAILED = {"error_type": "requests.RequestException", "error": "500 Server Error for url: [ADDRESS]"}


@pytest.mark.parametrize(
    ("says", "about", "direction", "result"),
    [
        ("webhook.succeeded", {}, "odoo-out", "success"),
        ("webhook.failed", FAILED, "odoo-out", "failure"),
        ("webhook.failed", {"result": "unknown", "error_type": "requests.ReadTimeout"}, "odoo-out", "unknown"),
        ("webhook.cancelled", {}, "odoo-out", "cancellation"),
    ],
)
def test_a_call_is_told_with_its_result(says: str, about: dict[str, object], direction: str, result: str) -> None:
    """Success, failure, never sent, or not known (features 32, 60)."""
    world = World().append([line(1, says, **about)])
    (run,) = world.runs()
    assert (run.workflow, run.result) == (direction, result)
    assert (run.failure is not None) == (result == "failure")
    assert world.total("odoo_webhook_calls_total") == 1
    assert [span.is_error for span in world.spans] == [result == "failure"]


def test_what_another_line_ends_tells_nothing() -> None:
    """Every call that was begun would count twice."""
    assert World().append([line(1, "webhook.called")]).subjects == {}


def test_a_line_that_the_log_tells_is_not_told_from_the_database_again() -> None:
    """Where the log itself reaches us, ir.logging adds no call; where it does not, its rows are told."""
    row = replace(line(1, "webhook.failed", **FAILED), source="odoo/logging")
    for witnesses, told in (({"odoo/log"}, 0), (set[str](), 1)):
        assert len(World(flow=replace(FLOW, witnesses=frozenset(witnesses))).append([row]).runs()) == told


@searching()
@given(st.randoms(use_true_random=True), st.sampled_from([1, 3, 100]))
def test_any_order_and_any_batches_tell_the_same(rng: Random, batch: int) -> None:
    """Shuffled and repeated: each line is told once."""
    events = [line(number, "webhook.failed" if number % 2 else "webhook.succeeded", **FAILED) for number in range(9)]
    shuffled = [*events, *events[:4]]
    rng.shuffle(shuffled)
    assert story(World().append(shuffled, batch=batch)) == story(World().append(events))
