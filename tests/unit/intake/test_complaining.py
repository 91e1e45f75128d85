"""Who was refused is logged with the sender's address: a line a minute of each kind, however many there are."""

import json
import logging

import pytest

from exporter.intake.complaining import EVERY, Complaints
from exporter.logs import JsonLines


class Watch:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_a_flood_is_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """R12: a thousand refusals of a kind are one line, and the next one says how many were left out."""
    watch = Watch()
    complaints = Complaints(monotonic=watch)
    for number in range(1000):
        complaints.refused("/hooks/stripe", "signature", f"203.0.113.{number % 250}")
        watch.now += EVERY / 1001
    assert [one.getMessage() for one in caplog.records] == [
        "refused: a request to /hooks/stripe from 203.0.113.0: signature"
    ]
    watch.now += 1
    complaints.refused("/hooks/stripe", "signature", "2001:db8::7")
    assert caplog.records[-1].getMessage() == (
        "refused: a request to /hooks/stripe from 2001:db8::7: signature; 999 more since the last line"
    )
    watch.now += 10 * EVERY
    complaints.refused("/hooks/stripe", "signature", "")
    assert caplog.records[-1].getMessage() == "refused: a request to /hooks/stripe from this machine: signature"


def test_each_kind_has_its_own_line(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of one reason, or on one hook, hides no other."""
    complaints = Complaints(monotonic=Watch())
    for place, reason in (("/hooks/a", "signature"), ("/hooks/a", "missing"), ("/v1/logs", "token")) * 3:
        complaints.refused(place, reason, "203.0.113.7")
    assert len(caplog.records) == 3
    assert {one.levelno for one in caplog.records} == {logging.WARNING}
    assert json.loads(JsonLines().format(caplog.records[0]))["message"].startswith("refused: a request to /hooks/a ")
