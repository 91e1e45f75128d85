"""The demo: the same service over a simulated company, its history first, then live at many times real time."""

import os
import resource
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from time import monotonic
from uuid import NAMESPACE_URL, uuid5

from exporter import logs
from exporter.clock import ScaledClock, SystemClock
from exporter.config import STORE_FILE, Config
from exporter.databases import Watched
from exporter.domain.tenants import Tenant
from exporter.errors import StoreError
from exporter.fold.tell import decode_run
from exporter.loops.folding import FoldingOptions
from exporter.loops.tenants import Connected, recall
from exporter.scoring import score
from exporter.service import Service
from exporter.sources.simulator import Company, business_morning, simulated_sources
from exporter.sources.simulator.company import COLLECTIONS
from exporter.store import open_reader, open_store
from exporter.store.entries import PollReport
from exporter.store.protocols import FOLD, Reader

NAME = "demo"
SEED = 19
FINDINGS = 10_000  # that are judged at the end
POLL = 0.25  # real seconds: 15 simulated ones at 60x
LOOK = 0.1
KIB_IN_MIB = 1024
COUNTED = ("events", "runs", "spans", "observations", "open_runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What `odoo-otel demo` was asked for.

    Attributes:
        seconds: stop by itself after so many real seconds; None: until it is told to.
        days: days of history; speed: times real time afterwards, until the clock has caught up with now.
        detectors: whether they are started, too.
        progress: called with the part done (0 to 1) and a word.
        stopping: set to stop.
    """

    state_dir: Path
    seconds: float | None = None
    days: int = 30
    speed: float = 60.0
    listen_port: int = 9464
    detectors: bool = True
    progress: Callable[[float, str], None] = lambda _part, _words: None
    stopping: Flag | None = None


def demo(options: DemoOptions) -> dict[str, float]:
    """Run until stopped; the numbers of the last line.

    They are events, runs, spans, observations, open_runs, seconds, rss_mib, and of the company's incidents (scoring.py)
    findings, found, missed, false_alarms.

    Raises:
        ConfigError, StoreError: it cannot start; StoreError also when a loop ended.
    """
    began = monotonic()
    logs.configure("warning", [])
    company, clock = _company(options)
    config = Config(
        state_dir=options.state_dir,
        listen_port=options.listen_port,
        intake_port=0,  # nobody but our own detectors posts there
        detectors=options.detectors,
    )
    service = Service(config, [_watched(company, clock)], os.environ)
    service.start()
    try:
        _show(service, options, company, began)
    finally:
        service.stop()
    reader = open_reader(options.state_dir / STORE_FILE)  # what was told while it stopped counts, too
    try:
        return {**_numbers(reader, monotonic() - began), **_score(reader, company)}
    finally:
        reader.close()


def _company(options: DemoOptions) -> tuple[Company, ScaledClock]:
    """The company of an earlier start of this state folder, its clock where it stopped; else a new one."""
    store = open_store(options.state_dir / STORE_FILE)
    try:
        known = recall(store, NAME)
        reports = [r.read_until for r, _ in _reports(options.state_dir / STORE_FILE) if r.read_until is not None]
    finally:
        store.close()
    live = known.first_start if known and known.first_start else business_morning(SystemClock().now())
    company = Company(seed=SEED, live=live, days=options.days)
    return company, ScaledClock(SystemClock(), max([live, *reports]), options.speed)


def _reports(path: Path) -> list[tuple[PollReport, datetime | None]]:
    reader = open_reader(path)
    try:
        return reader.reports(NAME)
    finally:
        reader.close()


def _watched(company: Company, clock: ScaledClock) -> Watched:
    tenant = Tenant(
        name=NAME,
        database=NAME,
        uuid=str(uuid5(NAMESPACE_URL, f"odoo-otel/{NAME}/{SEED}")),
        environment=NAME,
        first_start=company.live,
    )
    return Watched(
        name=NAME,
        connect=lambda: Connected(tenant=tenant, sources=simulated_sources(company, clock.now)),
        expected=tuple(COLLECTIONS),
        poll_seconds=POLL,
        folding=FoldingOptions(host_id=NAME),
        clock=clock,
    )


def _show(service: Service, options: DemoOptions, company: Company, began: float) -> None:
    """The progress bar of the history, then patience."""
    stopping = options.stopping or Flag()
    over = False
    while not stopping.wait(LOOK):
        if service.fault is not None:
            message = f"the demo stopped: {service.fault}"
            raise StoreError(message)
        if options.seconds is not None and monotonic() - began >= options.seconds:
            return
        if not over:
            part = _history(service, company)
            over = part >= 1
            words = f"{service.reader.counts().get('runs', 0)} runs of {options.days} days of history"
            options.progress(part, words)
            if over:
                options.progress(1.0, _welcome(service, options))


def _welcome(service: Service, options: DemoOptions) -> str:
    return (
        f"live at {options.speed:.0f}x: http://{service.web.host}:{service.web.port}/metrics"
        f" and `odoo-otel runs --state {options.state_dir}`"
    )


def _history(service: Service, company: Company) -> float:
    """How much of the history was read and folded."""
    reports = service.reader.reports(NAME)
    if len(reports) < len(COLLECTIONS):
        return 0.0
    read = min(report.read_until or company.start for report, _ in reports)
    part = (read - company.start) / max(company.live - company.start, timedelta(seconds=1))
    waiting, _ = service.reader.lag(NAME, FOLD)
    return min(part, 0.99) if waiting or part < 1 else 1.0


def _score(reader: Reader, company: Company) -> dict[str, float]:
    """What was found of the incidents the company was given."""
    rows = reader.runs(tenant=NAME, limit=FINDINGS, kind="finding")
    now = max((report.began_at for report, _ in reader.reports(NAME)), default=company.live)
    findings = [decode_run(row.body) for _, row in rows]
    return asdict(score(findings, company.incidents(), company.live, now))


def _numbers(reader: Reader, seconds: float) -> dict[str, float]:
    counts = reader.counts()
    found: dict[str, float] = {name: counts.get(name, 0) for name in COUNTED}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_IN_MIB
    return {**found, "seconds": round(seconds, 1), "rss_mib": round(peak, 1)}
