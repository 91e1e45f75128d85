"""What watching a database would cost, before anything is exported: its last days are read, folded and counted.

It is the same reading and folding as in `run`, on a store that is thrown away; so `cost` and every other setting count.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from exporter.clock import Clock
from exporter.config import Config, Database
from exporter.databases import Watched, connect, watch
from exporter.domain.tenants import Tenant
from exporter.fleet import folding, workflows
from exporter.loops.polling import Polling
from exporter.loops.tenants import remember
from exporter.sources.odoo.door import JSON, Domain, Door, Row
from exporter.sources.polling import Source
from exporter.store import open_reader, open_store
from exporter.store.encoded import Signal
from exporter.store.protocols import Reader
from exporter.store.sqlite import SqliteStore
from exporter.telemetry.instruments import DATABASE_LABEL
from exporter.web.snapshot import Shown, Snapshot

DAY = timedelta(days=1)
SECONDS, MB, MIB = 86_400.0, 1e6, 1024.0 * 1024.0
LEAST = timedelta(hours=1)  # of which a day can be told: a database of five minutes says nothing
PAGE = 1000
SIGNALS: tuple[Signal, ...] = ("traces", "logs")


@dataclass(slots=True)
class Counting:
    """A Door that counts the calls that go through it."""

    door: Door
    calls: int = 0

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """See Door."""
        self.calls += 1
        return self.door.call(model, method, **named)

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """See Door."""
        self.calls += 1
        return self.door.search_read(model, domain, fields, order=order, limit=limit)

    def server_time(self) -> datetime:
        """See Door."""
        return self.door.server_time()

    def version(self) -> tuple[int, int]:
        """See Door."""
        return self.door.version()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one database costs.

    Attributes:
        days: how many were counted.
        series: lines of /metrics that are its.
        spans, logs, bytes_sent, bytes_kept, calls: a day; sent as OTLP before compression, kept in the store.
        kept_for: how many days history is kept.
        faults: what could not be read, one sentence each: it is not in the numbers.
    """

    database: str
    days: float
    series: int
    spans: float
    logs: float
    bytes_sent: float
    bytes_kept: float
    calls: float
    kept_for: int
    faults: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """It in words."""
        last = f"{self.days:.3g} days" if self.days > 1 else f"{24 * self.days:.3g} hours"
        yield f"{self.database}, as its last {last} were:"
        yield f"  series      {self.series:>12,}"
        yield f"  spans       {self.spans:>12,.0f} a day"
        yield f"  log events  {self.logs:>12,.0f} a day"
        yield f"  OTLP        {self.bytes_sent / MB:>12,.2f} MB a day, before compression"
        kept = self.bytes_kept / MIB
        yield f"  store       {kept:>12,.2f} MiB a day, {kept * self.kept_for:,.0f} MiB in {self.kept_for} days"
        yield f"  Odoo calls  {self.calls:>12,.0f} a day, one at a time"
        yield from (f"  not counted: {fault}" for fault in self.faults)


@dataclass(slots=True, kw_only=True)
class _Estimating:
    """One database being read into a store of its own."""

    database: Database
    one: Watched
    store: SqliteStore
    clock: Clock
    empty: int = 0
    door: Counting | None = None
    idle: dict[str, int] = field(default_factory=dict)

    def through(self, door: Door) -> Door:
        """Count its calls."""
        self.door = Counting(door)
        return self.door

    def read(self, days: int, progress: Callable[[str], None]) -> Tenant:
        """Read and fold everything there is of so many days, then ask each Source once more: that is an idle poll."""
        self.empty = self.store.upkeep.space().used
        found = connect(self.database, self.through)
        began = (found.tenant.first_start or self.clock.now()) - days * DAY  # what is counted is no history
        tenant = remember(self.store, replace(found.tenant, first_start=began), self.clock)
        for source in found.sources:
            progress(source.name)
            self._drain(source)
        folds = folding(self.store, self.one, tenant, workflows())
        while folds.step():
            pass
        return tenant

    def _drain(self, source: Source) -> None:
        polling = Polling(self.one.name, source, self.store, self.store, self.clock, lambda: None)
        while polling.step():
            pass
        before = self._calls()
        polling.step()
        self.idle[source.name] = self._calls() - before

    def _calls(self) -> int:
        return self.door.calls if self.door else 0


def estimate(
    database: Database, config: Config, folder: Path, *, days: int, clock: Clock, progress: Callable[[str], None]
) -> Estimate:
    """What one database would cost; `folder` is for a store that the caller throws away, `progress` hears what is read.

    Raises:
        SourceDown: it does not answer, or refuses us.
    """
    read = replace(database, history_days=days, history_spans=True)
    one = replace(watch(read, config.label_cap), clock=clock)
    path = folder / f"{database.name}.db"
    store = open_store(path)
    try:
        work = _Estimating(database=read, one=one, store=store, clock=clock)
        tenant = work.read(days, progress)
        reader = open_reader(path)
        try:
            kept_for = max(config.retention_days, database.history_days)
            return _counted(work, reader, (tenant, days), kept_for)
        finally:
            reader.close()
    finally:
        store.close()


def _counted(work: _Estimating, reader: Reader, of: tuple[Tenant, int], kept_for: int) -> Estimate:
    """The numbers of what was read of a database and of so many days, for a day."""
    name, one = work.one.name, work.one
    waiting = {signal: _waiting(work.store, signal) for signal in SIGNALS}
    size = sum(one.size for one in waiting.values())
    period = _period(*of, [at for one in waiting.values() for at in one.oldest])
    per_day = DAY / period
    grown = work.store.upkeep.space().used - work.empty - size
    every = {source: max(one.poll_seconds, one.seldom.get(source, 0.0)) for source in work.idle}
    reports = [report for report, _ in reader.reports(name)]
    return Estimate(
        database=name,
        days=period / DAY,
        series=_series(reader, one, work.clock),
        spans=waiting["traces"].rows * per_day,
        logs=waiting["logs"].rows * per_day,
        bytes_sent=size * per_day,
        bytes_kept=max(grown, 0) * per_day,
        calls=sum(calls * SECONDS / every[source] for source, calls in work.idle.items()),
        kept_for=kept_for,
        faults=tuple(fault for one in reports for fault in ((one.error,) if one.error else one.missing)),
    )


def _period(tenant: Tenant, days: int, oldest: Iterable[datetime]) -> timedelta:
    """Of how long something was found: a database that is younger than `days` has fewer."""
    assert tenant.first_start is not None  # noqa: S101 - `read` gave it one
    missing = min(oldest, default=tenant.first_start) - tenant.first_start
    return max(days * DAY - max(missing, timedelta()), LEAST)


@dataclass(slots=True)
class _Waiting:
    """What waits to be sent of one signal: rows, bytes, the times of the oldest row of each page."""

    rows: int = 0
    size: int = 0
    oldest: list[datetime] = field(default_factory=list)


def _waiting(store: SqliteStore, signal: Signal) -> _Waiting:
    found, last = _Waiting(), 0
    while page := store.pending(signal, PAGE, last):
        found.rows += len(page)
        found.size += sum(len(row.body) for row in page)
        found.oldest.append(min(row.at for row in page))
        last = page[-1].id
    return found


def _series(reader: Reader, one: Watched, clock: Clock) -> int:
    """Samples of one scrape that are the database's."""
    shown = Shown(name=one.name, poll_seconds=one.poll_seconds)
    page = Snapshot(reader=reader, tenants=lambda: [shown], errors=dict, now=clock.now, version="").render(
        as_openmetrics=False
    )
    return page.decode().count(f'{{{DATABASE_LABEL}="{one.name}"')
