"""The week of the company: quiet nights, busy Mondays, the end of the month. Days are local; times microseconds."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

from exporter.domain.times import SECOND, from_micros, micros
from exporter.sources.simulator.facts import HOUR, micro

OPENS, CLOSES = 8, 18
_FRIDAY = 4
_MONTH_END_DAYS = 3
_NIGHT = (0.02,) * 6
_MORNING = (0.1, 0.4, 0.9, 1.2, 1.4, 1.2)
_AFTERNOON = (0.7, 1.0, 1.3, 1.2, 1.0, 0.7)
_EVENING = (0.3, 0.15, 0.08, 0.05, 0.03, 0.02)
HOURS = _NIGHT + _MORNING + _AFTERNOON + _EVENING


@lru_cache(maxsize=1024)
def wall_clock(zone: str, day: int, seconds: int = 0) -> int:
    """The moment at which the clocks on the wall show so many seconds after midnight of a day (its ordinal)."""
    shown = datetime.fromordinal(day) + timedelta(seconds=seconds)
    return micros(shown.replace(tzinfo=ZoneInfo(zone)))


def day_of(zone: str, at: int) -> int:
    """The ordinal of the local day."""
    return from_micros(at).astimezone(ZoneInfo(zone)).toordinal()


def is_workday(day: int) -> bool:
    """Monday to Friday."""
    return date.fromordinal(day).weekday() <= _FRIDAY


@lru_cache(maxsize=1024)
def weight(day: int) -> float:
    """How busy a day is beside a Tuesday in the middle of the month."""
    if not is_workday(day):
        return 0.06
    monday = 1.4 if date.fromordinal(day).weekday() == 0 else 1.0
    closing = date.fromordinal(day + _MONTH_END_DAYS).month != date.fromordinal(day).month
    return monday * (1.7 if closing else 1.0)


def load(zone: str, at: int) -> float:
    """How busy a moment is: about 1 in business hours, 0.02 at night."""
    local = from_micros(at).astimezone(ZoneInfo(zone))
    return HOURS[local.hour] * weight(local.toordinal())


def arrivals(rng: Random, zone: str, day: int, per_day: float) -> list[int]:
    """The moments at which something happens that happens `per_day` times on an ordinary workday."""
    scale = per_day * weight(day) / sum(HOURS)
    found: list[int] = []
    for hour, share in enumerate(HOURS):
        begin = wall_clock(zone, day, hour * 3600)
        found += [begin + micro(rng.random() * 3600) for _ in range(_poisson(rng, scale * share))]
    return sorted(found)


def _poisson(rng: Random, mean: float) -> int:
    count, left = -1, mean
    while left >= 0:
        left -= rng.expovariate(1.0)
        count += 1
    return count


def after_work(zone: str, at: int, seconds: float) -> int:
    """The moment at which somebody has spent so many working seconds since `at`."""
    left = micro(seconds)
    day = day_of(zone, at)
    while True:
        opens, closes = (wall_clock(zone, day, hour * 3600) for hour in (OPENS, CLOSES))
        begin = max(at, opens)
        if is_workday(day) and begin + left < closes:
            return begin + left
        left -= max(closes - begin, 0) if is_workday(day) else 0
        day += 1


def workday_before(zone: str, at: int, back: int) -> int:
    """The ordinal of the workday `back` workdays before the day of `at`."""
    day = day_of(zone, at)
    while back:
        day -= 1
        back -= is_workday(day)
    return day


def business_morning(now: datetime, zone: str = "Europe/Brussels", hour: int = 10) -> datetime:
    """The last workday morning that lies at least two hours behind: a good moment for a demo to go live."""
    latest = micros(now) - 2 * HOUR
    day = day_of(zone, latest)
    while not is_workday(day) or wall_clock(zone, day, hour * 3600) > latest:
        day -= 1
    return from_micros(wall_clock(zone, day, hour * 3600) // SECOND * SECOND)
