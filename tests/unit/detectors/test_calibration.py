"""What a p-value is at its ends; that it keeps its promise on average is shown in tests/statistics."""

import numpy as np
import pytest

from detectors import calibration as c
from tests.statistics.test_calibration import far


@pytest.mark.parametrize("size", [2, 30, c.FEW - 1, c.FEW, 1001])
def test_stranger_than_all_is_the_smallest_p(size: int) -> None:
    """`smallest` is what a number far outside gets, for every size."""
    history = np.random.default_rng(13).uniform(2, 4, size)

    assert c.p_value(history, 400.0, far) == c.smallest(size)


def test_a_score_that_says_nothing_finds_nothing() -> None:
    """Ties count against the claim: a constant score gives p = 1."""
    history = np.arange(100.0)

    assert c.p_value(history, 1e9, lambda _, new: np.zeros(new.size)) == 1.0
