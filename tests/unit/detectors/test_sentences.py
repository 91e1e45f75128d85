"""What a Finding says, as a table."""

import pytest

from detectors.features import Baseline
from detectors.sentences import sentence, took

USUAL = Baseline(count=100, median=2.9, low=2.1, high=3.9, precision=0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (12.0, "12.0 s"),
        (119.94, "119.9 s"),
        (119.96, "2 min 0 s"),
        (3599.7, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_units_that_matter(seconds: float, text: str) -> None:
    """One or two units, rounded once."""
    assert took(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "usual", "delay", "text"),
    [
        (
            12.0,
            USUAL,
            False,
            (
                "Base: Auto-vacuum took 12.0 s; usually 2.1 to 3.9 s (median 2.9 s, learned from 100 runs):"
                " 4.1 times the median."
            ),
        ),
        (
            300.0,
            USUAL,
            True,
            (
                "Base: Auto-vacuum started 5 min 0 s late; usually 2.1 to 3.9 s (median 2.9 s, learned from 100 runs):"
                " 103.4 times the median."
            ),
        ),
        (
            5.0,
            Baseline(count=31, median=0.0, low=0.0, high=1.0, precision=1.0),
            False,
            "Base: Auto-vacuum took 5.0 s; usually 0.0 to 1.0 s (median 0.0 s, learned from 31 runs).",
        ),
        (
            900.0,
            Baseline(count=40, median=100.0, low=100.0, high=130.0, precision=1.0),
            False,
            (
                "Base: Auto-vacuum took 15 min 0 s; usually 100.0 s to 2 min 10 s"
                " (median 100.0 s, learned from 40 runs): 9.0 times the median."
            ),
        ),
        (
            9.0,
            Baseline(count=40, median=3.0, low=3.0, high=3.0, precision=1.0),
            False,
            "Base: Auto-vacuum took 9.0 s; usually 3.0 s (median 3.0 s, learned from 40 runs): 3.0 times the median.",
        ),
    ],
)
def test_the_sentence(seconds: float, usual: Baseline, text: str, *, delay: bool) -> None:
    """What happened, the band, how much was learned, the ratio."""
    assert sentence("Base: Auto-vacuum", seconds, usual, delay=delay) == text
