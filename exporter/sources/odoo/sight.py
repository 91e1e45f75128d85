"""What is read of Odoo, model by model: what each shows, what is lost without it, and whether its right must be given.

`odoo-otel check` compares this table with what a user can see, `odoo-otel odoo-access` makes the least-privilege group
of it (rights as measured, facts/odoo.md section 6).
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from exporter.sources.odoo import automations, crons, job_rows, log_rows, mails, messages, progress, reviews, tracking
from exporter.sources.odoo.options import Approval, Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One model that is read.

    Attributes:
        source: the collection that reads it.
        module: what brings it.
        shows: what is seen by it; `without`: what is not, if it cannot be read.
        since: the first version of Odoo that has it.
        given: whether every internal user may read it anyway.
        vital: whether nothing at all can be watched without it.
        ruled: whether record rules hide rows of it from others than their owners.
    """

    model: str
    source: str
    module: str
    shows: str
    without: str
    fields: Sequence[str] = ()
    since: int = 14
    given: bool = False
    vital: bool = False
    ruled: bool = False


_FIXED = (
    Need(
        model=crons.CRON,
        source="odoo/crons",
        module="base",
        shows="scheduled actions, their schedule and how often in a row they failed",
        without="no scheduled action is seen",
        fields=crons.CRON_FIELDS,
        vital=True,
    ),
    Need(
        model=progress.PROGRESS,
        source="odoo/crons",
        module="base",
        shows="when their runs begin and end, and what they did",
        without="runs of scheduled actions are told by Odoo's log alone, if it reaches us (docs/logs.md)",
        fields=progress.FIELDS,
        since=18,
    ),
    Need(
        model=crons.TRIGGER,
        source="odoo/crons",
        module="base",
        shows="who asked for a run outside its schedule",
        without="a run outside the schedule has no reason and no wait",
        fields=crons.TRIGGER_FIELDS,
        since=15,
    ),
    Need(
        model=log_rows.MODEL,
        source="odoo/logging",
        module="base",
        shows="the log as far as the database keeps it",
        without="results and exceptions that stand only in ir.logging are not told",
        fields=log_rows.FIELDS,
    ),
    Need(
        model=job_rows.MODEL,
        source="odoo/jobs",
        module="queue_job",
        shows="queue jobs",
        without="no queue job is seen",
        fields=job_rows.FIELDS,
        ruled=True,
    ),
    Need(
        model=reviews.MODEL,
        source="odoo/approvals",
        module="base_tier_validation",
        shows="tier reviews",
        without="no tier review is seen",
        fields=reviews.FIELDS,
    ),
    Need(
        model=tracking.MODEL,
        source="odoo/approvals",
        module="mail",
        shows="the history of documents' states",
        without="only the present state of a document is seen, nobody's decisions",
        fields=tracking.FIELDS,
    ),
    Need(
        model=messages.MODEL,
        source="odoo/approvals",
        module="mail",
        shows="who changed a document, and when a job failed",
        without="changes of documents and ends of failed jobs are not told",
        fields=messages.FIELDS,
        given=True,
    ),
    Need(
        model=automations.FIELD,
        source="odoo/approvals",
        module="base",
        shows="which field a change is of",
        without="changes of documents are not told",
        fields=("model", "name"),
    ),
    Need(
        model=automations.RULE,
        source="odoo/automations",
        module="base_automation",
        shows="automation rules",
        without="which webhooks should have been sent is not known",
        fields=automations.FIELDS,
    ),
    Need(
        model=automations.ACTION,
        source="odoo/automations",
        module="base",
        shows="which rules send webhooks",
        without="which webhooks should have been sent is not known",
        fields=automations.ACTION_FIELDS,
    ),
    Need(
        model=mails.MODEL,
        source="odoo/mails",
        module="mail",
        shows="mail that failed",
        without="mail that was not delivered is not told",
        fields=mails.FIELDS,
    ),
)


def needs(approvals: Iterable[Approval], sources: Container[str], unique: Iterable[Unique] = ()) -> tuple[Need, ...]:
    """Every model that is read for these collections, documents and keys, each once."""
    keys = {one.model: one.key for one in unique}
    documents = [_document(approval, keys.pop(approval.model, ())) for approval in approvals]
    every = (*_FIXED, *documents, *(_keyed(model, key) for model, key in keys.items()))
    return tuple(need for need in every if need.source in sources)


def _document(approval: Approval, key: Sequence[str]) -> Need:
    return Need(
        model=approval.model,
        source="odoo/approvals",
        module=MODULES.get(approval.model, ""),
        shows=f"documents of {approval.model}",
        without=f"no document of {approval.model} is seen, nor its changes",
        fields=(approval.state_field, *key, "create_date", "write_date"),
        ruled=True,
    )


def _keyed(model: str, key: Sequence[str]) -> Need:
    return Need(
        model=model,
        source="odoo/approvals",
        module=MODULES.get(model, ""),
        shows=f"which records of {model} share {', '.join(key)}",
        without=f"duplicates of {model} are not found",
        fields=(*key, "create_date", "write_date"),
        ruled=True,
    )


MODULES = {
    "account.move": "account",
    "hr.expense": "hr_expense",
    "hr.leave": "hr_holidays",
    "purchase.order": "purchase",
    "sale.order": "sale",
}
