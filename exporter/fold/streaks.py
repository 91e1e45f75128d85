"""How often in a row an action ran badly, and whether it is failing by its limits: a fold over the results of its runs.

It opens after `failures` bad runs in a row and is over after `recoveries` good ones in a row. A run of which nobody
knows how it ended (`unknown`) says neither. A run from before our first start counts, but opens nothing.
"""

from datetime import datetime

from msgspec import Struct

from exporter.domain.runs import BAD, Result
from exporter.domain.times import EPOCH
from exporter.fold.limits import Limits


class Streak(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Where an action stands.

    Attributes:
        bad: how many runs in a row went wrong, of the newest such row.
        good: how many did not since then, counted while it is failing.
        failing: whether that is to be told; `ended_at`: when the newest bad run ended.
    """

    bad: int = 0
    good: int = 0
    failing: bool = False
    ended_at: datetime = EPOCH


WELL = Streak()


def after(streak: Streak, result: Result | None, ended_at: datetime, limits: Limits, *, live: bool) -> Streak:
    """Where it stands one run further."""
    if result in BAD:
        bad = 1 if streak.good else streak.bad + 1
        opens = live and bad >= limits.failures
        return Streak(bad=bad, failing=streak.failing or opens, ended_at=ended_at)
    if result == "unknown":
        return streak
    good = streak.good + 1
    if not streak.failing or good >= limits.recoveries:
        return WELL
    return Streak(bad=streak.bad, good=good, failing=True, ended_at=streak.ended_at)


def of_one(result: Result | None, ended_at: datetime, *, live: bool) -> Streak:
    """Where it stands when only its newest run is known: in a state that an earlier version saved."""
    return Streak(bad=1, failing=live, ended_at=ended_at) if result in BAD else WELL
