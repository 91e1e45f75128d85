"""What Events carry that this program makes itself: marks, Findings, heartbeats."""

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRead:
    """How far a Source has been read: everything that happened up to `until` was handed out before this Event."""

    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSeen:
    """A detector claims that something is out of line, for the first time or with more examples.

    Attributes:
        detector: which one (`outlier.duration`); `subject`: the workflow label it speaks of (`base.autovacuum_job`).
        example: id of the first Run it was seen in (`cron/7#41`); `examples`: further ones.
        name: readable name of what it is about; `model` and `record_id` lead to it in Odoo.
        sentence: what is wrong, for a person, with band, ratio and what it was learned from.
        p: how rarely this happens when nothing is wrong; None for declared limits.
        observed, low, high: the value and the band it should lie in, in seconds.
        ratio: observed over the median; `learned_from`: how many Runs the band was learned from.
    """

    detector: str
    subject: str
    severity: str
    example: str
    since: datetime
    sentence: str
    name: str = ""
    model: str = ""
    record_id: str = ""
    examples: tuple[str, ...] = ()
    p: float | None = None
    observed: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    learned_from: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingClosed:
    """A detector says that its claim no longer holds, and why."""

    detector: str
    subject: str
    reason: str


class Learned(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one detector has learned from: so many numbers of Runs, the newest of which ended at `newest`."""

    detector: str
    samples: int
    newest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorsBeat:
    """The detectors ran: how many series they looked at, how many of them they could judge, and how long it took."""

    series: int
    judged: int
    seconds: float
    learned: tuple[Learned, ...] = ()
