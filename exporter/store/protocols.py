"""The store's four faces; entries.py has the rows that pass through them. Every row belongs to a tenant."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from exporter.domain.counted import Counted
from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.domain.tenants import Tenant
from exporter.store.encoded import Signal
from exporter.store.entries import (
    Appended,
    Commit,
    ObservationRow,
    OutboxRow,
    OwedRead,
    PollReport,
    RunRow,
    Stored,
    SubjectRow,
    TotalRow,
    Unreadable,
)

FOLD = "fold"  # the consumer whose offset the fold's Commits move


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

    def due(self, tenant: str, until: Mapping[str, datetime], limit: int) -> list[Timer]:
        """Timers due when their Source was read so far (Source -> mark), earliest first; at most `limit`."""

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
