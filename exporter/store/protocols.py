"""The store's four faces and the rows that pass through them. Every row belongs to a tenant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from exporter.domain.counted import Counted
from exporter.domain.events import Event
from exporter.domain.runs import Open, Timer
from exporter.domain.tenants import Tenant
from exporter.domain.told import Labels, Observation
from exporter.store.encoded import Encoded, Signal, Total

FOLD = "fold"  # the consumer whose offset the fold's Commits move


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
    """A Subject's saved state; `open` is set while it has an open Run."""

    key: str
    kind: str
    state: bytes
    open: Open | None = None


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


class Inbox(Protocol):
    """Where everything that happens enters."""

    def append(
        self,
        tenant: str,
        events: Sequence[Event],
        marks: Mapping[tuple[str, str], str | None] | None = None,
        report: PollReport | None = None,
        *,
        paid: Sequence[OwedRead] = (),
        within: float | None = None,
    ) -> Appended:
        """Make Events, mark changes ((source, key) -> mark, None deletes) and the report durable in one transaction.

        `paid` were owed, as `Ledger.owed` said before the poll began. Returns after the fsync; `within` so many
        seconds, else StoreError says that it may still be written, and that a repeat changes nothing. Raises StoreFull,
        StoreBroken.
        """

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """How far we read outside: key -> mark."""


class Ledger(Protocol):
    """What the fold reads and commits."""

    def read(self, tenant: str, after: int, limit: int) -> list[Stored | Unreadable]:
        """Events behind an offset, in order."""

    def offset(self, tenant: str, consumer: str) -> int:
        """How far a consumer read; 0 at first."""

    def subjects(self, tenant: str, keys: Sequence[str]) -> dict[str, SubjectRow]:
        """Saved Subjects by key; unknown ones are absent."""

    def run(self, tenant: str, run_id: str) -> RunRow | None:
        """A closed Run by id, for late facts and corrections."""

    def runs_near(self, tenant: str, subject: str, began: tuple[datetime, datetime]) -> list[RunRow]:
        """Runs of the Subject that started between two times (both included), oldest first."""

    def links(self, tenant: str, keys: Sequence[str]) -> dict[str, str]:
        """Link key -> Subject; keys that nobody made yet are absent."""

    def parked(self, tenant: str, keys: Sequence[str]) -> list[Stored | Unreadable]:
        """Events that wait for one of these link keys, in order."""

    def totals(self, tenant: str) -> list[TotalRow]:
        """Every series of the tenant."""

    def due(self, tenant: str, limit: int) -> list[Timer]:
        """Timers due at or before their Source's mark (the last PollReport.read_until), earliest first."""

    def timers_of(self, tenant: str, subjects: Sequence[str]) -> list[Timer]:
        """Every Timer that is set for these Subjects, earliest first."""

    def owed(self, tenant: str) -> list[OwedRead]:
        """Reads that are owed and not paid yet, by Source and key."""

    def commit(self, commit: Commit) -> None:
        """Write it whole. Raises Fenced, StoreFull, StoreBroken."""


class Outbox(Protocol):
    """What waits to be sent."""

    def pending(self, signal: Signal, limit: int, after: int = 0) -> list[OutboxRow]:
        """Rows in order of id, across tenants."""

    def settle(
        self, signal: Signal, delivered: Sequence[int], rejected: Mapping[int, str] | None = None, counted: int = 0
    ) -> None:
        """Drop delivered rows, move rejected ones (id -> reason) to quarantine, count both.

        `counted` of the delivered rows were rejected by the server inside an accepted request (partial success): they
        count as rejected, not as accepted. A repeat changes nothing.
        """

    def prune(self, signal: Signal, keep: int) -> int:
        """Without a sink: drop the oldest rows beyond the budget, counted; returns how many."""


class Reader(Protocol):
    """What web, CLI and detectors may see: read-only, paged, no transaction over 250 ms."""

    def tenants(self) -> list[str]:
        """Every tenant that has anything stored."""

    def counts(self) -> dict[str, int]:
        """Numbers of events, runs, open_runs, spans (ever told), logs, observations, quarantined."""

    def runs(self, tenant: str | None = None, limit: int = 50, **where: str) -> list[tuple[str, RunRow]]:
        """(tenant, Run), newest first; where: kind, workflow, result."""

    def open_findings(self, tenant: str) -> list[RunRow]:
        """Findings that are open, oldest first."""

    def trace(self, prefix: str) -> list[tuple[str, RunRow]]:
        """Every Run whose trace id (hex) or run id begins with the prefix."""

    def open_runs(self, tenant: str) -> list[tuple[str, str, str, int, datetime]]:
        """(kind, workflow, state, count, oldest since) of open Runs."""

    def totals(self, tenant: str) -> list[TotalRow]:
        """Every series of the tenant."""

    def dropped(self, tenant: str) -> dict[str, int]:
        """Rows that housekeeping ever dropped of a tenant, by what they were."""

    def reports(self, tenant: str) -> list[tuple[PollReport, datetime | None]]:
        """The last report of each Source, `read_until` kept and `refused` added up; when it last succeeded."""

    def outbox(self) -> list[tuple[Signal, int, datetime | None]]:
        """(signal, rows waiting, the oldest one's time)."""

    def sent(self) -> dict[tuple[Signal, str], int]:
        """(signal, accepted|rejected|pruned) -> count ever."""

    def counted(self, tenant: str) -> list[tuple[str, Counted]]:
        """(Source, how far it is read) of each part of the past that is longer than a page."""

    def lag(self, tenant: str, consumer: str) -> tuple[int, datetime | None]:
        """Events not folded yet, and when the oldest of them was seen."""

    def tenant(self, name: str) -> Tenant | None:
        """Who a tenant is, and since when it is read: what ended before is history. None: it never answered."""

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """How far a Source was read, and what the service remembers: key -> mark."""

    def series(self, tenant: str) -> list[str]:
        """The names of every series that has a number, in order."""

    def observations(
        self, tenant: str, series: str, limit: int = 1000, after: tuple[datetime, str] | None = None
    ) -> Iterator[ObservationRow]:
        """Numbers of a series in time order: the newest `limit`, or the first `limit` behind `after` (at, run)."""
