"""When scheduled actions are due: `nextcall` steps by the interval; from a day on it keeps the hour on the wall."""

from exporter.domain.times import SECOND
from exporter.sources.simulator.cast import DAYS, HOURS, MINUTES, Action
from exporter.sources.simulator.rhythm import day_of, wall_clock

_WEEK = 7


def is_daily(action: Action) -> bool:
    """Whether the action runs daily or weekly."""
    return action.step >= DAYS


def due(action: Action, zone: str, day: int) -> list[int]:
    """The times at which the action is due on a local day."""
    begin, end = wall_clock(zone, day), wall_clock(zone, day + 1)
    if is_daily(action):
        return [wall_clock(zone, day, action.time)] if _on(action, day) else []
    first = next_due(action, zone, begin - 1)
    return list(range(first, end, action.step * SECOND))


def next_due(action: Action, zone: str, at: int) -> int:
    """The first time the action is due after a moment."""
    if not is_daily(action):
        step = action.step * SECOND
        return at - (at - _offset(action)) % step + step
    day = day_of(zone, at)
    while not _on(action, day) or wall_clock(zone, day, action.time) <= at:
        day += 1
    return wall_clock(zone, day, action.time)


def last_due(action: Action, zone: str, at: int) -> int:
    """The last time the action was due before a moment."""
    if not is_daily(action):
        step = action.step * SECOND
        before = at - 1
        return before - (before - _offset(action)) % step
    day = day_of(zone, at)
    while not _on(action, day) or wall_clock(zone, day, action.time) >= at:
        day -= 1
    return wall_clock(zone, day, action.time)


def interval(action: Action) -> tuple[int, str]:
    """interval_number and interval_type as Odoo writes them."""
    for seconds, kind in ((_WEEK * DAYS, "weeks"), (DAYS, "days"), (HOURS, "hours")):
        if action.step % seconds == 0:
            return action.step // seconds, kind
    return action.step // MINUTES, "minutes"


def _offset(action: Action) -> int:
    """Actions were installed at different seconds, so they do not fall due together."""
    return action.id * 17 % min(action.step, 300) * SECOND


def _on(action: Action, day: int) -> bool:
    return action.step == DAYS or day % _WEEK == 1  # ordinal 1 is a Monday
