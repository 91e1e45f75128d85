"""One tenant as the detectors see it: every series with its standing, and the Events a round brings about.

All of it is rebuilt from the store at a start: nothing is kept on disk, and the keys of Events make repeats harmless.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

import msgspec

from detectors import claims
from detectors.claims import About
from detectors.decide import Change, Standing, is_judged, replay
from detectors.outliers import Numbers, Score
from detectors.series import DETECTORS, Reading, Series, series
from exporter.domain.bodies import DetectorsBeat, Learned
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.store.reading import SqliteReader

_decode_run = msgspec.json.Decoder(Run).decode
_AFTER = timedelta(microseconds=1)


@dataclass(slots=True)
class _Watch:
    reading: Reading
    series: Series | None
    standing: Standing = field(default_factory=Standing)

    def judged(self) -> bool:
        newest = self.reading.newest
        return newest is not None and is_judged(self.standing, newest[0])


def _learned(watches: Sequence[_Watch]) -> tuple[Learned, ...]:
    """How many numbers each detector holds for ordinary, and when the newest of them came."""
    found: dict[str, list[Numbers]] = {}
    for watch in watches:
        if watch.series and len(watch.standing.learned):
            found.setdefault(watch.series.detector, []).append(watch.standing.learned)
    return tuple(
        Learned(
            detector=detector,
            samples=sum(map(len, numbers)),
            newest=datetime.fromtimestamp(max(float(one[-1, 0]) for one in numbers), UTC),
        )
        for detector, numbers in sorted(found.items())
    )


@dataclass(slots=True)
class Watching:
    """One tenant.

    Attributes:
        score: how unusual numbers are beside a history (outliers.scores).
        stopping: when set, a round ends where it is.
        rows: how many numbers were read so far, of every series.
    """

    tenant: str
    reader: SqliteReader
    score: Score
    stopping: Flag
    rows: int = 0
    _watches: dict[str, _Watch] = field(default_factory=dict)

    def events(self, now: datetime) -> list[Event]:
        """What came to light since the last call; at the first one, everything that is still to be seen."""
        is_first = not self._watches
        known = self.reader.tenant(self.tenant)
        first_start = known.first_start if known else None
        found: list[Event] = []
        for name in self.reader.series(self.tenant):
            if self.stopping.is_set():
                break  # at a start there may be seconds of work; another start does it again
            watch = self._watches.get(name)
            if watch is None:
                watch = self._watches[name] = _Watch(Reading(self.tenant, name), series(name))
            found += self._told(watch, self._changes(watch, first_start), now)
        return [*found, *self._lost(now)] if is_first else found

    def beat(self, seconds: float) -> DetectorsBeat:
        """How many series are looked at, and of how many enough is known to judge them."""
        ours = [watch for watch in self._watches.values() if watch.series]
        judged = sum(watch.judged() for watch in ours)
        return DetectorsBeat(series=len(ours), judged=judged, seconds=seconds, learned=_learned(ours))

    def _changes(self, watch: _Watch, first_start: datetime | None) -> list[Change]:
        before = watch.reading.newest
        numbers = watch.reading.fresh(self.reader, first_start)
        self.rows += len(numbers)
        if before and numbers and (numbers[0].at, numbers[0].run) < before:  # one came late: the story begins anew
            watch.standing = Standing()
            numbers = watch.reading.whole(self.reader, first_start)
        if watch.series is None:
            return []
        changes = []
        for watch.standing, change in replay(numbers, watch.series.floor, self.score, watch.standing):  # noqa: B020
            changes += [change] if change else []
        return changes

    def _told(self, watch: _Watch, changes: list[Change], now: datetime) -> Iterator[Event]:
        for change in changes:
            assert watch.series is not None  # noqa: S101 - others are not judged
            about = self._about(change.claim.first.run, watch.series.workflow)
            yield claims.event(watch.series, change, about, now)

    def _about(self, run: str, workflow: str) -> About:
        """What the first Run says; the workflow's label once the Run is gone."""
        for tenant, row in self.reader.trace(run):
            if (tenant, row.id) == (self.tenant, run):
                known = _decode_run(row.body)
                name = known.title if known.kind == "cron" else workflow
                return About(name=name, model=known.model, record_id=known.record_id)
        return About(name=workflow)

    def _lost(self, now: datetime) -> Iterator[Event]:
        """Findings that the store holds open and that no series claims any more."""
        claimed = {
            (w.series.detector, w.series.workflow) for w in self._watches.values() if w.series and w.standing.claim
        }
        newest = [watch.reading.newest[0] for watch in self._watches.values() if watch.reading.newest]
        for kind, workflow, state, _, since in self.reader.open_runs(self.tenant):
            if kind == "finding" and state in DETECTORS.values() and (state, workflow) not in claimed:
                yield claims.lost((state, workflow), since, max([since, *newest]) + _AFTER, now)
