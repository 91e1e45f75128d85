"""What goes into the store and comes out of it: the rows of its faces, and a Commit of the fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from exporter.domain.events import Event
from exporter.domain.runs import Open, Timer
from exporter.domain.told import Labels, Observation
from exporter.store.encoded import Encoded, Signal, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class PollReport:
    """How one poll of one Source went; kept with its marks, also when it failed.

    Attributes:
        read_until: the Source's mark: everything that happened up to here was handed out; Timers due by then may fire.
            None while a backlog is being read, or when the poll failed: the mark then stays where it was.
        refused: rows left out because they were not what the Source promises; the store adds them up.
        missing: what cannot be read here, one sentence each.
    """

    source: str
    began_at: datetime
    seconds: float
    ok: bool
    events: int = 0
    error: str = ""
    read_until: datetime | None = None
    refused: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of the Events handed in: new ones, and repeats that changed nothing."""

    appended: int
    repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An Event and its place in the tenant's order."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A stored Event whose body this program cannot decode; it is quarantined, never skipped in silence."""

    seq: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRow:
    """A Subject's saved state; `open` is set while it has an open Run, `shown` says whether the gauges count that."""

    key: str
    kind: str
    state: bytes
    open: Open | None = None
    shown: bool = True


class RunRow(Struct, frozen=True, kw_only=True, gc=False):
    """A closed (or, at `started`, still open) Run kept whole until retention; `id` = subject + "#" + run key."""

    id: str
    kind: str
    workflow: str
    subject: str
    trace_id: bytes
    started_at: datetime
    ended_at: datetime | None
    result: str | None
    origin: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    """One series of one metric, absolute: telemetry/metrics.py decides what `state` holds."""

    name: str
    labels: Labels
    state: bytes


class ObservationRow(Struct, frozen=True, kw_only=True, gc=False):
    """One number of one Run."""

    series: str
    run: str
    at: datetime
    value: float


class OutboxRow(Struct, frozen=True, kw_only=True, gc=False):
    """One encoded span, log record or metric. `context` = encoded resource and scope, stored once each.

    `id` is given by the store; rows leave in its order. `key` (span id, or a digest) makes a repeat visible.
    """

    signal: Signal
    context: bytes
    body: bytes
    at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedRead:
    """A read of `key` that a Source owes, because something said that it changed; asked for before its time.

    `seq` is the offset of the Commit that owed it last, which the store gives: who pays says which one he means, so
    that what was owed again while he read stays owed.
    """

    source: str
    key: str
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """An Event, span or record set aside, with the reason and a masked head of it."""

    origin: str
    key: str
    reason: str
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Everything one fold step changes: all of it is written or nothing.

    Refused with Fenced when the tenant's offset of `consumer` is not `expected_offset`. It never appends Events.

    Attributes:
        links: link key -> Subject, as facts made them; of two Subjects of one name the first by name stays.
        parked: (link key, seq) of Events that have no Subject before the link is made.
        released: link keys whose parked Events were folded now.
    """

    tenant: str
    consumer: str
    expected_offset: int
    offset: int
    subjects: Sequence[SubjectRow] = ()
    forgotten: Sequence[str] = ()
    runs: Sequence[RunRow] = ()
    links: Mapping[str, str] | None = None
    parked: Sequence[tuple[str, int]] = ()
    released: Sequence[str] = ()
    timers: Sequence[Timer] = ()
    cleared: Sequence[tuple[str, str]] = ()
    totals: Sequence[Total] = ()
    observations: Sequence[Observation | ObservationRow] = ()
    outbox: Sequence[Encoded] = ()
    owed: Sequence[OwedRead] = ()
    quarantine: Sequence[Quarantined] = ()
