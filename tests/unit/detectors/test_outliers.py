"""What PyOD's door promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import outliers
from tests.fakes.watched import ordinary

HISTORY = np.log(np.array(ordinary()))


def test_further_out_is_stranger() -> None:
    """PyOD alone gives everything outside the same score: 4.1 s like 400 s."""
    inside, near, far, farthest = outliers.scores(HISTORY, np.log(np.array([3.0, 4.5, 12.0, 400.0])))

    assert inside < near < far < farthest


def test_a_gap_between_two_modes_is_stranger_than_either() -> None:
    """It is a density: what never happened is strange, also in the middle."""
    history = np.concatenate([HISTORY, HISTORY[:40] + 3])
    low, gap, high = outliers.scores(history, np.array([HISTORY[0], HISTORY[0] + 1.5, HISTORY[0] + 3]))

    assert gap > max(low, high)


@given(st.permutations(range(30)))
def test_the_order_of_a_history_does_not_matter(order: list[int]) -> None:
    """The same numbers in another order score alike."""
    new = np.array([0.5, 1.0, 5.0])

    assert np.array_equal(outliers.scores(HISTORY[:30][order], new), outliers.scores(HISTORY[:30], new))


def test_short_is_not_strange() -> None:
    """A run that broke off at once is less strange than any long one (it hid slow runs in the demo)."""
    shortest, median = outliers.scores(HISTORY, np.array([np.log(0.1), np.median(HISTORY)]))

    assert shortest < median


def test_nonsense_is_refused() -> None:
    """No number is scored beside NaN."""
    with pytest.raises(ValueError, match="NaN"):
        outliers.scores(np.array([1.0, np.nan]), np.array([1.0]))
