"""When a Finding opens, goes on and closes."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

import numpy as np
import pytest

from detectors import decide as d
from detectors.decide import Change, Over, Seen
from detectors.outliers import Numbers, Score, scores
from detectors.series import Number
from tests.fakes.watched import numbers, ordinary

SECOND, MINUTE = 1.0, 60.0


def changes(found: Sequence[Number], floor: float = SECOND, score: Score = scores) -> list[Change]:
    """What is told of the numbers."""
    return [change for _, change in d.replay(found, floor, score) if change]


def constant(history: Numbers, new: Numbers) -> Numbers:
    """A score that says nothing."""
    return np.zeros(history.size if new is history else new.size)


def test_a_run_of_12_s_after_100_of_2_to_4_is_one_finding() -> None:
    """It names duration and band, and p is the smallest there is (features 9, 44)."""
    (seen,) = changes(numbers([*ordinary(), 12.0]))

    assert isinstance(seen, Seen)
    assert (seen.number.seconds, seen.verdict.usual.count, seen.verdict.p) == (12.0, 100, 1 / 101)
    assert 2 <= seen.verdict.usual.low < seen.verdict.usual.high <= 4


def test_without_pyod_there_is_none() -> None:
    """Size alone is no evidence: scores that say nothing find nothing (negative control)."""
    assert changes(numbers([*ordinary(), 12.0]), score=constant) == []


def test_a_finding_is_seen_again_and_closes_after_three_ordinary_runs() -> None:
    """One claim with all its Runs; it closes at the third ordinary one, not before."""
    told = changes(numbers([*ordinary(), 12.0, 3.0, 14.0, 13.0, 3.0, 3.0, 2.9, 3.1]))

    assert [type(one) for one in told] == [Seen, Seen, Seen, Over]
    assert [one.claim.first.run for one in told] == ["cron/7#100"] * 4
    assert isinstance(told[2], Seen)
    assert told[2].claim.examples == ("cron/7#102", "cron/7#103")
    assert isinstance(told[3], Over)
    assert told[3].at == numbers([0.0], start=106)[0].at


@pytest.mark.parametrize(("history", "seconds"), [(ordinary(29), 400.0), ([0.0, 1.0] * 50, 2.0)])
def test_too_little_and_too_small_are_silent(history: list[float], seconds: float) -> None:
    """Fewer than 30 Runs judge nothing; 2 s beside 0 s and 1 s are rounding, as Odoo shows whole seconds."""
    assert changes(numbers([*history, seconds])) == []


def test_a_day_is_too_short() -> None:
    """Many Runs of less than two days judge nothing: rates came out five times too high on short histories."""
    hourly, minutely = numbers([*ordinary(), 12.0]), numbers([*ordinary(), 12.0], apart=timedelta(minutes=5))

    assert (len(changes(hourly)), len(changes(minutely))) == (1, 0)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_silent(seed: int) -> None:
    """Uniform noise opens no more than alpha allows; in truth nothing, because it is not large either."""
    rng = Random(seed)

    assert changes(numbers([rng.uniform(2, 4) for _ in range(600)])) == []


@pytest.mark.parametrize("seed", range(3))
def test_two_modes_are_ordinary(seed: int) -> None:
    """Now 3 s and every tenth time 60 s: that is how it is."""
    rng = Random(seed)
    found = [rng.uniform(2, 4) if rng.random() < 0.9 else rng.uniform(55, 65) for _ in range(600)]

    assert len(changes(numbers(found))) == 0


def test_the_rare_is_learned() -> None:
    """What comes once in forty Runs is told at most a few times, not every time."""
    found = [60.0 + n % 7 if n % 40 == 39 else value for n, value in enumerate(ordinary(1200))]
    opened = [one for one in changes(numbers(found)) if isinstance(one, Seen) and one.is_new]

    assert len(opened) <= 3


def test_short_runs_hide_no_slow_one() -> None:
    """Runs that broke off after a moment are no reason to be silent about 12 s."""
    assert len(changes(numbers([*ordinary(50), 0.1, *ordinary(50, seed=2), 12.0]))) == 1


def test_one_very_slow_run_hides_no_incident() -> None:
    """After a run of 700 s, 12 s is not the strangest; three in a row are told nevertheless, the second is not."""
    before = [*ordinary(), 700.0, *ordinary(150, seed=2)]
    told = changes(numbers([*before, 12.0, 12.1, 12.2]))

    assert [one.claim.first.run for one in told if isinstance(one, Seen)] == ["cron/7#100", f"cron/7#{len(before) + 2}"]


def test_a_long_incident_is_told_a_few_times() -> None:
    """Beyond 20 examples it only stays open, and closes as any other."""
    told = changes(numbers([*ordinary(), *[12.0] * 30, 3.0, 3.0, 3.0]))

    assert (len(told), type(told[-1])) == (22, Over)
    assert isinstance(told[-2], Seen)
    assert len(told[-2].claim.examples) == d.EXAMPLES


def test_history_opens_nothing() -> None:
    """500 slow Runs before the first start notify nobody; the first live one does (decision 6)."""
    past = numbers([*ordinary(), *[12.0] * 8], live=False)
    told = changes([*past, *numbers([12.0], start=108)])

    assert [one.claim.first.run for one in told] == ["cron/7#108"]


def test_an_incident_is_not_learned() -> None:
    """After eight slow Runs in a row the ninth is as strange as the first."""
    told = changes(numbers([*ordinary(), *[12.0] * 9]))

    assert [one.verdict.usual.count for one in told if isinstance(one, Seen)] == [100] * 9


def test_what_lasts_is_the_new_ordinary() -> None:
    """Slow over a day and 16 Runs: the Finding closes and says why; what comes then is judged beside that."""
    told = changes(numbers([*ordinary(), *[12.0 + n % 5 / 10 for n in range(120)]]))

    assert isinstance(told[-1], Over)
    assert "new ordinary" in told[-1].reason
    assert sum(isinstance(one, Over) for one in told) == 1


@pytest.mark.parametrize("apart", [timedelta(hours=1), timedelta(hours=8), timedelta(days=1)])
@pytest.mark.parametrize(("before", "after"), [(3.0, 30.0), (30.0, 3.0)])
def test_after_a_shift_it_is_judged_beside_what_is_now(before: float, after: float, apart: timedelta) -> None:
    """Slower or faster for good: 40 days and 100 Runs later four times as long as now is a Finding (feature 69)."""
    rng = Random(7)
    old = [before * rng.uniform(0.8, 1.2) for _ in range(2500)]
    new = [after * rng.uniform(0.8, 1.2) for _ in range(max(100, timedelta(days=40) // apart))]
    told = changes(numbers([*old, *new, 4 * after], apart=apart))
    (last,) = [one for one in told if one.claim.first.run == f"cron/7#{len(old) + len(new)}"]

    assert isinstance(last, Seen)
    assert after * 0.9 < last.verdict.usual.median < after * 1.1
    assert len([one for one in told if isinstance(one, Seen) and one.is_new]) == (2 if after > before else 1)


def test_what_grows_slowly_is_learned() -> None:
    """From 3 s to 12 s within four months: never told; 40 s then is (feature 69)."""
    rng = Random(5)
    grown = [3.0 * 4 ** (n / 3000) * rng.uniform(0.8, 1.2) for n in range(3000)]
    told = changes(numbers([*grown, 40.0], apart=timedelta(hours=1)))

    assert [one.claim.first.run for one in told] == ["cron/7#3000"]


def test_what_is_learned_is_bounded() -> None:
    """A month where numbers are many, 2,000 where they are more, 100 where they are few (feature 69)."""
    kept = []
    for apart in (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)):
        last = list(d.replay(numbers(ordinary(2200), apart=apart), SECOND, scores))[-1]
        kept.append(len(last[0].learned))

    assert kept == [d.KEPT, 35 * 24 + 1, d.ENOUGH]


def test_delays_of_less_than_a_minute_are_the_schedulers_own() -> None:
    """Odoo looks once a minute: 90 s beside 1 to 60 s is no news, 10 min is."""
    waits = [1.0 + n * 37 % 59 for n in range(100)]

    assert changes(numbers([*waits, 90.0]), MINUTE) == []
    assert len(changes(numbers([*waits, 600.0]), MINUTE)) == 1


def test_a_claim_is_told_in_order() -> None:
    """Runs that ended in one instant are told one after the other, so that closing comes last."""
    found = numbers([*ordinary(), 12.0, 12.5, 3.0, 3.0, 3.0])
    at = found[100].at
    same = [*found[:100], *(Number(at=at, run=one.run, seconds=one.seconds) for one in found[100:])]
    told = changes(same)
    times = [one.at if isinstance(one, Over) else one.claim.told_at for one in told]

    assert len(told) == 3
    assert times == sorted(set(times))


def test_alpha_keeps_the_number_of_runs_in_mind() -> None:
    """Weekly, one in a hundred; every minute, as strange as can be said."""
    weekly, often = (np.array([(n * apart, 1.0) for n in range(1000)]) for apart in (604_800.0, 60.0))

    assert d.alpha(weekly) == d.ALPHA
    assert d.alpha(often) == 1 / 876
