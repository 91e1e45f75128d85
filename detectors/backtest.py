"""A series replayed: which Findings would have opened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from detectors.decide import Over, Seen, replay
from detectors.outliers import Score
from detectors.series import Number, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One Finding: over how many Runs it was seen, and when it ended (None: still open)."""

    detector: str
    subject: str
    since: datetime
    runs: int
    until: datetime | None = None


def findings(series: Series, numbers: Iterable[Number], score: Score) -> list[Found]:
    """The Findings of a series' numbers (any order), in time order."""
    found: list[Found] = []
    for _, change in replay(sorted(numbers), series.floor, score):
        if isinstance(change, Seen):
            found = found if change.is_new else found[:-1]
            found = [*found, _found(series, change, None)]
        elif isinstance(change, Over):
            found[-1] = _found(series, change, change.at)
    return found


def _found(series: Series, change: Seen | Over, until: datetime | None) -> Found:
    return Found(
        detector=series.detector,
        subject=series.workflow,
        since=change.claim.first.at,
        runs=1 + len(change.claim.examples),
        until=until,
    )
