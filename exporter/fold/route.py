"""Which Subject an Event belongs to, and which link keys lead there: a line for each kind of body."""

from collections.abc import Callable, Mapping
from typing import Any

from exporter.domain import bodies as b
from exporter.domain import links
from exporter.domain.events import Event
from exporter.domain.sources import CRONS, DOCUMENTS, EXECUTIONS
from exporter.fold import calls, deliveries, doubles, executions, inbound
from exporter.fold.findings import subject_of

MAKERS: frozenset[type[Any]] = frozenset({b.RecordChanged, b.CronCounted})  # what `makes` links: others need no call
ASKERS: frozenset[type[Any]] = frozenset({b.LogWritten})  # what `asks` for one
OWERS: frozenset[type[Any]] = frozenset({b.WebhookReceived})  # what `owes` reads
CRON_NAME = "cron:"  # a link key: the name of a scheduled action, as old versions of Odoo write it into their log


EXECUTION = "n8n.execution.id"  # the attribute by which a hook of n8n's names what it ran
_READERS: Mapping[str, str] = {"record": DOCUMENTS, "job": "odoo/jobs", "cron": CRONS}


def _nothing(_: object) -> str:
    return ""


def _cron(body: b.CronCounted | b.CronProgress | b.CronTrigger) -> str:
    return f"cron/{body.cron_id}"


def _document(body: b.MessagePosted | b.FieldChanged | b.RecordChanged | b.ReviewChanged) -> str:
    return links.subject(body.model, body.record_id)


def _vanished(body: b.RecordVanished) -> str:
    if body.subject_model:
        return links.subject(body.subject_model, body.subject_id or 0)
    if body.model == "base.automation":
        return ""  # a rule is no document
    return links.subject(body.model, body.record_id)


def _line(body: b.LogWritten) -> str:
    return f"cron/{body.cron_id}" if body.says.startswith("cron.") and body.cron_id is not None else ""


_SUBJECTS: Mapping[type[Any], Callable[[Any], str]] = {
    b.CronCounted: _cron,
    b.CronProgress: _cron,
    b.CronTrigger: _cron,
    b.JobChanged: lambda body: f"job/{body.job_id}",
    b.MessagePosted: _document,
    b.FieldChanged: _document,
    b.RecordChanged: _document,
    b.ReviewChanged: _document,
    b.RecordVanished: _vanished,
    b.RecordDoubled: lambda _: doubles.KEY,
    b.FindingSeen: subject_of,
    b.FindingClosed: subject_of,
    b.LogWritten: _line,
    b.SourceRead: _nothing,
    b.DetectorsBeat: _nothing,
    b.RuleCounted: _nothing,
    b.KeyCounted: _nothing,
    b.SightChanged: _nothing,
    b.DatabaseChanged: _nothing,
    b.MailChanged: lambda body: f"mail/{body.mail_id}",
    b.WebhookReceived: deliveries.subject_of,
    b.ExecutionSeen: _nothing,
}
_BY_EVENT: Mapping[type[Any], Callable[[Event], str]] = {b.ExecutionSeen: executions.subject_of}


def route(event: Event, known: Mapping[str, str]) -> str:
    """The Event's own Subject: `cron/42`, `job/7`, `record/purchase.order/17`; "" for one that has none.

    From the Event alone, but for one that names its Subject only (see `asks`): `known` says which that is (link key ->
    Subject).
    """
    body = event.body
    found = _SUBJECTS[type(body)](body)
    if not found and type(body) in _BY_EVENT:
        return _BY_EVENT[type(body)](event)
    return found or (_of_line(event, known) if type(body) in ASKERS else "")


def _of_line(event: Event, known: Mapping[str, str]) -> str:
    """A line of the log that names its action, or one that tells of a webhook."""
    return known.get(asks(event), "") or calls.subject_of(event) or inbound.subject_of(event)


def asks(event: Event) -> str:
    """The link key without which an Event has no Subject, "" for nearly all; it is parked until a fact makes it."""
    body = event.body
    if type(body) is b.LogWritten and body.says.startswith("cron.") and body.cron_id is None:
        return CRON_NAME + body.cron
    return ""


def makes(event: Event) -> tuple[tuple[str, str], ...]:
    """The link keys that a fact makes, each with the Subject it leads to."""
    body = event.body
    if type(body) is b.RecordChanged:
        return links.names(body.model, body.name, body.record_id)
    if type(body) is b.CronCounted:
        return ((CRON_NAME + body.name, f"cron/{body.cron_id}"),)
    return ()


def owes(event: Event) -> tuple[tuple[str, str], ...]:
    """(Source, key) of what should be read again at once because of an Event: it is a hint, what is read is the truth.

    A webhook names a record (the key is its reference, `sale.order,23`), or an execution of n8n.
    """
    body = event.body
    if type(body) is not b.WebhookReceived:
        return ()
    executions = [(EXECUTIONS, str(value)) for name, value in body.attributes if name == EXECUTION]
    named = [(links.direct(link).partition("/")[0], link) for link in body.correlation]
    return (*executions, *((_READERS[kind], link) for kind, link in named if kind in _READERS))
