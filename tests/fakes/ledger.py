"""Inbox and Ledger in memory: what the unit tests of the polling and folding loops live on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.errors import Fenced, StoreError
from exporter.store.protocols import (
    Appended,
    Commit,
    ObservationRow,
    OutboxRow,
    PollReport,
    Quarantined,
    RunRow,
    Stored,
    SubjectRow,
    Tombstone,
    TotalRow,
    Unreadable,
)


@dataclass(slots=True)
class MemoryLedger:
    """As the real one does it (tests/contract), for as many tenants as one likes; `outbox` and the like keep order.

    Attributes:
        refusals: raised by the next commits, one each.
        forgetful: keeps no row of what a Commit says; for what goes on and on.
    """

    forgetful: bool = False
    refusals: list[StoreError] = field(default_factory=list)
    events: dict[str, list[Stored | Unreadable]] = field(default_factory=dict)
    keys: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    reports: dict[tuple[str, str], PollReport] = field(default_factory=dict)
    offsets: dict[tuple[str, str], int] = field(default_factory=dict)
    saved: dict[tuple[str, str], SubjectRow] = field(default_factory=dict)
    runs: dict[tuple[str, str], RunRow] = field(default_factory=dict)
    timers: dict[tuple[str, str, str], Timer] = field(default_factory=dict)
    total_rows: dict[tuple[str, str, object], TotalRow] = field(default_factory=dict)
    observations: list[ObservationRow] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    commits: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def append(
        self,
        tenant: str,
        events: Sequence[Event],
        marks: Mapping[tuple[str, str], str | None] | None = None,
        report: PollReport | None = None,
    ) -> Appended:
        """See Inbox."""
        fresh = {(tenant, e.source, e.key): e for e in events if (tenant, e.source, e.key) not in self._seen}
        mine = self.events.setdefault(tenant, [])
        self._seen |= fresh.keys()
        mine += [Stored(seq=len(mine) + n, event=event) for n, event in enumerate(fresh.values(), 1)]
        for (source, key), mark in (marks or {}).items():
            known = self.keys.setdefault((tenant, source), {})
            known.pop(key, None)
            if mark is not None:
                known[key] = mark
        if report is not None:
            self.reports[tenant, report.source] = report
        return Appended(appended=len(fresh), repeated=len(events) - len(fresh))

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """See Inbox."""
        return dict(self.keys.get((tenant, source), {}))

    def read(self, tenant: str, after: int, limit: int) -> list[Stored | Unreadable]:
        """See Ledger."""
        return self.events.get(tenant, [])[after : after + limit]

    def offset(self, tenant: str, consumer: str) -> int:
        """See Ledger."""
        self.reads["offset"] += 1
        return self.offsets.get((tenant, consumer), 0)

    def subjects(self, tenant: str, keys: Sequence[str]) -> dict[str, SubjectRow]:
        """See Ledger."""
        self.reads["subjects"] += len(keys)
        return {key: self.saved[tenant, key] for key in keys if (tenant, key) in self.saved}

    def run(self, tenant: str, run_id: str) -> RunRow | None:
        """See Ledger."""
        return self.runs.get((tenant, run_id))

    def tombstones(self, _tenant: str, _subject: str) -> list[Tombstone]:
        """See Ledger."""
        return []

    def totals(self, tenant: str) -> list[TotalRow]:
        """See Ledger."""
        self.reads["totals"] += 1
        return [row for (owner, _, _), row in self.total_rows.items() if owner == tenant]

    def due(self, tenant: str, limit: int) -> list[Timer]:
        """See Ledger."""
        marks = {source: report.read_until for (owner, source), report in self.reports.items() if owner == tenant}
        mine = [timer for (owner, _, _), timer in self.timers.items() if owner == tenant]
        late = [timer for timer in mine if (mark := marks.get(timer.source)) is not None and timer.due <= mark]
        return sorted(late, key=lambda timer: (timer.due, timer.subject, timer.name))[:limit]

    def commit(self, commit: Commit) -> None:
        """See Ledger."""
        if self.refusals:
            raise self.refusals.pop(0)
        place = (commit.tenant, commit.consumer)
        if self.offsets.get(place, 0) != commit.expected_offset:
            raise Fenced(f"{place} is at {self.offsets.get(place, 0)}, not at {commit.expected_offset}")
        self.offsets[place] = commit.offset
        self.commits[commit.tenant] += 1
        self.quarantine += commit.quarantine
        self.total_rows |= {(commit.tenant, row.name, row.labels): row for row in commit.totals}
        if self.forgetful:
            return
        self.saved |= {(commit.tenant, row.key): row for row in commit.subjects}
        self.runs |= {(commit.tenant, row.id): row for row in commit.runs}
        for key, name in commit.cleared:
            self.timers.pop((commit.tenant, key, name), None)
        self.timers |= {(commit.tenant, timer.subject, timer.name): timer for timer in commit.timers}
        self.observations += commit.observations
        self.outbox += commit.outbox
