"""The end of the API key: of Odoo where it says it, else of the configuration; shown as a metric (feature 64)."""

from datetime import UTC, datetime, timedelta

from exporter.domain.bodies import KeyCounted
from exporter.domain.events import Event
from exporter.domain.times import micros
from exporter.fold.measure import gauges
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import T0 as START
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import lab

MODEL = "res.users.apikeys"
SAID = datetime(2027, 1, 1, tzinfo=UTC)


def source(odoo: FakeOdoo, said: datetime | None = None) -> OdooSource:
    """The collection, as the user that reads."""
    options = OdooOptions(user="monitor", key_expires=said)
    return OdooSource(name="odoo/keys", door=FakeDoor(odoo), options=options)


def told(of: OdooSource, marks: dict[str, str]) -> list[Event]:
    """What is new."""
    return [event for poll in drained(of, marks) for event in poll.events]


def reader() -> FakeOdoo:
    """A lab in which the reader has an account beside others."""
    odoo = lab()
    odoo.write("res.users", 1, login="monitor")
    odoo.insert("res.users", login="jane")
    return odoo


def shown(events: list[Event]) -> list[int]:
    """The metric's values."""
    found = [one for event in events for one in gauges(event) if one.name != "odoo_blind_spot"]
    assert {one.name for one in found} <= {"odoo_api_key_expiry_timestamp_seconds"}
    return [one.value for one in found]


def test_the_first_end_of_its_own_keys_is_told_once() -> None:
    """Others' keys do not matter, one that has ended neither; rotated, it is told again within the hour."""
    odoo, marks = reader(), dict[str, str]()
    for user, days in ((1, 60), (1, 30), (1, -1), (2, 3)):
        odoo.insert(MODEL, user_id=user, expiration_date=odoo.now + timedelta(days=days))
    of = source(odoo)
    (event,) = told(of, marks)
    assert event.body == KeyCounted(keys=3, expires_at=odoo.now + timedelta(days=30))
    assert shown([event]) == [micros(odoo.now + timedelta(days=30))]
    odoo.calls.clear()
    odoo.step(900)
    assert (told(of, marks), odoo.calls) == ([], [])
    odoo.unlink(MODEL, 2)
    odoo.step(2700)
    assert shown(told(of, marks)) == [micros(START + timedelta(days=60))]
    odoo.step(3600)
    assert told(of, marks) == []


def test_a_key_that_never_ends_is_zero() -> None:
    """As an administrator may make one, and as every one is before Odoo 18."""
    odoo = reader()
    odoo.insert(MODEL, user_id=1)
    assert shown(told(source(odoo), {})) == [0]


def test_what_cannot_be_read_is_what_was_said() -> None:
    """Without the right to see it: the configuration, or nothing; and that it cannot be seen."""
    odoo = reader()
    odoo.forbidden.add(MODEL)
    assert shown(told(source(odoo, SAID), {})) == [micros(SAID)]
    (poll,) = drained(source(odoo), {})
    assert ([event.name for event in poll.events], len(poll.missing)) == (["odoo.sight.changed"], 1)


def test_a_key_that_is_not_shown_is_what_was_said() -> None:
    """A password, or a key of another kind: Odoo shows no row."""
    assert shown(told(source(reader(), SAID), {})) == [micros(SAID)]
    assert told(source(reader()), {}) == []
