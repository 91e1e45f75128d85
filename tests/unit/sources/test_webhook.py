"""Odoo's native webhook: what it names is taken, what it carries is not; anything else is refused with a sentence."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.domain.bodies import WebhookReceived
from exporter.domain.events import encode_body
from exporter.domain.posted import Posted
from exporter.errors import Refused
from exporter.sources.odoo.webhook import parse

NOW = datetime(2026, 11, 22, 13, 24, 52, tzinfo=UTC)
# As an Odoo 19 sent it when a sale order was confirmed (facts/odoo.md section 3).
SENT: dict[str, Any] = {
    "_action": "Send order(#561)",
    "_id": 23,
    "_model": "sale.order",
    "amount_total": 100.0,
    "client_order_ref": "CANARY-REFERENCE",
    "currency_id": 1,
    "date_order": "2026-11-22 13:24:51",
    "id": 23,
    "name": "S00023",
    "order_line": [51],
    "partner_id": 9,
    "state": "sale",
    "user_id": 19,
    "write_date": "2026-11-22 13:24:51.182474",
}


def posted(raw: bytes, **about: str) -> Posted:
    """A request to the hook `odoo`."""
    return Posted(hook="odoo", raw=raw, received_at=NOW, **about)


def read(**changes: object) -> WebhookReceived:
    """What is made of the payload with these changes; None takes a field out."""
    sent = {name: value for name, value in (SENT | changes).items() if value is not None}
    (found,) = parse(posted(json.dumps(sent).encode()))
    return found


def refused(raw: bytes) -> str:
    """Why it is refused."""
    with pytest.raises(Refused) as caught:
        parse(posted(raw))
    assert (caught.value.status, caught.value.reason[:4]) == (422, "not_")
    return caught.value.sentence


def test_the_action_is_the_kind_and_the_record_the_correlation() -> None:
    """`Send order(#561)` of sale.order 23 names the action and leads to the record (features 7, 30)."""
    body = read()
    assert (body.kind, body.correlation, body.delivery) == (
        "Send order",
        ("sale.order,23",),
        "sale.order/23/561/2026-11-22T13:24:51.182474+00:00",
    )
    assert body.attributes == (
        ("odoo.action.id", 561),
        ("odoo.delivery.record", "sale.order,23"),
        ("odoo.record.state", "sale"),
        ("odoo.record.write_date", "2026-11-22T13:24:51.182474+00:00"),
    )
    assert (body.started_at, body.result, body.drift) == (
        datetime(2026, 11, 22, 13, 24, 51, 182474, tzinfo=UTC),
        "success",
        (),
    )


def test_what_was_chosen_to_be_sent_stays_outside() -> None:
    """R15: partners, references and amounts of the payload are in no Event."""
    raw = encode_body(read(name="CANARY Mrs. Somebody", partner_id=777_777))
    assert not [one for one in (b"CANARY", b"777777", b"100.0", b"amount") if one in raw]


def test_a_secret_in_the_name_of_an_action_is_masked() -> None:
    """Who names an action after its address does not tell the token to every metric."""
    body = read(_action="Send https://otel.example/hooks/odoo/3f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a(#7)")
    assert "3f9a8b7c" not in encode_body(body).decode()
    assert dict(body.attributes)["odoo.action.id"] == 7


def test_a_leap_second_is_a_write_date() -> None:
    """R14: `:60` is the second after it, in the delivery's name too."""
    body = read(write_date="2016-12-31 23:59:60.5")
    assert (body.started_at, body.drift) == (datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC), ())
    assert body.delivery.endswith("2017-01-01T00:00:00.500000+00:00")


def test_two_changes_are_two_deliveries_and_a_repeat_is_one() -> None:
    """Named by the time of the transaction; without it by the body, and the lack is counted as drift (feature 45)."""
    assert read().delivery == read(name="changed since").delivery
    assert read().delivery != read(write_date="2026-11-22 13:24:52.000001").delivery
    assert read().delivery != read(_action="Another(#562)").delivery
    blind = read(write_date=None)
    assert blind.drift == ("write_date",)
    assert blind.delivery == read(write_date=None).delivery != read(write_date=None, name="S00024").delivery


def test_an_id_of_the_sender_counts_more() -> None:
    """A proxy that names deliveries and passes a traceparent on is believed."""
    (body,) = parse(
        posted(json.dumps(SENT).encode(), delivery="msg_1", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    )
    assert (body.delivery, body.traceparent[:6]) == ("msg_1", "00-111")


@pytest.mark.parametrize(
    ("changes", "drift"),
    [
        ({"_action": None}, ("_action",)),
        ({"_action": "no number"}, ("_action",)),
        ({"state": 5}, ("state",)),
        ({"state": False}, ()),
        ({"write_date": False}, ("write_date",)),
        ({"write_date": "0001-01-01 00:00:00"}, ("write_date",)),
        ({"write_date": "2026-11-22 13:24:51"}, ()),
    ],
)
def test_what_is_missing_or_of_another_type_is_said(changes: dict[str, object], drift: tuple[str, ...]) -> None:
    """A payload that changed its shape is taken and its drift named (feature 45)."""
    assert read(**changes).drift == drift


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_model": None}, "_model, _id and _action"),
        ({"_model": "Sale Order"}, "technical name"),
        ({"_model": "sale.order,1"}, "technical name"),
        ({"_id": 0}, "whole number above 0"),
        ({"_id": -3}, "whole number above 0"),
        ({"_id": 2**60}, "whole number above 0"),
        ({"_id": "23"}, "whole number above 0"),
        ({"_id": True}, "whole number above 0"),
    ],
)
def test_what_names_no_record_is_refused(changes: dict[str, object], words: str) -> None:
    """One sentence says what Odoo would have sent."""
    assert words in refused(json.dumps({k: v for k, v in (SENT | changes).items() if v is not None}).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b"null", b"[" * 100_000, b'{"_model": "a.b"}'])
def test_what_is_not_odoos_is_refused(raw: bytes) -> None:
    """Whatever bytes come: a sentence, never a traceback (R13)."""
    assert refused(raw)
