"""A row version of the simulated Odoo, the seeded dice it is thrown with, and whole seconds as RPC shows them."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from exporter.domain.bodies import Body
from exporter.domain.times import SECOND, from_micros

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One version of one row; times are microseconds since 1970.

    Attributes:
        shown: when its transaction was committed: a poll that reads later sees it.
        gone: when a newer version was committed or the row was deleted; a poll that reads later does not see it.
        at: what the witness says of when it happened; None where the row does not say, so the time of reading counts.
        key: the Event key behind the epoch.
    """

    shown: int
    name: str
    key: str
    body: Body
    at: int | None = None
    gone: int | None = None


def dice(*what: object) -> Random:
    """The random numbers that belong to a seed and a thing: the same whenever and in whatever order they are asked."""
    return Random("/".join(map(str, what)))  # noqa: S311 - a simulation, not a secret


def second(us: int) -> datetime:
    """The whole second, as Odoo's RPC shows it."""
    return from_micros(us - us % SECOND)


def usual(rng: Random, median: float, sigma: float, cap: float) -> float:
    """A log-normal number around a median, never above `cap` medians."""
    return median * min(rng.lognormvariate(0.0, sigma), cap)


def micro(seconds: float) -> int:
    """Seconds as whole microseconds."""
    return round(seconds * SECOND)
