"""A store with the durations of one scheduled action, and an intake that keeps what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec

from detectors.series import Number
from exporter.clock import StepClock
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.domain.tenants import Tenant
from exporter.errors import Refused, SourceDown
from exporter.loops.tenants import remember
from exporter.store import open_store
from exporter.store.entries import Commit, ObservationRow, RunRow
from exporter.store.protocols import FOLD

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ACME = "acme"
LABEL = "base.autovacuum_job"
DURATION = f"cron.duration/{LABEL}"
APART = timedelta(minutes=45)  # 100 runs are three days


def numbers(seconds: Sequence[float], *, start: int = 0, live: bool = True, apart: timedelta = APART) -> list[Number]:
    """One Run of `cron/7` after the other; `start` counts the Runs before them."""
    return [
        Number(at=T0 + apart * n, run=f"cron/7#{n}", seconds=value, live=live)
        for n, value in enumerate(seconds, start=start)
    ]


def ordinary(count: int = 100, seed: int = 1) -> list[float]:
    """Durations of 2 to 4 seconds."""
    rng = Random(seed)
    return [round(rng.uniform(2, 4), 3) for _ in range(count)]


@dataclass(slots=True)
class Place:
    """A store that grows as the fold would make it grow."""

    path: Path
    series: str = DURATION
    _offset: int = 0

    def start(self, first_start: datetime) -> None:
        """The tenant is connected for the first time."""
        store = open_store(self.path)
        remember(store, Tenant(name=ACME, database=ACME, uuid="6f2c"), StepClock(first_start))
        store.append(ACME, [], {("odoo/crons", "read"): "1"})
        store.close()

    def add(self, found: Sequence[Number]) -> None:
        """Runs closed."""
        store = open_store(self.path)
        offset = store.offset(ACME, FOLD)
        rows = [ObservationRow(series=self.series, run=one.run, at=one.at, value=one.seconds) for one in found]
        runs = [_run(one) for one in found]
        commit = Commit(
            tenant=ACME, consumer=FOLD, expected_offset=offset, offset=offset + 1, observations=rows, runs=runs
        )
        store.commit(commit)
        store.close()


def _run(one: Number) -> RunRow:
    subject, _, key = one.run.partition("#")
    run = Run(
        kind="cron",
        workflow=LABEL,
        subject=subject,
        model="ir.cron",
        record_id="7",
        key=key,
        trace_key=key,
        title="Base: Auto-vacuum",
        started_at=one.at - timedelta(seconds=one.seconds),
        ended_at=one.at,
    )
    return RunRow(
        id=one.run,
        kind=run.kind,
        workflow=LABEL,
        subject=subject,
        trace_id=key.encode().rjust(16),
        started_at=run.started_at,
        ended_at=one.at,
        result="success",
        origin="live",
        body=msgspec.json.encode(run),
    )


@dataclass(slots=True)
class KeptEvents:
    """An intake: a key is kept once; `faults` are raised first, one a request."""

    events: dict[tuple[str, str], Event] = field(default_factory=dict)
    faults: list[SourceDown | Refused] = field(default_factory=list)

    def post(self, tenant: str, events: Sequence[Event]) -> int:
        """How many were new."""
        if self.faults:
            raise self.faults.pop(0)
        before = len(self.events)
        for one in events:
            self.events.setdefault((tenant, one.key), one)
        return len(self.events) - before

    def findings(self) -> list[Event]:
        """What is no heartbeat."""
        return [one for one in self.events.values() if one.name.startswith("finding.")]
