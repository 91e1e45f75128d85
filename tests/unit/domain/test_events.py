"""An invalid Event cannot exist, and a stored one is read as it was written."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import msgspec
import pytest

from exporter.domain import bodies as b
from exporter.domain import events
from exporter.domain.contract import EVENTS
from exporter.domain.events import Event, decode_body, encode_body
from tests.worlds import PO, Review, Row, at, counted, document, job, moved, posted, trigger

GOOD = counted(15, 0)
EVERY = (
    *(GOOD, Row(number=1, start=0).started(), Row(number=1, start=0, end=4).ended(), trigger(1, 0), job(0, "pending")),
    *(posted(9), Review(number=1, asked=0).requested(), Review(number=1, asked=0).decided(9)),
    *(moved(1, "draft", "purchase", 1), document(0, "draft", PO), Row(number=1, start=0).vanished(9)),
)


@pytest.mark.parametrize("field", ["at", "seen"])
@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=2))])
def test_times_that_are_not_utc_are_refused(field: str, zone: timezone | None) -> None:
    """A naive time in the fold would be an hour off twice a year."""
    with pytest.raises(ValueError, match=f"Event.{field} must be an aware UTC datetime"):
        replace(GOOD, **{field: datetime(2026, 1, 1, tzinfo=zone)})


def test_a_body_of_another_kind_is_refused() -> None:
    """The name says what the Event carries."""
    with pytest.raises(ValueError, match=r"odoo\.cron\.counted carries CronCounted, not CronTrigger"):
        replace(GOOD, body=trigger(1, 0).body)


def test_an_unheard_of_name_is_refused() -> None:
    """Names are a contract."""
    with pytest.raises(KeyError):
        replace(GOOD, name="odoo.cron.imagined")


@pytest.mark.parametrize("event", EVERY, ids=lambda event: event.name)
def test_a_body_is_read_as_it_was_written(event: Event) -> None:
    """Also the times inside it."""
    assert decode_body(event.name, encode_body(event.body)) == event.body


def test_a_body_with_fields_of_a_newer_program_is_read() -> None:
    """Bodies grow at their end: what we do not know we leave alone."""
    raw = encode_body(GOOD.body)[:-1] + b',"of_tomorrow":1}'
    assert decode_body(GOOD.name, raw) == GOOD.body


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"nonsense", b'{"cron_id":"42","name":"x"}'])
def test_a_body_that_is_not_what_its_name_promises_is_refused(raw: bytes) -> None:
    """It goes to quarantine, with a reason."""
    with pytest.raises(msgspec.DecodeError):
        decode_body(GOOD.name, raw)


def test_a_body_of_an_older_version_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """version 1 had another name for a field, version 2 lacked one: both are read as version 3."""
    kind = replace(EVENTS["odoo.trigger.set"], version=3)
    monkeypatch.setattr(events, "EVENTS", {**EVENTS, kind.name: kind})
    lifts = {
        (kind.name, 1): lambda old: {**old, "trigger_id": old.pop("id")},
        (kind.name, 2): lambda old: {**old, "cron_id": 42},
    }
    monkeypatch.setattr(events, "UPCASTS", lifts)
    lifted = decode_body(kind.name, b'{"id":7,"call_at":"2026-11-22T10:00:00Z"}', version=1)
    assert lifted == b.CronTrigger(trigger_id=7, cron_id=42, call_at=at(0))


@pytest.mark.parametrize("version", [0, 2])
def test_a_body_of_an_unknown_version_is_refused(version: int) -> None:
    """Of a newer program, or of one that never was: quarantine, never a guess."""
    with pytest.raises(KeyError):
        decode_body(GOOD.name, encode_body(GOOD.body), version=version)


def test_every_name_says_its_system_its_thing_and_what_happened() -> None:
    """`<system>.<thing>.<past verb>`, and a sentence for the page that is made of it."""
    for name, kind in EVENTS.items():
        assert name == kind.name
        assert 2 <= len(name.split(".")) <= 3
        assert kind.meaning.endswith(".")
