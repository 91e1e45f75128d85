"""Series from the Reader: the numbers of each workflow in time order, and which of them may open a Finding."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LIMIT = 3_000  # numbers of a series that are looked at: two days of one a minute
OVERLAP = timedelta(hours=1)  # numbers of jobs come in the order they closed, not in that of their ends
DETECTORS: Mapping[str, str] = {"duration": "outlier.duration", "delay": "outlier.delay"}
# Seconds above the band that are worth a word. Odoo's scheduler looks once a minute: a delay below that is its own.
FLOORS: Mapping[str, float] = {"cron.duration": 1.0, "job.duration": 1.0, "cron.delay": 60.0, "job.delay": 60.0}


class Observed(Protocol):
    """A row of the Reader."""

    @property
    def run(self) -> str:
        """Id of the Run."""

    @property
    def at(self) -> datetime:
        """When the Run ended."""

    @property
    def value(self) -> float:
        """Seconds."""


class Observations(Protocol):
    """What is asked of the Reader."""

    def observations(
        self, tenant: str, series: str, limit: int = 1000, after: tuple[datetime, str] | None = None
    ) -> Iterable[Observed]:
        """Numbers in time order: the newest `limit`, or the first behind `after`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What one series is about: `cron.duration/base.autovacuum_job`."""

    name: str
    detector: str
    workflow: str
    floor: float

    @property
    def is_delay(self) -> bool:
        """Whether its numbers are waits before the start."""
        return self.detector == DETECTORS["delay"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Number:
    """One number of one Run; they sort by time, then Run.

    Attributes:
        live: whether the Run ended after the tenant's first start; history teaches, and opens nothing.
    """

    at: datetime
    run: str
    seconds: float
    live: bool = True


def series(name: str) -> Series | None:
    """The series of a name; None where it is not one that is judged."""
    kind, _, workflow = name.partition("/")
    detector = DETECTORS.get(kind.partition(".")[2])
    if detector is None or kind not in FLOORS:
        return None
    return Series(name=name, detector=detector, workflow=workflow, floor=FLOORS[kind])


@dataclass(slots=True)
class Reading:
    """How far one series was read.

    Attributes:
        newest: the last number read, as (at, run).
        recent: the numbers of the last OVERLAP, which may still get neighbours.
    """

    tenant: str
    name: str
    newest: tuple[datetime, str] | None = None
    recent: frozenset[tuple[datetime, str]] = frozenset()

    def whole(self, reader: Observations, first_start: datetime | None) -> list[Number]:
        """The newest LIMIT numbers, in order."""
        found = _numbers(reader.observations(self.tenant, self.name, LIMIT), first_start)
        self.newest = None
        return self._noted(list(found), frozenset())

    def fresh(self, reader: Observations, first_start: datetime | None) -> list[Number]:
        """What was not read yet, in order; some of it may lie before what was."""
        if self.newest is None:
            return self.whole(reader, first_start)
        since = (self.newest[0] - OVERLAP, "")
        found = _numbers(reader.observations(self.tenant, self.name, LIMIT, since), first_start)
        return self._noted([one for one in found if (one.at, one.run) not in self.recent], self.recent)

    def _noted(self, fresh: list[Number], known: frozenset[tuple[datetime, str]]) -> list[Number]:
        if fresh:
            every = known | {(one.at, one.run) for one in fresh}
            self.newest = max(every | ({self.newest} if self.newest else set()))
            self.recent = frozenset(key for key in every if key[0] >= self.newest[0] - OVERLAP)
        return fresh


def _numbers(rows: Iterable[Observed], first_start: datetime | None) -> Iterator[Number]:
    for row in rows:
        live = first_start is not None and row.at >= first_start
        yield Number(at=row.at, run=row.run, seconds=row.value, live=live)
