"""The simulated company as a store: polled and folded to the end by the exporter's own loops, in one thread."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.clock import StepClock
from exporter.domain.tenants import Tenant
from exporter.fold.subjects import Flow
from exporter.loops.folding import Folding, FoldingOptions
from exporter.loops.polling import Polling
from exporter.loops.tenants import remember
from exporter.sources.simulator.company import COLLECTIONS, Company
from exporter.sources.simulator.source import SimulatedSource
from exporter.store import open_store

NAME = "demo"
LIVE = datetime(2026, 3, 18, 9, 0, tzinfo=UTC)  # a Wednesday morning


def company(seed: int, days: int = 30) -> Company:
    """A company whose history ends at LIVE."""
    return Company(seed=seed, live=LIVE, days=days)


def store_of(company: Company, path: Path, hours: float = 2.0) -> Tenant:
    """Everything that happened until so many hours after LIVE, in a store at the path."""
    clock = StepClock(company.live + timedelta(hours=hours))
    store = open_store(path)
    tenant = remember(store, Tenant(name=NAME, database=NAME, uuid="5", first_start=company.live), clock)
    for name in COLLECTIONS:
        source = SimulatedSource(name=name, company=company, now=clock.now)
        polling = Polling(NAME, source, store, store, clock, lambda: None)
        while polling.step():
            pass
    folding = Folding(ledger=store, flow=Flow(tenant=tenant), clock=clock, options=FoldingOptions(host_id=NAME))
    while folding.step():
        pass
    store.close()
    return tenant
