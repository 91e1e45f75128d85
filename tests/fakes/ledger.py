"""Inbox and Ledger in memory: what the unit tests of the polling and folding loops live on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.errors import Fenced, StoreError
from exporter.store.entries import (
    Appended,
    Commit,
    ObservationRow,
    OutboxRow,
    OwedRead,
    PollReport,
    Quarantined,
    RunRow,
    Stored,
    SubjectRow,
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
    linked: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: set[tuple[str, str, int]] = field(default_factory=set)
    owing: dict[tuple[str, str, str], OwedRead] = field(default_factory=dict)
    commits: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def append(
        self,
        tenant: str,
        events: Sequence[Event],
        marks: Mapping[tuple[str, str], str | None] | None = None,
        report: PollReport | None = None,
        *,
        paid: Sequence[OwedRead] = (),
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
        self.owing = {key: row for key, row in self.owing.items() if row not in paid or key[0] != tenant}
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

    def runs_near(self, tenant: str, subject: str, began: tuple[datetime, datetime]) -> list[RunRow]:
        """See Ledger."""
        mine = [row for (owner, _), row in self.runs.items() if (owner, row.subject) == (tenant, subject)]
        near = [row for row in mine if began[0] <= row.started_at <= began[1]]
        return sorted(near, key=lambda row: (row.started_at, row.id))

    def links(self, tenant: str, keys: Sequence[str]) -> dict[str, str]:
        """See Ledger."""
        self.reads["links"] += len(keys)
        return {key: self.linked[tenant, key] for key in keys if (tenant, key) in self.linked}

    def parked(self, tenant: str, keys: Sequence[str]) -> list[Stored | Unreadable]:
        """See Ledger."""
        seqs = sorted(seq for owner, key, seq in self.waiting if owner == tenant and key in keys)
        return [self.events[tenant][seq - 1] for seq in seqs]

    def totals(self, tenant: str) -> list[TotalRow]:
        """See Ledger."""
        self.reads["totals"] += 1
        return [row for (owner, _, _), row in self.total_rows.items() if owner == tenant]

    def due(self, tenant: str, until: Mapping[str, datetime], limit: int) -> list[Timer]:
        """See Ledger."""
        mine = [timer for (owner, _, _), timer in self.timers.items() if owner == tenant]
        late = [timer for timer in mine if (mark := until.get(timer.source)) is not None and timer.due <= mark]
        return sorted(late, key=lambda timer: (timer.due, timer.subject, timer.name))[:limit]

    def timers_of(self, tenant: str, subjects: Sequence[str]) -> list[Timer]:
        """See Ledger."""
        wanted = frozenset(subjects)
        mine = [timer for (owner, key, _), timer in self.timers.items() if owner == tenant and key in wanted]
        return sorted(mine, key=lambda timer: (timer.due, timer.subject, timer.name))

    def owed(self, tenant: str) -> list[OwedRead]:
        """See Ledger."""
        return sorted(
            (row for key, row in self.owing.items() if key[0] == tenant), key=lambda row: (row.source, row.key)
        )

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
        for link, subject in (commit.links or {}).items():
            self.linked[commit.tenant, link] = min(subject, self.linked.get((commit.tenant, link), subject))
        self.waiting = {one for one in self.waiting if one[0] != commit.tenant or one[1] not in commit.released}
        self.waiting |= {(commit.tenant, link, seq) for link, seq in commit.parked}
        for key, name in commit.cleared:
            self.timers.pop((commit.tenant, key, name), None)
        self.timers |= {(commit.tenant, timer.subject, timer.name): timer for timer in commit.timers}
        self.owing |= {(commit.tenant, row.source, row.key): replace(row, seq=commit.offset) for row in commit.owed}
        self.observations += commit.observations
        self.outbox += commit.outbox
