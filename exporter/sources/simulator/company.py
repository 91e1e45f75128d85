"""The simulated company: a pure function of its seed and its first day, generated day by day when somebody asks."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.domain.times import from_micros, micros
from exporter.sources.simulator import approvals, crons, jobs
from exporter.sources.simulator.facts import Fact
from exporter.sources.simulator.incidents import Incident, Scene, plan, spans
from exporter.sources.simulator.rhythm import day_of, wall_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What one Source reads: how the facts of a day come about, and for how many days they go on appearing."""

    facts: Callable[[Scene, int, int], list[Fact]]
    lasts: int


COLLECTIONS: Mapping[str, Collection] = {
    "odoo/crons": Collection(facts=crons.facts, lasts=2),
    "odoo/jobs": Collection(facts=jobs.facts, lasts=6),
    # Five decisions of up to 36 working hours, an absence and weekends: nothing takes longer.
    "odoo/approvals": Collection(facts=approvals.facts, lasts=24),
}


@dataclass(frozen=True, slots=True)
class _Day:
    """The facts of one day, sorted by when they become visible."""

    shown: list[int]
    facts: list[Fact]


@dataclass(slots=True, kw_only=True)
class Company:
    """A company that never existed, the same for the same seed.

    Attributes:
        seed: two companies of one seed and one `live` differ in nothing.
        live: where its history ends; the incidents lie around it (aware UTC).
        days: how many days of history lie before it.
        zone: where its clocks hang.
    """

    seed: int
    live: datetime
    days: int = 30
    zone: str = "Europe/Brussels"
    _kept: OrderedDict[tuple[str, int], _Day] = field(default_factory=OrderedDict, repr=False, compare=False)
    _planned: tuple[Incident, ...] | None = field(default=None, repr=False, compare=False)

    @property
    def first_day(self) -> int:
        """The ordinal of the first local day."""
        return day_of(self.zone, micros(self.live - timedelta(days=self.days)))

    @property
    def start(self) -> datetime:
        """When its history begins: midnight of the first day."""
        return from_micros(wall_clock(self.zone, self.first_day))

    def incidents(self) -> tuple[Incident, ...]:
        """What goes wrong: labels for detectors, true in the facts."""
        if self._planned is None:
            self._planned = plan(self.seed, self.zone, self.start, self.live)
        return self._planned

    def facts(self, source: str, after: int, until: int) -> list[Fact]:
        """Facts of a Source that become visible in (after, until], microseconds, in order of time."""
        first = day_of(self.zone, after) - COLLECTIONS[source].lasts + 1
        found: list[Fact] = []
        for day in range(max(first, self.first_day), day_of(self.zone, until) + 1):
            one = self._day(source, day)
            found += one.facts[bisect_right(one.shown, after) : bisect_right(one.shown, until)]
        return sorted(found, key=lambda fact: (fact.shown, fact.key))

    def _scene(self) -> Scene:
        return Scene(seed=self.seed, zone=self.zone, spans=spans(self.incidents()))

    def _day(self, source: str, day: int) -> _Day:
        known = self._kept.get((source, day))
        if known is None:
            known = self._kept[source, day] = self._generate(source, day)
            self._forget(source, day)
        return known

    def _generate(self, source: str, day: int) -> _Day:
        making = COLLECTIONS[source].facts
        found = making(self._scene(), day - self.first_day, day)
        found.sort(key=lambda fact: (fact.shown, fact.key))
        return _Day([fact.shown for fact in found], found)

    def _forget(self, source: str, day: int) -> None:
        """Days from which nothing can appear any more."""
        for kept in [key for key in self._kept if key[0] == source and key[1] < day - COLLECTIONS[source].lasts - 1]:
            del self._kept[kept]
