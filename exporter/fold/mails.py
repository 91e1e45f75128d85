"""Outgoing mail: each attempt that failed, or went well after one had, is a delivery; in the trace of its record."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import MailChanged
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.links import by_id
from exporter.domain.runs import Attributes, Failure, Result, Run, known
from exporter.fold.joining import joined
from exporter.fold.subjects import Cut, Flow, Kind

MODEL, WORKFLOW = "mail.mail", "mail"
RESULTS: dict[str, Result] = {
    "exception": "failure",
    "sent": "success",
    "received": "success",
    "cancel": "cancellation",
}


class MailMemory(Struct, frozen=True, kw_only=True, gc=False):
    """Nothing: each fact tells of an attempt by itself."""


def cut(facts: Sequence[Event], memory: MailMemory, until: datetime, flow: Flow) -> Cut[MailMemory]:
    """A Run for every attempt that is over: one ordered witness, so nothing is waited for."""
    del until
    runs = [_run(e, e.body, flow) for e in facts if isinstance(e.body, MailChanged) and e.body.state in RESULTS]
    return Cut(closed=tuple(runs), open=None, facts=(), memory=memory)


def _run(event: Event, mail: MailChanged, flow: Flow) -> Run:
    began = min(mail.create_date or event.at, event.at)
    about = (by_id(mail.model, mail.record_id),) if mail.model and mail.record_id else ()
    return Run(
        kind="mail",
        workflow=WORKFLOW,
        subject=f"mail/{mail.mail_id}",
        model=MODEL,
        record_id=str(mail.mail_id),
        key=event.key.rpartition("/")[2],
        trace_key="",
        title=f"mail {mail.mail_id}",
        started_at=began,
        ended_at=event.at,
        result=RESULTS[mail.state],
        failure=_failure(mail),
        origin="live" if flow.is_live(event.at) else "history",
        attributes=_attributes(mail, event.at - began),
        joins=joined(about, flow),
    )


def _failure(mail: MailChanged) -> Failure | None:
    """Odoo's own word is the type (`mail_smtp`); what the mail server said tells the cause."""
    return failure(mail.failure_type or "mail_failed", mail.failure) if mail.state == "exception" else None


def _attributes(mail: MailChanged, took: timedelta) -> Attributes:
    found: dict[str, str | int | float | None] = {
        "odoo.delivery.kind": mail.failure_type or mail.state,
        "odoo.delivery.latency": took / timedelta(seconds=1),
        "odoo.mail.recipients": mail.recipients or None,
        "odoo.delivery.record": by_id(mail.model, mail.record_id) if mail.model and mail.record_id else None,
    }
    return known(found)


KIND = Kind(
    name="mail",
    source="odoo/mails",
    settle=timedelta(0),
    memory=MailMemory,
    cut=cut,
)
