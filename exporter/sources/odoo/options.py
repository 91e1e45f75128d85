"""What is read from one Odoo database beside the fixed collections, and how much of it at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from exporter.sources.odoo.versions import Shows, Version, shows


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


# Of people's own documents neither name nor text is read: they say where somebody was, or why somebody is away.
_LEAVE: Mapping[str, Any] = {
    "open_states": ("confirm", "validate1"),
    **dict.fromkeys(
        ("name_field", "amount_field", "currency_field", "partner_field", "owner_field", "approved_field"), None
    ),
}
_EXPENSE = {"name_field": None, "partner_field": None, "owner_field": None, "approved_field": "approval_date"}
# What the fields of models that we know are called, where they are not called as those of a purchase.
DESCRIBED: Mapping[str, Mapping[str, Any]] = {
    "hr.expense": {**_EXPENSE, "open_states": ("draft", "submitted"), "amount_field": "total_amount"},
    "hr.expense.sheet": {**_EXPENSE, "open_states": ("draft", "submit"), "amount_field": "total_amount"},
    "hr.leave": _LEAVE,
    "hr.leave.allocation": _LEAVE,
}


def approval_of(model: str) -> Approval:
    """What is read of a model named in `approvals`."""
    return Approval(model=model, **DESCRIBED.get(model, {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """A key that no two records of a model share which were made within some time of one another."""

    model: str
    key: tuple[str, ...]
    within: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class OdooOptions:
    """How one database is read.

    Attributes:
        approvals: models whose documents are read; tier reviews of every model are.
        history_days: how far back the first poll goes.
        overlap: the longest write transaction: what commits later than this after it began may be missed.
        page: rows asked for at once.
        pages: how many such pages one poll reads of a window of time, or of rows that were told before.
        hooks: names of the hooks of ours to which Odoo itself posts.
        n8n: host (and port) to which it posts what n8n is to run; "" where there is none.
        user: the login that reads; key_expires: when its API key ends, as far as the operator said it.
        unique: keys of which is declared that they are.
        odoo_log: whether Odoo's log reaches us by itself.
        outage: after a longer pause between polls the time between is read page by page, the present first.
        version: Odoo's; what it does not show is not asked for.
    """

    approvals: tuple[Approval, ...] = (Approval(),)
    history_days: int = 30
    overlap: timedelta = timedelta(minutes=10)
    page: int = 1000
    pages: int = 10
    hooks: tuple[str, ...] = ()
    n8n: str = ""
    user: str = ""
    key_expires: datetime | None = None
    unique: tuple[Unique, ...] = ()
    odoo_log: bool = False
    outage: timedelta = timedelta(hours=1)
    version: Version = (19, 0)

    @property
    def shows(self) -> Shows:
        """What this version shows."""
        return shows(self.version)
