"""Who refuses us is asked ever more seldom, until another key is there (feature 64)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from exporter.clock import StepClock
from exporter.domain.tenants import Tenant
from exporter.errors import SourceDown, SourceError, SourceRefused
from exporter.loops.refusals import LONGEST, Refusals
from exporter.loops.tenants import Connected, TenantPolling
from exporter.sources.polling import Poll
from tests.fakes.ledger import MemoryLedger
from tests.worlds import T0

TENANT = Tenant(name="lab", database="lab19", uuid="one", version="19.0")
EVERY, DAY = 15.0, 86_400


@dataclass(slots=True)
class Asked:
    """A Source that remembers when it was asked, and what trouble it has."""

    name: str
    clock: StepClock
    trouble: SourceError | None = None
    times: list[datetime] = field(default_factory=list)

    def poll(self, _marks: Mapping[str, str]) -> Poll:
        """See Source."""
        self.times.append(self.clock.now())
        if self.trouble:
            raise self.trouble
        return Poll(began_at=self.clock.now())


@dataclass(slots=True)
class World:
    """A database with three Sources, polled for as long as is wanted."""

    clock: StepClock = field(default_factory=lambda: StepClock(T0))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    refused: bool = False
    asked: int = 0
    sources: list[Asked] = field(init=False)
    loop: TenantPolling = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is asked yet."""
        self.sources = [Asked(name, self.clock) for name in ("odoo/crons", "odoo/jobs", "n8n/executions")]
        self.loop = TenantPolling(
            name="lab",
            connect=self.connect,
            known=lambda _tenant: None,
            appended=lambda: None,
            inbox=self.ledger,
            ledger=self.ledger,
            clock=self.clock,
            expected=("odoo/crons", "odoo/jobs", "n8n/executions"),
            seconds=EVERY,
            refusals=Refusals(EVERY),
        )

    def connect(self) -> Connected:
        """See TenantPolling."""
        self.asked += 1
        if self.refused:
            message = "Odoo refused the API key of monitor."
            raise SourceRefused(message)
        return Connected(tenant=TENANT, sources=self.sources)

    def run(self, seconds: float) -> None:
        """As the thread does it."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.loop.step()
            self.clock.step(max(self.loop.pause(), 0.001))

    def counts(self) -> list[int]:
        """How often each Source was asked since the last look."""
        found = [len(source.times) for source in self.sources]
        for source in self.sources:
            source.times.clear()
        return found


def test_a_key_that_is_refused_is_tried_ever_more_seldom() -> None:
    """After a day in which the database refused us it was asked some 150 times, not 5,760; then at once as before."""
    world = World(refused=True)
    world.run(DAY)
    assert 140 < world.asked < 160
    assert world.loop.refusals
    world.refused = False
    world.run(LONGEST)
    assert not world.loop.refusals
    world.counts()
    world.run(10 * EVERY)
    assert world.counts() == [10, 10, 10]


def test_whoever_refuses_one_source_is_left_alone_by_all_of_its_system() -> None:
    """The first of Odoo's Sources is refused: the other is not tried and as dark, n8n's goes on."""
    world = World()
    world.run(EVERY)
    world.counts()
    for source in world.sources[:2]:
        source.trouble = SourceRefused("Odoo refused the API key of monitor.")
    world.run(DAY)
    crons, jobs, executions = world.counts()
    assert crons + jobs < 160
    assert executions == DAY / EVERY
    dark = {source: report.error for (_, source), report in world.ledger.reports.items() if not report.ok}
    assert dark == dict.fromkeys(("odoo/crons", "odoo/jobs"), "Odoo refused the API key of monitor.")


@pytest.mark.parametrize("times", [1, 5])
def test_a_database_that_is_down_is_asked_as_often_as_ever(times: int) -> None:
    """No answer is no refusal: it may come back at any moment."""
    world = World()
    world.run(EVERY)
    world.counts()
    world.sources[0].trouble = SourceDown("Odoo did not answer.")
    world.run(times * EVERY)
    assert world.counts() == [times] * 3
