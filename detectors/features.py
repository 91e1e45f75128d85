"""What is ordinary in a series, in seconds, and how much more than that is worth a word. Pure numpy."""

from dataclasses import dataclass

import numpy as np

from detectors.outliers import Numbers

SHORTEST = 0.1  # seconds: below it, times differ by noise, and the logarithm of 0 is not needed
BAND = (0.05, 0.95)
TWICE = 2.0  # medians
BEYOND = 1.2  # times the band's upper end


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was learned from a history.

    Attributes:
        count: from how many Runs; median, low, high: seconds, the band from the 5th to the 95th of a hundred.
        precision: 1 s where Odoo shows whole seconds only, else 0.
    """

    count: int
    median: float
    low: float
    high: float
    precision: float


def logs(seconds: Numbers) -> Numbers:
    """Logarithms of durations: twice as long is as far, whatever the length."""
    found: Numbers = np.log(np.maximum(seconds, SHORTEST))
    return found


def baseline(seconds: Numbers) -> Baseline:
    """The Baseline of at least one number, in any order."""
    ordered = np.sort(seconds)  # by hand: np.quantile takes five times as long
    last = ordered.size - 1
    low, high = (float(ordered[round(part * last)]) for part in BAND)
    return Baseline(
        count=ordered.size,
        median=float(ordered[last // 2] + ordered[(last + 1) // 2]) / 2,
        low=low,
        high=high,
        precision=0.0 if np.any(ordered % 1.0) else 1.0,
    )


def may_be_large(seconds: float, learned: Numbers, floor: float) -> bool:
    """Whether `is_large` need be asked, which costs more: above the floor, and twice half of what was learned."""
    return seconds >= floor and 2 * int(np.count_nonzero(learned <= seconds / TWICE)) >= learned.size - 1


def is_large(seconds: float, usual: Baseline, floor: float) -> bool:
    """Whether a number is so much above the ordinary that somebody should be told.

    At least twice the median and 1.2 times the band's upper end, and above that end by `floor` seconds; by a second
    more where only whole seconds are known: 0 s and 1 s may be the same.
    """
    above = usual.high + floor + usual.precision
    return seconds >= above and seconds >= TWICE * usual.median and seconds >= BEYOND * usual.high


def ratio(seconds: float, usual: Baseline) -> float | None:
    """How many medians; None where the median is nothing."""
    return seconds / usual.median if usual.median > 0 else None
