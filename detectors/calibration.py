"""From a score to a p-value that holds whatever the distribution: conformal prediction.

For numbers of which no order is likelier than another (exchangeable), P(p <= a) <= a:
    split:       a part of the history fits, the n values of the other part calibrate,
                 p = (1 + #{i: score(v_i) >= score(x)}) / (n + 1)
                 (Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005; Papadopoulos et al., 2002).
    jackknife+:  each of the n values is scored by a fit without it, and x by the same fit,
                 p = (1 + #{i: score_-i(v_i) >= score_-i(x)}) / (n + 1)
                 (Barber, Candes, Ramdas, Tibshirani, Annals of Statistics 49, 2021: P(p <= a) <= 2a, in practice a).
Split is one fit, but needs values for it; so jackknife+ is taken where values are few.
"""

import math

import numpy as np

from detectors.outliers import Numbers, Score

FEW = 200
PART = 8  # every eighth value fits: ten bins need no more, and the smallest p wants many that calibrate


def p_value(history: Numbers, new: float, score: Score) -> float:
    """How rarely so strange a number comes among numbers like the history's (time order); in (0, 1]."""
    return (jackknife if history.size < FEW else split)(history, new, score)


def smallest(count: int) -> float:
    """The p of something stranger than all of so many values."""
    return 1 / ((count if count < FEW else count - math.ceil(count / PART)) + 1)


def split(history: Numbers, new: float, score: Score) -> float:
    """Split conformal; every PARTth value fits, so that a drift is in both parts."""
    fits = np.arange(history.size) % PART == 0
    found = score(history[fits], np.append(history[~fits], new))
    return _rank(found[:-1], found[-1:])


def jackknife(history: Numbers, new: float, score: Score) -> float:
    """Jackknife+; one fit a value."""
    every = [score(np.delete(history, i), np.array([value, new])) for i, value in enumerate(history)]
    found = np.array(every)
    return _rank(found[:, 0], found[:, 1])


def _rank(ordinary: Numbers, strange: Numbers) -> float:
    return float(1 + np.count_nonzero(ordinary >= strange)) / (ordinary.size + 1)
