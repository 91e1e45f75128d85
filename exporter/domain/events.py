"""The Event, and the contract of event names: one table, from which docs/events.md is generated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from exporter.domain import bodies as b
from exporter.domain.bodies import Body
from exporter.domain.times import SECOND, require_utc


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
            name="source.read",
            source="any",
            body=b.SourceRead,
            meaning="A Source was read up to a moment: Timers that wait for it and fell due by then fire.",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one witness saw; never a conclusion drawn from several.

    Attributes:
        source: `system/collection` that saw it (`odoo/jobs`).
        key: unique within (tenant, source): epoch / id / version; a repeat is a no-op.
        name: one of EVENTS.
        at: when it happened, as the witness says (aware UTC).
        seen: when we saw it (aware UTC).
        precision: how exact `at` is, in microseconds (over Odoo's RPC: 1,000,000).
        body: what it carries; its class is that of EVENTS[name].
    """

    source: str
    key: str
    name: str
    at: datetime
    seen: datetime
    body: Body
    precision: int = SECOND

    def __post_init__(self) -> None:
        """Refuse naive times and unknown names: an invalid Event cannot exist."""
        require_utc(self.at, "Event.at")
        require_utc(self.seen, "Event.seen")
        if type(self.body) is not EVENTS[self.name].body:
            message = f"{self.name} carries {EVENTS[self.name].body.__name__}, not {type(self.body).__name__}"
            raise ValueError(message)


# (name, version) -> what lifts a body of that version to the next one; empty until a body changes its shape.
UPCASTS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}

encode_body: Callable[[Body], bytes] = msgspec.json.Encoder().encode
_DECODERS: Mapping[str, Callable[[bytes], Body]] = {
    name: msgspec.json.Decoder(kind.body).decode for name, kind in EVENTS.items()
}


def decode_body(name: str, raw: bytes, version: int = 1) -> Body:
    """The body of a stored Event, lifted to the current version.

    Raises:
        KeyError: an event name, or a version of its body, of a newer program.
        msgspec.ValidationError: not what EVENTS[name] promises.
    """
    if version == EVENTS[name].version:
        return _DECODERS[name](raw)
    if version > EVENTS[name].version:
        raise KeyError(f"{name} version {version}, this program knows {EVENTS[name].version}")
    fields = msgspec.json.decode(raw, type=dict[str, Any])
    for old in range(version, EVENTS[name].version):
        fields = UPCASTS[name, old](fields)
    return msgspec.convert(fields, EVENTS[name].body)  # type: ignore[no-any-return]
