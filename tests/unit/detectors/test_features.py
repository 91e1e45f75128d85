"""What is ordinary and what is large."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.features import baseline, is_large, logs, may_be_large, ratio

SECONDS = st.lists(st.floats(0, 1e5, allow_nan=False), min_size=1, max_size=50)


def test_the_band_holds_nine_of_ten() -> None:
    """Median and band are numbers of the history."""
    usual = baseline(np.arange(101.0) + 0.5)

    assert (usual.count, usual.median, usual.low, usual.high) == (101, 50.5, 5.5, 95.5)


@given(SECONDS, st.randoms())
def test_a_baseline_forgets_the_order(seconds: list[float], random: object) -> None:
    """It is a function of the set of numbers, and its parts are in order."""
    shuffled = sorted(seconds, key=lambda _: random.random())  # type: ignore[attr-defined]
    usual = baseline(np.array(seconds))

    assert baseline(np.array(shuffled)) == usual
    assert usual.low <= usual.median <= usual.high


@pytest.mark.parametrize(
    ("seconds", "history", "floor", "large"),
    [
        (12.0, [2.1, 3.0, 3.9], 1.0, True),
        (7.0, [2.1, 3.0, 5.9], 1.0, False),  # not 1.2 times the band's upper end
        (5.9, [2.1, 3.0, 3.9], 1.0, False),  # not twice the median
        (0.9, [0.1, 0.1, 0.2], 1.0, False),  # not a second more
        (2.0, [0.0, 0.0, 1.0], 1.0, False),  # whole seconds: may be one second
        (3.0, [0.0, 0.0, 1.0], 1.0, True),
        (90.0, [3.5, 30.0, 57.0], 60.0, False),  # a delay that the scheduler itself makes
        (120.0, [3.5, 30.0, 57.0], 60.0, True),
    ],
)
def test_large_is_worth_a_word(seconds: float, history: list[float], floor: float, *, large: bool) -> None:
    """Twice the median, beyond the band, by more than the floor and what rounding does."""
    assert is_large(seconds, baseline(np.array(history)), floor) is large


@given(SECONDS, st.floats(0, 1e6), st.sampled_from([1.0, 60.0]))
def test_the_cheap_question_loses_nothing(history: list[float], seconds: float, floor: float) -> None:
    """What is large also may be."""
    learned = np.array(history)

    assert may_be_large(seconds, learned, floor) or not is_large(seconds, baseline(learned), floor)


def test_nothing_has_a_logarithm() -> None:
    """0 s is as short as can be told; the median 0 has no ratio."""
    assert np.all(np.isfinite(logs(np.array([0.0, 1.0]))))
    assert ratio(3.0, baseline(np.zeros(3))) is None
