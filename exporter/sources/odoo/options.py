"""What is read from one Odoo database beside the fixed collections, and how much of it at once."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One model whose documents are approved: which of its fields mean what; None where the model has none.

    Attributes:
        model: technical name.
        state_field: a tracked selection field; its history is read from mail.tracking.value.
        open_states: keys in which a document still waits for somebody; those are read first.
    """

    model: str = "purchase.order"
    state_field: str = "state"
    open_states: tuple[str, ...] = ("draft", "sent", "to approve")
    name_field: str | None = "name"
    amount_field: str | None = "amount_total"
    currency_field: str | None = "currency_id"
    company_field: str | None = "company_id"
    partner_field: str | None = "partner_id"
    owner_field: str | None = "user_id"
    approved_field: str | None = "date_approve"


@dataclass(frozen=True, slots=True, kw_only=True)
class OdooOptions:
    """How one database is read.

    Attributes:
        approvals: models whose documents are read; tier reviews of every model are.
        history_days: how far back the first poll goes.
        overlap: the longest write transaction: what commits later than this after it began may be missed.
        page: rows asked for at once.
        outage: after a longer pause between polls the time between is read page by page, the present first.
    """

    approvals: tuple[Approval, ...] = (Approval(),)
    history_days: int = 30
    overlap: timedelta = timedelta(minutes=10)
    page: int = 1000
    outage: timedelta = timedelta(hours=1)
