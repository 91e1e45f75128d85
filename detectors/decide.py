"""When a number becomes a Finding and when that is over: a pure function of a series' numbers in time order.

A Run is unusual when it is large (features.is_large) and p <= alpha. Alpha keeps the number of judged Runs in mind: by
p alone a series may claim BUDGET things a week that are not so, and never more than one in a hundred Runs. Where fewer
Runs were learned from than that needs, a Run must be stranger than all of them, which is the smallest p there is; but
INCIDENT Runs in a row need one in a hundred only, as by chance that is one in a million.

Numbers that were unusual alone are learned, or the rare would be told for ever; those of an incident are not, until
they last so long that they are the new ordinary (SHIFT in a row over a day). What was ordinary is forgotten: after
MONTH where numbers are many, else when ENOUGH newer ones came. So what became faster is judged beside what it is now.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from detectors.calibration import p_value, smallest
from detectors.features import Baseline, baseline, is_large, logs, may_be_large
from detectors.outliers import Numbers, Score
from detectors.series import Number

ALPHA = 0.01
BUDGET = 0.25  # false claims a series and week (facts/detection.md 5.5: a ticket)
LEAST, LONG_ENOUGH = 30, timedelta(days=2)  # below either, declared limits speak alone (facts/detection.md 5.7)
KEPT = 2_000  # numbers that are learned from, at most
MONTH = timedelta(days=35).total_seconds()  # the end of a month, which is slower in many companies, lies always in it
ENOUGH = 100  # for a p of one in a hundred
CALM = 3  # ordinary Runs in a row close a Finding
INCIDENT = 3  # unusual Runs in a row are one, and teach nothing
SHIFT, SHIFT_LASTS = 16, timedelta(hours=24)  # facts/detection.md 5.8
EXAMPLES = 20  # Runs a Finding names beside its first
_AFTER = timedelta(microseconds=1)
_WEEK = timedelta(weeks=1).total_seconds()
_AT, _SECONDS = 0, 1  # columns of what was learned
_NOTHING: Numbers = np.empty((0, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why a number is unusual."""

    p: float
    usual: Baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is open.

    Attributes:
        first: the number that opened it, `usual`: what was ordinary then.
        examples: the first EXAMPLES Runs seen since; later ones keep it open and are not told.
        told_at: when it was last told; `calm`: ordinary Runs since.
    """

    first: Number
    usual: Baseline
    examples: tuple[str, ...] = ()
    told_at: datetime
    calm: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """What is known of one series.

    Attributes:
        began: the time of the first number.
        learned: rows of (when, seconds since 1970; the number), newest last, never written to: those of the last MONTH,
            at least ENOUGH and at most KEPT.
        unusual: the latest numbers, as long as none was ordinary.
    """

    began: datetime | None = None
    learned: Numbers = field(default_factory=lambda: _NOTHING)
    unusual: tuple[Number, ...] = ()
    claim: Claim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A claim was opened (`number` is its first) or seen again, at a time later than anything told of it before."""

    claim: Claim
    number: Number
    verdict: Verdict

    @property
    def is_new(self) -> bool:
        """Whether it opens the claim."""
        return self.number == self.claim.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A claim no longer holds."""

    claim: Claim
    at: datetime
    reason: str


Change = Seen | Over


def is_judged(standing: Standing, at: datetime) -> bool:
    """Whether enough was learned to judge a number of that time."""
    long_enough = standing.began is not None and at - standing.began >= LONG_ENOUGH
    return long_enough and len(standing.learned) >= LEAST


def judge(standing: Standing, number: Number, floor: float, score: Score) -> Verdict | None:
    """Why a number is unusual, be it told alone or not; None when it is not, or when too little is known."""
    learned = standing.learned[:, _SECONDS]
    if not is_judged(standing, number.at) or not may_be_large(number.seconds, learned, floor):
        return None
    usual = baseline(learned)
    if not is_large(number.seconds, usual, floor):  # before p, because it is cheap
        return None
    p = p_value(logs(learned), float(logs(np.array([number.seconds]))[0]), score)
    return Verdict(p=p, usual=usual) if p <= max(ALPHA, smallest(usual.count)) else None


def alpha(learned: Numbers) -> float:
    """The largest p that is told of one Run alone, from how often the series has numbers."""
    lasted = float(learned[-1, _AT] - learned[0, _AT])
    a_week = len(learned) * _WEEK / max(lasted, 1.0)
    return max(smallest(len(learned)), min(ALPHA, BUDGET / a_week))


def step(standing: Standing, number: Number, floor: float, score: Score) -> tuple[Standing, Change | None]:
    """One number further, and what is to be told of it."""
    standing = standing if standing.began else replace(standing, began=number.at)
    verdict = judge(standing, number, floor, score)
    if verdict is None:
        return _ordinary(standing, number)
    unusual = (*standing.unusual, number)
    if len(unusual) >= SHIFT and number.at - unusual[0].at >= SHIFT_LASTS:
        return _shifted(standing.claim, unusual)
    standing = replace(standing, unusual=unusual)
    told = standing.claim is not None or len(unusual) >= INCIDENT or verdict.p <= alpha(standing.learned)
    return _told(standing, number, verdict) if number.live and told else (standing, None)


def replay(
    numbers: Iterable[Number], floor: float, score: Score, standing: Standing | None = None
) -> Iterator[tuple[Standing, Change | None]]:
    """`step` over numbers in time order."""
    now = standing or Standing()
    for number in numbers:
        now, change = step(now, number, floor, score)
        yield now, change


def _told(standing: Standing, number: Number, verdict: Verdict) -> tuple[Standing, Change | None]:
    before = standing.claim
    if before is None:
        claim = Claim(first=number, usual=verdict.usual, told_at=number.at)
    elif len(before.examples) < EXAMPLES:
        told_at = max(number.at, before.told_at + _AFTER)
        claim = replace(before, examples=(*before.examples, number.run), told_at=told_at, calm=0)
    else:
        return replace(standing, claim=replace(before, calm=0)), None
    return replace(standing, claim=claim), Seen(claim=claim, number=number, verdict=verdict)


def _ordinary(standing: Standing, number: Number) -> tuple[Standing, Change | None]:
    alone = standing.unusual if len(standing.unusual) < INCIDENT else ()
    standing = replace(standing, learned=_learned(standing.learned, (*alone, number)), unusual=())
    if standing.claim is None:
        return standing, None
    claim = replace(standing.claim, calm=standing.claim.calm + 1)
    if claim.calm < CALM:
        return replace(standing, claim=claim), None
    return replace(standing, claim=None), _over(claim, number, f"{CALM} ordinary runs in a row")


def _learned(before: Numbers, numbers: Iterable[Number]) -> Numbers:
    found: Numbers = np.concatenate([before, [(one.at.timestamp(), one.seconds) for one in numbers]])
    recent = int(np.count_nonzero(found[:, _AT] >= found[-1, _AT] - MONTH))
    return found[-min(max(recent, ENOUGH), KEPT) :]


def _shifted(claim: Claim | None, unusual: tuple[Number, ...]) -> tuple[Standing, Change | None]:
    standing = Standing(began=unusual[0].at, learned=_learned(_NOTHING, unusual))
    reason = f"{len(unusual)} runs in a row over a day: this is learned as the new ordinary"
    return standing, _over(claim, unusual[-1], reason) if claim else None


def _over(claim: Claim, number: Number, reason: str) -> Over:
    return Over(claim=claim, at=max(number.at, claim.told_at + _AFTER), reason=reason)
