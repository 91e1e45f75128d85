"""What each kind of Event carries: one frozen class a kind. Times are aware UTC; the Event says their precision."""

from exporter.domain.bodies.calls import ExecutionSeen, LogWritten, NodeRun, Standing, WebhookReceived
from exporter.domain.bodies.odoo import (
    CronCounted,
    CronProgress,
    CronTrigger,
    DatabaseChanged,
    FieldChanged,
    JobChanged,
    KeyCounted,
    MailChanged,
    MessagePosted,
    RecordChanged,
    RecordDoubled,
    RecordVanished,
    ReviewChanged,
    RuleCounted,
    SightChanged,
    Twin,
)
from exporter.domain.bodies.own import DetectorsBeat, FindingClosed, FindingSeen, Learned, SourceRead

Body = (
    CronCounted
    | CronProgress
    | CronTrigger
    | JobChanged
    | MessagePosted
    | ReviewChanged
    | FieldChanged
    | RecordChanged
    | RecordVanished
    | RecordDoubled
    | SourceRead
    | FindingSeen
    | FindingClosed
    | DetectorsBeat
    | RuleCounted
    | MailChanged
    | WebhookReceived
    | ExecutionSeen
    | LogWritten
    | KeyCounted
    | SightChanged
    | DatabaseChanged
)

__all__ = [
    "Body",
    "CronCounted",
    "CronProgress",
    "CronTrigger",
    "DatabaseChanged",
    "DetectorsBeat",
    "ExecutionSeen",
    "FieldChanged",
    "FindingClosed",
    "FindingSeen",
    "JobChanged",
    "KeyCounted",
    "Learned",
    "LogWritten",
    "MailChanged",
    "MessagePosted",
    "NodeRun",
    "RecordChanged",
    "RecordDoubled",
    "RecordVanished",
    "ReviewChanged",
    "RuleCounted",
    "SightChanged",
    "SourceRead",
    "Standing",
    "Twin",
    "WebhookReceived",
]
