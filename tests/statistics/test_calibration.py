"""p-values keep their promise on numbers of which no order is likelier than another."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import calibration as c
from detectors.outliers import Numbers, scores

SLACK = 3.5  # standard errors


def far(history: Numbers, new: Numbers) -> Numbers:
    """A cheap score: the distance from the median."""
    found: Numbers = np.abs(new - np.median(history))
    return found


def uniform(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Between 2 and 4."""
    return rng.uniform(2, 4, size)


def bimodal(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Around 1 or around 10."""
    return np.where(rng.random(size) < 0.5, 1.0, 10.0) * rng.lognormal(0, 0.1, size)


def heavy(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Now and then a hundred times as long."""
    return rng.pareto(1.0, size) + 0.1


@pytest.mark.parametrize("draw", [uniform, bimodal, heavy])
@pytest.mark.parametrize(("size", "trials"), [(40, 1500), (c.FEW, 1500)])
@pytest.mark.parametrize("level", [0.02, 0.05, 0.2])
def test_false_claims_are_as_rare_as_said(draw: object, size: int, trials: int, level: float) -> None:
    """P(p <= a) <= a, jackknife+ for 40 values, split for FEW, whatever the distribution."""
    rng = np.random.default_rng(11)
    assert callable(draw)
    samples = [draw(rng, size + 1) for _ in range(trials)]
    claimed = sum(c.p_value(sample[:-1], float(sample[-1]), far) <= level for sample in samples)

    assert claimed / trials <= level + SLACK * np.sqrt(level * (1 - level) / trials)


@pytest.mark.parametrize("size", [40, 400])
def test_with_pyod_too(size: int) -> None:
    """P(p <= 0.1) <= 0.1 with the score that is used, on logarithms of durations."""
    rng, level, trials = np.random.default_rng(12), 0.1, 100
    samples = [np.log(uniform(rng, size + 1)) for _ in range(trials)]
    claimed = sum(c.p_value(sample[:-1], float(sample[-1]), scores) <= level for sample in samples)

    assert claimed / trials <= level + SLACK * np.sqrt(level * (1 - level) / trials)
