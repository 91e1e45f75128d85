"""Runs of scheduled actions: each one a function of the seed, the action and the time it was due."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from random import Random

from exporter.domain.times import SECOND
from exporter.sources.simulator.cast import Action
from exporter.sources.simulator.facts import MINUTE, dice, micro
from exporter.sources.simulator.incidents import HELD, Span
from exporter.sources.simulator.rhythm import arrivals, load, wall_clock
from exporter.sources.simulator.schedule import due, last_due, next_due

SLOWEST = 2.0  # medians: no ordinary run takes longer
SLOW = 5.0  # medians: every run of a slow incident takes longer
_LOOPS = 10  # Odoo ends a run as partially done after ten batches that took ten seconds together
_BATCH = 100
_LOOKS = (0.3, 45.0)  # seconds until the scheduler, which looks once a minute, gets to it
_MIN_BATCH = 1.2
_BUSY = 0.8
_LEFT_OVER = 0.3  # of busy runs that may find more than one batch
_APART = 6 * MINUTE  # triggered runs keep away from other runs of the action


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One row of ir.cron.progress to be; `ended` is None when the process hangs for ever."""

    start: int
    ended: int | None
    done: int = 0
    remaining: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRun:
    """One run.

    Attributes:
        failures: failure_count after it; None when ir.cron is not written.
        failing_since: when the first of those failures began.
        wanted: when it was due; `asked_at`: when its trigger was created, if it had one.
        crashed_before: the run before it never ended.
    """

    batches: tuple[Batch, ...]
    failures: int | None = 0
    failing_since: int | None = None
    wanted: int
    asked_at: int | None = None
    crashed_before: bool = False

    @property
    def start(self) -> int:
        """When its first row was created."""
        return self.batches[0].start

    @property
    def partial(self) -> bool:
        """Whether Odoo reports it as partially done."""
        return self.batches[-1].remaining > 0


@dataclass(frozen=True, slots=True)
class Timetable:
    """One action in one company: seed, local zone, and what goes wrong with it."""

    seed: int
    zone: str
    action: Action
    spans: Sequence[Span] = ()

    def runs(self, day: int) -> list[CronRun]:
        """The runs that were due (or triggered) on a local day, in order of time."""
        found = [run for at in due(self.action, self.zone, day) for run in self._due(at)]
        return sorted([*found, *self._asked(day, [run.wanted for run in found])], key=lambda run: run.start)

    def start(self, at: int) -> int:
        """When the run that is due at a moment begins: the scheduler looks once a minute."""
        return at + micro(self._dice(at).uniform(*_LOOKS))

    def _dice(self, at: int, what: str = "run") -> Random:
        return dice(self.seed, what, self.action.id, at // SECOND)

    def _span(self, kind: str, at: int) -> Span | None:
        return next((span for span in self.spans if span.kind == kind and span.holds(at)), None)

    def _due(self, at: int) -> list[CronRun]:
        held = next((span for span in self.spans if span.kind in HELD and span.holds(at)), None)
        if held is None:
            return self._ordinary(at, self.start(at))
        found: list[CronRun] = []
        if held.kind == "cron_hung" and last_due(self.action, self.zone, at) < held.began:
            found.append(CronRun(batches=(Batch(start=self.start(at), ended=None),), failures=None, wanted=at))
        if held.ended is not None and next_due(self.action, self.zone, at) >= held.ended:
            found += self._resumed(at, held.ended, crashed=held.kind == "cron_hung")
        return found

    def _resumed(self, at: int, since: int, *, crashed: bool) -> list[CronRun]:
        start = since + micro(self._dice(at, "resumed").uniform(1, 60))
        ended = start + micro(self._seconds(at))
        return [CronRun(batches=(Batch(start=start, ended=ended),), wanted=at, crashed_before=crashed)]

    def _ordinary(self, at: int, start: int) -> list[CronRun]:
        rng = self._dice(at, "batches")
        if self.action.backlog and load(self.zone, at) > _BUSY and rng.random() < _LEFT_OVER:
            return self._backlog(rng, at, start)
        return self._single(at, start)

    def _single(self, at: int, start: int) -> list[CronRun]:
        failures, since = self._failures(at)
        batch = Batch(start=start, ended=start + micro(self._seconds(at)))
        return [CronRun(batches=(batch,), failures=failures, failing_since=since, wanted=at)]

    def _seconds(self, at: int) -> float:
        action, rng = self.action, self._dice(at, "seconds")
        factor = min(exp(rng.gauss(0.0, action.sigma)), SLOWEST)
        if self._span("cron_slow", at):
            return action.median * SLOW * rng.uniform(1.0, 1.3)
        return action.median * factor * (1 + load(self.zone, at) if action.loaded else 1.0)

    def _fails(self, at: int) -> bool:
        return bool(self._span("cron_failing", at)) or self._dice(at, "fails").random() < self.action.flaky

    def _failures(self, at: int) -> tuple[int, int | None]:
        """failure_count after the run due at a moment, and when the first of those runs began."""
        count, since, before = 0, None, at
        while self._fails(before):
            count, since = count + 1, self.start(before)
            before = last_due(self.action, self.zone, before)
        return count, since

    def _backlog(self, rng: Random, at: int, start: int) -> list[CronRun]:
        """More than one batch: loops, and beyond ten loops a partial run and another one a minute later."""
        left = rng.randint(2, 14)
        batches: list[Batch] = []
        for number in range(left):
            if number == _LOOPS:
                start += micro(rng.uniform(20, 60))
            ended = start + micro(max(self.action.median / 4, _MIN_BATCH) * rng.uniform(1, 1.5))
            batches.append(Batch(start=start, ended=ended, done=_BATCH, remaining=(left - number - 1) * _BATCH))
            start = ended + micro(0.004)
        first, rest = tuple(batches[:_LOOPS]), tuple(batches[_LOOPS:])
        return [CronRun(batches=first, wanted=at), *([CronRun(batches=rest, wanted=first[0].start)] if rest else [])]

    def _asked(self, day: int, planned: Sequence[int]) -> list[CronRun]:
        """Runs that somebody's work triggered, a few minutes ahead."""
        rng = dice(self.seed, "asked", self.action.id, day)
        taken = [*planned, wall_clock(self.zone, day + 1)]
        found = []
        for asked_at in arrivals(rng, self.zone, day, self.action.asked):
            wanted = asked_at + rng.randint(60, 600) * SECOND
            start = wanted + micro(rng.uniform(*_LOOKS))
            batch = Batch(start=start, ended=start + micro(self._seconds(wanted)))
            if all(abs(wanted - other) > _APART for other in taken):
                taken.append(wanted)
                found.append(CronRun(batches=(batch,), wanted=wanted, asked_at=asked_at))
        return found
