"""A series replayed."""

from detectors.backtest import findings
from detectors.outliers import scores
from detectors.series import series
from tests.fakes.watched import DURATION, LABEL, numbers, ordinary


def test_it_says_which_findings_would_have_opened() -> None:
    """Since when, over how many Runs, until when; in any order of the numbers."""
    watched = series(DURATION)
    assert watched is not None
    found = numbers([*ordinary(), 12.0, 13.0, 3.0, 3.0, 3.0, 3.0, 90.0])
    first, second = findings(watched, reversed(found), scores)

    assert (first.detector, first.subject, first.since, first.runs) == ("outlier.duration", LABEL, found[100].at, 2)
    assert (first.until, second.since, second.until) == (found[104].at, found[106].at, None)
