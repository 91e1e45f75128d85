"""The contract of names: what is seen, what is told and what is found, as tables from which the pages are generated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.domain import bodies as b


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One line of the contract: the name, the Source that sees it, what it carries, what it says."""

    name: str
    source: str
    body: type[Any]
    meaning: str
    version: int = 1


EVENTS: Mapping[str, EventType] = {
    kind.name: kind
    for kind in (
        EventType(
            name="odoo.cron.counted",
            source="odoo/crons",
            body=b.CronCounted,
            meaning="An ir.cron row changed since it was last read.",
        ),
        EventType(
            name="odoo.progress.started",
            source="odoo/crons",
            body=b.CronProgress,
            meaning="A loop iteration of a scheduled action began (timed_out_counter > 0).",
        ),
        EventType(
            name="odoo.progress.ended",
            source="odoo/crons",
            body=b.CronProgress,
            meaning="A loop iteration ended, well or badly (timed_out_counter = 0).",
        ),
        EventType(
            name="odoo.trigger.set",
            source="odoo/crons",
            body=b.CronTrigger,
            meaning="A scheduled action was asked to run at a time.",
        ),
        EventType(
            name="odoo.job.changed",
            source="odoo/jobs",
            body=b.JobChanged,
            meaning="A queue.job row was seen in a new state, attempt or schedule.",
        ),
        EventType(
            name="odoo.message.posted",
            source="odoo/jobs",
            body=b.MessagePosted,
            meaning="A message was posted on a record (a failed job's true end).",
        ),
        EventType(
            name="odoo.review.requested",
            source="odoo/approvals",
            body=b.ReviewChanged,
            meaning="A tier review exists and is not decided.",
        ),
        EventType(
            name="odoo.review.decided",
            source="odoo/approvals",
            body=b.ReviewChanged,
            meaning="A tier review was approved, rejected or cancelled.",
        ),
        EventType(
            name="odoo.field.changed",
            source="odoo/approvals",
            body=b.FieldChanged,
            meaning="A tracked field of a document changed.",
        ),
        EventType(
            name="odoo.record.changed",
            source="odoo/approvals",
            body=b.RecordChanged,
            meaning="A business document was read in a new version.",
        ),
        EventType(
            name="odoo.record.doubled",
            source="odoo/approvals",
            body=b.RecordDoubled,
            meaning="Records were seen to share a key that is declared unique, or to share it no more.",
        ),
        EventType(
            name="odoo.record.vanished",
            source="odoo/approvals",
            body=b.RecordVanished,
            meaning="A row we knew as open was deleted.",
        ),
        EventType(
            name="finding.opened",
            source="detectors/findings",
            body=b.FindingSeen,
            meaning="A detector claims that something is out of line.",
        ),
        EventType(
            name="finding.updated",
            source="detectors/findings",
            body=b.FindingSeen,
            meaning="A claim that stands was seen again, with more examples.",
        ),
        EventType(
            name="finding.closed",
            source="detectors/findings",
            body=b.FindingClosed,
            meaning="A detector says that its claim no longer holds.",
        ),
        EventType(
            name="detectors.series.judged",
            source="detectors/findings",
            body=b.DetectorsBeat,
            meaning="The detectors finished a round: their heartbeat.",
        ),
        EventType(
            name="odoo.automation.counted",
            source="odoo/automations",
            body=b.RuleCounted,
            meaning="An automation rule was read in a new version.",
        ),
        EventType(
            name="odoo.mail.changed",
            source="odoo/mails",
            body=b.MailChanged,
            meaning="An outgoing mail was seen in a new state.",
        ),
        EventType(
            name="odoo.key.counted",
            source="odoo/keys",
            body=b.KeyCounted,
            meaning="The API keys of the user that reads were seen to end at another time.",
        ),
        EventType(
            name="odoo.sight.changed",
            source="odoo/*",
            body=b.SightChanged,
            meaning="A Source of Odoo became blind in one spot, or sees it again: a right, a tracked state, a log.",
        ),
        EventType(
            name="odoo.database.changed",
            source="odoo/identity",
            body=b.DatabaseChanged,
            meaning="A database answered as another version, uuid or address than before, neutralized or restored.",
        ),
        EventType(
            name="odoo.log.written",
            source="odoo/log",
            body=b.LogWritten,
            meaning="Odoo wrote a line that says something of a run, a webhook or a rule (or `odoo/logging`: its row).",
        ),
        EventType(
            name="webhook.received",
            source="hooks/*",
            body=b.WebhookReceived,
            meaning="An authentic request reached the intake.",
        ),
        EventType(
            name="n8n.execution.changed",
            source="n8n/executions",
            body=b.ExecutionSeen,
            meaning="An execution was seen that is new, running or waiting.",
        ),
        EventType(
            name="n8n.execution.finished",
            source="n8n/executions",
            body=b.ExecutionSeen,
            meaning="An execution was seen in a final state.",
        ),
        EventType(
            name="source.read",
            source="any",
            body=b.SourceRead,
            meaning="A Source was read up to a moment: Timers that wait for it and fell due by then fire.",
        ),
    )
}


# What ends badly, and what may go on for long: the kinds of Runs by the words that are said of them.
_FAIL: Mapping[str, str] = {
    "cron": "A run of a scheduled action went wrong.",
    "job": "A queue job failed for good.",
    "delivery": "A webhook told of a failure.",
    "call": "A webhook that Odoo called failed.",
    "inbound": "A webhook that Odoo received was refused, or its rule failed.",
    "mail": "An outgoing mail was not delivered.",
    "send": "A webhook that a rule should have sent did not get all the way.",
    "execution": "An execution of n8n failed.",
    "expectation": "What has to follow something did not in its time.",
    "double": "A record shares a key that is declared unique with an earlier one.",
}
_LAST: Mapping[str, str] = {
    "cron": "A run of a scheduled action has been going on for a minute.",
    "job": "A queue job has been open for a minute.",
    "record": "A document has been waiting for a minute.",
    "delivery": "What webhooks tell of has been going on for a minute.",
    "execution": "An execution of n8n has been going on for a minute.",
}
# The log events that are told, by the same standard: `<system>.<thing>.<past verb>`.
LOG_EVENTS: Mapping[str, str] = {
    **{f"odoo.{kind}.failed": meaning for kind, meaning in _FAIL.items()},
    **{f"odoo.{kind}.started": meaning for kind, meaning in _LAST.items()},
    "odoo.approval.decided": "A review was decided, or a document came into a state that decides it.",
    "odoo.record.left": "A document left a state.",
    "odoo.database.changed": "A database is not what it was: upgraded, moved, replaced, neutralized or live again.",
    "odoo.run.corrected": "A fact came after its Run was told, and would have changed it.",
    "finding.opened": "Something is out of line: a sentence says what.",
    "finding.closed": "It is no more, and why.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingType:
    """One line of what may be found: what it says, and whether that was declared or learned."""

    says: str
    basis: Literal["declared", "learned"] = "declared"


# What the fold and the shipped detectors find, by the name of the detector.
FINDINGS: Mapping[str, FindingType] = {
    "schedule.late": FindingType(says="an action did not begin within its grace behind Odoo's own `nextcall`"),
    "schedule.missed": FindingType(says="it still has not begun, after its interval or an hour"),
    "limit.stuck": FindingType(says="a run takes longer than an hour"),
    "result.failing": FindingType(says="the newest run went wrong, or so many in a row as are declared"),
    "scheduler.silent": FindingType(says="many actions are due and none begins: one Finding, not thirty"),
    "send.lost": FindingType(says="a webhook that an automation rule had to send did not come"),
    "send.unexecuted": FindingType(says="it came, or Odoo addressed it to n8n, and n8n ran nothing for it"),
    "send.rolled_back": FindingType(says="one came for a change that is not in Odoo"),
    "integration.slow": FindingType(
        says="a webhook came, or an execution of n8n took, longer than is tolerated (`latency_tolerance`)"
    ),
    "expectation.absent": FindingType(
        says="what has to follow something (`expect`) did not in its time: charged and not confirmed"
    ),
    "record.duplicate": FindingType(
        says="two records share a key that is declared unique (`unique`): both and the key are named"
    ),
    "outlier.duration": FindingType(
        says="a run took far longer than it ever did: PyOD's HBOS, conformal p-values, a minimum effect",
        basis="learned",
    ),
    "outlier.delay": FindingType(says="it waited far longer than it ever did, by the same means", basis="learned"),
}
