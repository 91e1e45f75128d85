"""A statement that writes more rows than one poll should read: page by page, nothing lost, nothing taken for gone."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from exporter.domain.bodies import RecordChanged, RecordDoubled, ReviewChanged
from exporter.domain.events import Event
from exporter.sources.odoo.options import OdooOptions, Unique
from exporter.sources.odoo.registry import OdooSource
from exporter.sources.polling import Poll
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained, keep
from tests.fakes.odoo_lab import lab

ORDER, REVIEW, MAIL = "purchase.order", "tier.review", "mail.mail"
OVERLAP = 600
PAGE, PAGES, MANY = 10, 3, 100


def _source(odoo: FakeOdoo, name: str = "odoo/approvals", unique: tuple[Unique, ...] = ()) -> OdooSource:
    options = OdooOptions(page=PAGE, pages=PAGES, unique=unique)
    return OdooSource(name=name, door=FakeDoor(odoo), options=options)


def _polls(odoo: FakeOdoo, source: OdooSource, marks: dict[str, str]) -> Iterator[Poll]:
    """To the end of what is there, and what each of them costs."""
    odoo.calls.clear()
    for poll in drained(source, marks):
        assert len(odoo.calls) <= 2 * PAGES + 12
        assert len(poll.events) <= (PAGES + 1) * PAGE
        odoo.calls.clear()
        yield poll


def _events(odoo: FakeOdoo, source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in _polls(odoo, source, marks) for event in poll.events]


def _written(odoo: FakeOdoo, model: str, **values: object) -> None:
    """All rows at once."""
    transaction = odoo.begin()
    for one in odoo.tables[model]:
        transaction.write(model, one, **values)
    transaction.commit()
    odoo.step(1)


def _orders(odoo: FakeOdoo, many: int = MANY) -> None:
    for _ in range(many):
        odoo.insert(ORDER)
    odoo.step(3600)


def test_a_mass_write_is_read_page_by_page() -> None:
    """Each poll asks and holds little, the mark waits until all is told, and what is told is not read again at once."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _orders(odoo)
    _events(odoo, source, marks)
    odoo.step(15)
    _written(odoo, ORDER, state="purchase")
    polls = list(_polls(odoo, source, marks))
    told = [e.body for poll in polls for e in poll.events if isinstance(e.body, RecordChanged)]
    assert sorted(body.record_id for body in told) == list(range(1, MANY + 1))
    assert {body.state for body in told} == {"purchase"}
    assert [poll.read_until is None for poll in polls] == [*[True] * (len(polls) - 1), False]
    odoo.step(15)
    odoo.calls.clear()
    (idle,) = drained(source, marks)
    assert (idle.events, idle.read_until) == ((), idle.began_at)
    assert len(odoo.calls) <= 12
    assert len([mark for mark in marks if mark.startswith("record/")]) <= PAGES * PAGE


def test_what_is_written_meanwhile_is_told_at_once() -> None:
    """While the pages are read, and behind them, a new change shows in the next poll."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _orders(odoo)
    _events(odoo, source, marks)
    _written(odoo, ORDER, state="purchase")
    keep(marks, source.poll(dict(marks)))
    odoo.write(ORDER, 3, state="cancel")
    odoo.step(1)
    assert (3, "cancel") in [
        (e.body.record_id, e.body.state) for e in source.poll(dict(marks)).events if isinstance(e.body, RecordChanged)
    ]


def test_what_commits_late_is_told_when_the_window_is_read_again() -> None:
    """A transaction that began in the window and ends when all of its pages were read: its write is not lost."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _orders(odoo)
    late = odoo.insert(ORDER)
    odoo.step(3600)
    _events(odoo, source, marks)
    long = odoo.begin()
    long.write(ORDER, late, state="cancel")
    transaction = odoo.begin()
    for one in range(1, MANY + 1):
        transaction.write(ORDER, one, state="purchase")
    transaction.commit()
    odoo.step(1)
    first = {event.key for event in _events(odoo, source, marks)}
    odoo.step(500)
    long.commit()
    again = [*_events(odoo, source, marks)]
    odoo.step(110)
    again += _events(odoo, source, marks)
    new = [event.body for event in again if event.key not in first and isinstance(event.body, RecordChanged)]
    assert [(body.record_id, body.state) for body in new] == [(late, "cancel")]
    odoo.step(OVERLAP)
    assert _events(odoo, source, marks) == []
    assert f"backlog/record/{ORDER}" not in marks


def test_a_clock_that_is_set_back_hides_nothing() -> None:
    """A window that was postponed ends in what is now the future: rows that are written are read as ever."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _orders(odoo)
    _written(odoo, ORDER, state="purchase")
    _events(odoo, source, marks)
    odoo.now -= timedelta(hours=6)
    new = odoo.insert(ORDER)
    odoo.step(15)
    assert new in [e.body.record_id for e in _events(odoo, source, marks) if isinstance(e.body, RecordChanged)]


def test_a_mass_decision_takes_no_review_for_gone() -> None:
    """Hundreds of reviews decided at once: each is told as decided, none as vanished, those still open are kept."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    for number in range(MANY):
        odoo.insert(REVIEW, res_id=number + 1)
    odoo.step(3600)
    list(drained(source, marks))  # those that wait are read in full
    _written(odoo, REVIEW, status="approved", reviewed_date=odoo.now)
    waits = odoo.insert(REVIEW, res_id=7)
    odoo.step(1)
    told = _events(odoo, source, marks)
    assert {event.name for event in told} == {"odoo.review.decided", "odoo.review.requested"}
    decided = [e.body.review_id for e in told if isinstance(e.body, ReviewChanged) and e.body.status == "approved"]
    assert {*decided} == {*range(1, MANY + 1)}
    assert f"review/{waits}" in marks
    odoo.step(OVERLAP)
    assert {event.key for event in _events(odoo, source, marks)} <= {event.key for event in told}


def test_as_many_open_reviews_as_a_window_holds_are_no_mass() -> None:
    """Reviews that wait are read in full, however many: they alone postpone nothing."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    for number in range(MANY):
        odoo.insert(REVIEW, res_id=number + 1)
    odoo.step(3600)
    for _ in range(3):
        (poll,) = drained(source, marks)
        assert poll.read_until == poll.began_at
        odoo.step(15)
    assert "backlog/reviews" not in marks


@pytest.mark.parametrize("many", [5, MANY])
def test_mail_that_fails_by_the_hundred_is_told(many: int) -> None:
    """A mail server that was away for a mailing: each failure once, and those of a window that was postponed, too."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo, "odoo/mails")
    _events(odoo, source, marks)
    for _ in range(many):
        odoo.insert(MAIL, state="exception", mail_message_id=odoo.insert("mail.message", date=odoo.now))
    odoo.step(15)
    told = _events(odoo, source, marks)
    assert len(told) == len({event.key for event in told}) == many


def test_doubles_among_a_mass_write_are_found() -> None:
    """Two orders of one reference, made with a hundred others in one statement."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo, unique=(Unique(model=ORDER, key=("partner_ref",)),))
    _events(odoo, source, marks)
    for number in range(MANY):
        odoo.insert(ORDER, partner_ref=f"R{number % (MANY - 1)}")
    odoo.step(15)
    (double,) = [e.body for e in _events(odoo, source, marks) if isinstance(e.body, RecordDoubled)]
    assert [twin.record_id for twin in double.records] == [1, MANY]
