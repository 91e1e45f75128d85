"""Mail that failed: told once, followed for a day, and never with an address or a word of it."""

import pytest

from exporter.domain.bodies import MailChanged
from exporter.domain.events import Event, encode_body
from exporter.sources.odoo import mails
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained, keep
from tests.fakes.odoo_lab import lab

DAY = 86_400


def _source(odoo: FakeOdoo, page: int = 1000) -> OdooSource:
    return OdooSource(name="odoo/mails", door=FakeDoor(odoo), options=OdooOptions(page=page))


def _poll(source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in drained(source, marks) for event in poll.events]


def mail(odoo: FakeOdoo, *, order: int = 0, state: str = "exception") -> int:
    """A mail on an order (or on nothing) that failed, or waits."""
    about = {"model": "purchase.order", "res_id": order} if order else {}
    message = odoo.insert("mail.message", date=odoo.now, **about)
    why = {"failure_type": "mail_smtp", "failure_reason": "550 5.1.1 <jane.doe@example.com>: Recipient rejected"}
    given = why if state == "exception" else {}
    return odoo.insert("mail.mail", state=state, mail_message_id=message, recipient_ids=(3, 4), **given)


def test_a_failed_mail_is_told_with_what_it_was_about() -> None:
    """Why it failed, masked; the record; how many it was for; once (features 1, 11)."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    one = mail(odoo, order=17)
    mail(odoo, order=18, state="outgoing")
    mail(odoo, order=19, state="sent")
    (event,) = _poll(source, marks)
    assert (event.name, event.at) == ("odoo.mail.changed", odoo.now)
    assert event.body == MailChanged(
        mail_id=one,
        state="exception",
        failure_type="mail_smtp",
        failure="550 5.1.1 <[EMAIL]>: Recipient rejected",
        model="purchase.order",
        record_id=17,
        create_date=odoo.now,
        recipients=2,
    )
    odoo.step(60)
    assert _poll(source, marks) == []


def test_one_on_no_record_is_told_without_it() -> None:
    """A mail whose message belongs to nothing, or may not be read, is no row that is refused."""
    odoo = lab()
    mail(odoo)
    mail(odoo, order=5)
    odoo.unreadable.add("purchase.order")
    (poll,) = drained(_source(odoo), {})
    assert [(event.body.model, event.body.record_id) for event in poll.events] == [(None, None)] * 2  # type: ignore[union-attr]
    assert poll.refused == ()


def test_it_is_followed_for_a_day() -> None:
    """Sent after all is told, also hours later; failing again is told; one that is gone is forgotten."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    first, second, third = (mail(odoo, order=number) for number in (1, 2, 3))
    _poll(source, marks)
    odoo.step(7200)
    odoo.write("mail.mail", first, state="sent", failure_type=False, failure_reason=False)
    odoo.write("mail.mail", second, failure_reason="421 try later")
    odoo.unlink("mail.mail", third)
    told = _poll(source, marks)
    assert [(event.body.mail_id, event.body.state) for event in told] == [(second, "exception"), (first, "sent")]  # type: ignore[union-attr]
    assert f"mail/{third}" not in marks
    odoo.step(2 * DAY)
    assert {event.key for event in _poll(source, marks)} <= {event.key for event in told}
    assert not [mark for mark in marks if mark.startswith("mail/")]


def test_of_too_many_the_newest_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more failures than are followed those of last: marks come in the order of their text, 10 before 9."""
    monkeypatch.setattr(mails, "MOST", 3)
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    for number in range(12):
        mail(odoo, order=number + 1)
        odoo.step(1)
    keep(marks, source.poll(dict(marks)))
    odoo.step(7200)
    keep(marks, source.poll(dict(sorted(marks.items()))))
    assert {mark for mark in marks if mark.startswith("mail/")} == {"mail/10", "mail/11", "mail/12"}


def test_old_failures_are_read_page_by_page() -> None:
    """A first start on hundreds of old failures: the present first, then all of the past, each once."""
    odoo, marks = lab(), dict[str, str]()
    for number in range(25):
        mail(odoo, order=number + 1)
    odoo.step(2 * DAY)
    fresh = mail(odoo, order=99)
    polls = list(drained(_source(odoo, page=10), marks))
    told = [event.body.mail_id for poll in polls for event in poll.events]  # type: ignore[union-attr]
    assert told[0] == fresh
    assert sorted(told) == list(range(1, 27))
    assert not [mark for mark in marks if mark.startswith("backlog/")]


def test_no_address_and_no_word_is_asked_for() -> None:
    """R15: neither fields nor Events hold whom it was for or what it said."""
    odoo = lab()
    mail(odoo, order=17)
    (event,) = _poll(_source(odoo), {})
    assert not {"email_to", "email_cc", "body_html", "subject", "body", "headers"} & set(mails.FIELDS)
    assert not [word for word in (b"canary", b"jane", b"private") if word in encode_body(event.body)]


@pytest.mark.parametrize("how", ["absent", "forbidden"])
def test_without_mail_the_poll_goes_well(how: str) -> None:
    """Only administrators may read mail: who may not is told so, and the rest is read (rule 5)."""
    odoo = lab()
    getattr(odoo, how).add("mail.mail")
    poll = _source(odoo).poll({})
    assert any("mail.mail" in sentence for sentence in poll.missing)
    assert poll.read_until is not None
