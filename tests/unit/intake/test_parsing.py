"""Parsing what is posted: Events as they were meant, or one sentence; nothing else comes out."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.domain.bodies import DetectorsBeat, FindingClosed, FindingSeen, Learned
from exporter.domain.events import Event
from exporter.errors import Refused
from exporter.intake.parsing import MOST, parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = "detectors/findings"
KNOWN = {"acme": NOW, "beta": NOW - timedelta(days=1)}
SEEN: Mapping[str, Any] = {
    "detector": "outlier.duration",
    "subject": "base.autovacuum_job",
    "severity": "warning",
    "example": "cron/7#41",
    "since": "2026-03-01T11:58:00Z",
    "sentence": "It took 412 s; 35 to 80 s are normal.",
}
ONE: Mapping[str, Any] = {
    "tenant": "acme",
    "key": "opened/cron/7#41",
    "name": "finding.opened",
    "at": "2026-03-01T13:59:00.25+02:00",
    "body": SEEN,
}
CLOSED = {**ONE, "name": "finding.closed", "body": {"detector": "d", "subject": "s", "reason": "3 normal runs"}}
BEAT = {**ONE, "name": "detectors.series.judged", "body": {"series": 3, "judged": 2, "seconds": 0.5}}


def learned(newest: str = "2026-03-01T13:00:00+01:00", **about: object) -> dict[str, object]:
    """The body of a heartbeat with what one detector learned from."""
    of = {"detector": "outlier.delay", "samples": 40, "newest": newest, **about}
    return {"series": 3, "judged": 2, "seconds": 0.5, "learned": [of]}


def read(*posted: object) -> list[tuple[str, Event]]:
    """Parse events as the detectors would post them."""
    return parse(json.dumps(posted).encode(), source=SOURCE, now=KNOWN)


def refused(raw: bytes) -> Refused:
    """Why the body is refused."""
    with pytest.raises(Refused) as caught:
        parse(raw, source=SOURCE, now=KNOWN)
    return caught.value


def test_an_event_arrives_as_it_was_meant() -> None:
    """Times are UTC whatever offset they came with, the Source is the token's, `seen` is the tenant's clock."""
    ((tenant, event), (other, closed), (_, beat)) = read(ONE, {**CLOSED, "tenant": "beta"}, BEAT)

    assert (tenant, event.source, event.key, event.name) == ("acme", SOURCE, ONE["key"], "finding.opened")
    assert (event.at, event.seen) == (datetime(2026, 3, 1, 11, 59, 0, 250_000, tzinfo=UTC), NOW)
    assert event.at.tzinfo is UTC
    assert event.body == FindingSeen(**{**SEEN, "since": datetime(2026, 3, 1, 11, 58, tzinfo=UTC)})
    assert (other, closed.seen) == ("beta", KNOWN["beta"])
    assert closed.body == FindingClosed(detector="d", subject="s", reason="3 normal runs")
    assert beat.body == DetectorsBeat(series=3, judged=2, seconds=0.5)


def test_times_within_a_body_are_utc_too() -> None:
    """What stands in a list of the body is held to what stands in the body."""
    ((_, beat),) = read({**BEAT, "body": learned()})
    assert isinstance(beat.body, DetectorsBeat)
    assert beat.body.learned == (Learned(detector="outlier.delay", samples=40, newest=NOW),)
    assert beat.body.learned[0].newest.tzinfo is UTC


def test_nothing_is_something() -> None:
    """An empty list is accepted: nothing to append."""
    assert read() == []


WRONG = {
    "unknown_name": ({**ONE, "name": "finding.invented"}, "$[0].name: finding.invented is not an event"),
    "wrong_source": ({**ONE, "name": "odoo.cron.counted"}, "is seen by odoo/crons, not by detectors/findings"),
    "any_source": ({**ONE, "name": "source.read", "body": {"until": "2026-01-01T00:00:00Z"}}, "is seen by any"),
    "unknown_tenant": ({**ONE, "tenant": "nobody"}, "$[0].tenant: nobody is not a database that is read"),
    "naive_time": ({**ONE, "at": "2026-03-01T12:00:00"}, "$[0].at: end the time with Z or an offset"),
    "naive_inside": ({**ONE, "body": {**SEEN, "since": "2026-03-01T12:00:00"}}, "$[0].body.since: end the time"),
    "no_such_time": ({**ONE, "at": "0001-01-01T00:00:00+10:00"}, "send one between year 1 and 9999"),
    "wrong_body": ({**ONE, "body": {**SEEN, "severity": 3}}, "Expected `str`, got `int` - at `$.severity`"),
    "missing_field": ({**ONE, "body": {"detector": "d"}}, "missing required field"),
    "another_body": ({**ONE, "name": "finding.closed"}, "missing required field `reason`"),
    "unknown_field": ({**ONE, "body": {**SEEN, "remarks": []}}, "$[0].body: it has no field remarks"),
    "deep_body": ({**ONE, "body": {**SEEN, "sentence": [[[]]]}}, "Expected `str`, got `array`"),
    "too_long_number": ({**BEAT, "body": {"series": 2**63, "judged": 0, "seconds": 1}}, "at most 64 bits"),
    "naive_in_a_list": (
        {**BEAT, "body": learned("2026-03-01T12:00:00")},
        "$[0].body.learned[0].newest: end the time with Z",
    ),
    "too_many_samples": ({**BEAT, "body": learned(samples=2**63)}, "$[0].body.learned[0].samples: a whole number"),
    "unknown_inside": ({**BEAT, "body": learned(more=1)}, "unknown field `more`"),
    "not_an_event": ({**ONE, "source": "odoo/jobs"}, "unknown field `source`"),
    "no_key": ({**ONE, "key": ""}, "length >= 1"),
    "key_of_two_lines": ({**ONE, "key": "a\n"}, "regex"),
    "no_object": ("text", "Expected `object`, got `str`"),
}
REASONS = {
    "any_source": "wrong_source",
    **dict.fromkeys(("naive_inside", "naive_in_a_list"), "naive_time"),
    "no_such_time": "naive_time",
    **dict.fromkeys(("too_many_samples", "unknown_inside"), "wrong_body"),
    **dict.fromkeys(("missing_field", "another_body", "unknown_field", "deep_body", "too_long_number"), "wrong_body"),
    **dict.fromkeys(("no_key", "key_of_two_lines", "no_object"), "not_an_event"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(what: str) -> None:
    """400, a reason to count, a sentence that names the place and what to change; nothing else is taken."""
    wrong, sentence = WRONG[what]
    found = refused(json.dumps([wrong, ONE]).encode())

    assert (found.status, found.reason) == (400, REASONS.get(what, what))
    assert sentence in found.sentence
    assert "\n" not in found.sentence
    assert len(found.sentence) <= 256


HOSTILE = {
    "nothing": b"",
    "no_json": b"<html>",
    "cut": b'[{"tenant":"acme"',
    "two": b"[][]",
    "not_utf8": b'[{"tenant":"\xff"}]',
    "half_a_pair": b'["\\ud800"]',
    "not_a_number": b"[NaN]",
    "nested": b"[" * 100_000,
    "nested_in_a_body": json.dumps([ONE]).encode().replace(b'"cron/7#41"', b"[" * 60_000 + b"]" * 60_000),
    "nested_in_an_unknown_field": b'[{"tenant":"acme","x":' + b'{"x":' * 40_000 + b"1" + b"}" * 40_000 + b"}]",
    "a_million_digits": b"[" + b"9" * 1_000_000 + b"]",
    "digits_in_a_body": json.dumps([BEAT]).encode().replace(b"0.5", b"9" * 5_000),
    "infinite": json.dumps([BEAT]).encode().replace(b"0.5", b"1e999"),
    "many_fields": b'[{"tenant":"acme",' + b",".join(b'"f%d":1' % n for n in range(20_000)) + b"}]",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bodies_are_refused(raw: bytes) -> None:
    """R12, R13: whatever the bytes are, the answer is 400 and one short sentence."""
    found = refused(raw)

    assert found.status == 400
    assert found.reason in {"not_json", "not_an_event", "wrong_body"}
    assert len(found.sentence) <= 256


def test_a_thousand_events_are_the_most() -> None:
    """MOST pass, one more is 413."""
    assert len(read(*[ONE] * MOST)) == MOST
    assert refused(json.dumps([ONE] * (MOST + 1)).encode()).status == 413
