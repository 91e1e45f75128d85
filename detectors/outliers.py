"""The one door to PyOD: how unusually large numbers are beside a history, by the density of a histogram (HBOS).

HBOS gives every value outside its histogram the score of the emptiest bin, 4.1 like 400, and where no bin is empty that
is an ordinary score. So the distance from the histogram, in bins, is added: what lies further out is stranger. What is
below the median is not strange at all: a run that broke off after a second would hide every slow one.
PyOD is imported at the first call: it costs seconds and 150 MB, and quiet histories need none.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Score = Callable[[Numbers, Numbers], Numbers]

BINS = 10


def scores(history: Numbers, new: Numbers) -> Numbers:
    """How unusually large each new number is beside the history, higher is stranger; the same for the same numbers.

    Args:
        history: what is ordinary, one axis, at least two finite numbers, in any order.
        new: what to score, one axis, finite.

    Raises:
        ValueError: NaN or infinity in either.
    """
    from pyod.models.hbos import HBOS  # noqa: PLC0415 - see the module's docstring

    model = HBOS(n_bins=BINS).fit(history.reshape(-1, 1))
    density: Numbers = np.asarray(model.decision_function(new.reshape(-1, 1)), dtype=np.float64)
    edges = model.bin_edges_[:, 0]
    beyond = density + np.maximum(new - edges[-1], 0.0) / (edges[1] - edges[0])
    found: Numbers = np.where(new < np.median(history), -np.inf, beyond)
    return found
