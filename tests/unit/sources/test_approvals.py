"""Approvals: tier reviews with restarts, documents, and the history of their state in any language."""

import json
from datetime import timedelta
from pathlib import Path

from exporter.domain.bodies import FieldChanged, RecordChanged, RecordVanished, ReviewChanged
from exporter.domain.events import Event
from exporter.sources.odoo.options import Approval, OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import lab, tracked

DATA = Path(__file__).parents[2] / "data" / "odoo"


def _source(odoo: FakeOdoo, *approvals: Approval, page: int = 1000) -> OdooSource:
    options = OdooOptions(approvals=approvals or (Approval(),), page=page)
    return OdooSource(name="odoo/approvals", door=FakeDoor(odoo), options=options)


def _poll(source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in drained(source, marks) for event in poll.events]


def test_a_review_is_requested_and_decided() -> None:
    """Pending at its creation, decided at reviewed_date; a reminder (write_date alone) says nothing (feature 104)."""
    odoo, marks = lab(), dict[str, str]()
    source, told = _source(odoo), list[Event]()
    review, asked = odoo.insert("tier.review", res_id=27, model="sale.order"), odoo.now
    told += _poll(source, marks)
    odoo.step(3600)
    odoo.write("tier.review", review, last_reminder_date=odoo.now)
    told += _poll(source, marks)
    odoo.step(60)
    odoo.write("tier.review", review, status="approved", reviewed_date=odoo.now, done_by=20)
    told += _poll(source, marks)
    assert [(event.name, event.at) for event in told] == [
        ("odoo.review.requested", asked),
        ("odoo.review.decided", odoo.now),
    ]
    assert isinstance(told[1].body, ReviewChanged)
    assert (told[1].body.done_by, told[1].body.reviewers) == (20, (6, 7))


def test_a_restart_deletes_reviews_and_is_told() -> None:
    """restart_validation deletes the rows: each open one vanishes, with the document it belonged to."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    old = odoo.insert("tier.review", res_id=29, model="sale.order")
    _poll(source, marks)
    odoo.unlink("tier.review", old)
    new = odoo.insert("tier.review", res_id=29, model="sale.order")
    told = _poll(source, marks)
    gone = RecordVanished(model="tier.review", record_id=old, subject_model="sale.order", subject_id=29)
    assert gone in [event.body for event in told]
    assert [e.body.review_id for e in told if isinstance(e.body, ReviewChanged)] == [new]


def test_state_changes_are_keys_in_every_language() -> None:
    """`RFQ` and `Demande` are both draft; an unknown label stays as it was; the time is the message's."""
    odoo, marks = lab(), dict[str, str]()
    posted = odoo.now
    tracked(odoo, 12, "RFQ", "To Approve")
    tracked(odoo, 12, "À approuver", "Bon de commande")
    tracked(odoo, 13, "", "Gelöscht")
    odoo.step(30)
    told = [event for event in _poll(_source(odoo), marks) if isinstance(event.body, FieldChanged)]
    changes = [(e.body.record_id, e.body.old, e.body.new) for e in told if isinstance(e.body, FieldChanged)]
    assert changes == [(12, "draft", "to approve"), (12, "to approve", "purchase"), (13, None, "Gelöscht")]
    assert {event.at for event in told} == {posted}
    assert isinstance(told[0].body, FieldChanged)
    assert (told[0].body.subtype, told[0].body.author) == ("purchase.mt_rfq_approved", 7)


def test_a_label_of_two_keys_is_not_guessed() -> None:
    """One label for two keys stays a label."""
    odoo, marks = lab(), dict[str, str]()
    odoo.selections["purchase.order", "state", "fr_FR"] = [["purchase", "Validé"], ["done", "Validé"]]
    tracked(odoo, 12, "RFQ", "Validé")
    told = [e.body for e in _poll(_source(odoo), marks) if isinstance(e.body, FieldChanged)]
    assert [(body.old, body.new) for body in told] == [("draft", "Validé")]


def test_captured_history_of_purchase_orders() -> None:
    """The captured messages and tracking values of purchase orders: RFQ -> To Approve -> Purchase Order."""
    odoo, marks = lab(), dict[str, str]()
    captured = json.loads((DATA / "approvals.json").read_text())
    for message in captured["messages"]:
        odoo.tables["mail.message"][message["id"]] = {
            "id": message["id"],
            "model": message["model"],
            "res_id": message["res_id"],
            "date": message["date"],
            "author_id": message["author_id"][0],
            "subtype_id": False,
        }
    for value in captured["tracking"]:
        odoo.tables["mail.tracking.value"][value["id"]] = value | {
            "field_id": 1,
            "mail_message_id": value["mail_message_id"][0],
        }
    odoo.now += timedelta(hours=2)
    told = [e.body for e in _poll(_source(odoo), marks) if isinstance(e.body, FieldChanged)]
    steps = [(body.old, body.new) for body in told if body.record_id == 13]
    assert steps == [("draft", "to approve"), ("to approve", "purchase")]
    assert len(told) == len(captured["tracking"])


def test_a_message_that_cannot_be_read_is_refused_once() -> None:
    """Without access to the document its history is counted as refused, once, with what to change."""
    odoo, marks = lab(), dict[str, str]()
    odoo.unreadable.add("purchase.order")
    tracked(odoo, 12, "RFQ", "To Approve")
    source = _source(odoo)
    refused = [row for _ in range(3) for poll in drained(source, marks) for row in poll.refused]
    assert [row.reason for row in refused] == ["Its message cannot be read: let the user read purchase.order."]


def test_documents_carry_what_the_workflow_needs() -> None:
    """Amount, currency by its code, owner and dates; at is the write."""
    odoo, marks = lab(), dict[str, str]()
    order = odoo.insert("purchase.order", name="P00013", state="purchase", date_approve=odoo.now)
    written = odoo.now
    odoo.step(20)
    told = _poll(_source(odoo), marks)
    body = RecordChanged(
        model="purchase.order",
        record_id=order,
        state="purchase",
        name="P00013",
        amount=100.0,
        currency="EUR",
        company=1,
        partner=3,
        owner=5,
        create_date=written,
        approved_at=written,
    )
    assert [(event.body, event.at) for event in told] == [(body, written)]


def test_old_open_documents_are_read_and_old_closed_ones_are_not() -> None:
    """First poll: what still waits, however old, and what was written in 30 days."""
    odoo, marks = lab(), dict[str, str]()
    waiting, _closed = odoo.insert("purchase.order", state="sent"), odoo.insert("purchase.order", state="purchase")
    odoo.step(60 * 86_400)
    recent = odoo.insert("purchase.order", state="purchase")
    odoo.step(86_400)
    told = _poll(_source(odoo, page=1), marks)
    assert sorted(e.body.record_id for e in told if isinstance(e.body, RecordChanged)) == [waiting, recent]


def test_a_missing_model_does_not_stop_the_others() -> None:
    """Reviews are read where purchase is not installed, and purchases where tier validation is not."""
    for absent, told in (("purchase.order", "odoo.review.requested"), ("tier.review", "odoo.record.changed")):
        odoo, marks = lab(), dict[str, str]()
        odoo.insert("tier.review", res_id=1)
        odoo.insert("purchase.order")
        odoo.absent.add(absent)
        poll = _source(odoo).poll(marks)
        assert [event.name for event in poll.events] == [told]
        assert [sentence.split(" ")[0] for sentence in poll.missing] == [absent]


def test_a_field_that_is_not_there_is_left_out() -> None:
    """Another model with other fields: what it does not have is named and read as empty."""
    odoo, marks = lab(), dict[str, str]()
    odoo.insert("tier.definition", write_date=odoo.now)
    approval = Approval(model="res.currency", state_field="name", amount_field="amount_total")
    poll = _source(odoo, approval).poll(marks)
    records = [event.body for event in poll.events if isinstance(event.body, RecordChanged)]
    assert [record.amount for record in records] == [None]
    assert any("amount_total" in sentence for sentence in poll.missing)
