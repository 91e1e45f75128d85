"""The Events by which detectors say what they found; their keys are functions of the facts, so repeats are no news."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from detectors.decide import Change, Over, Seen
from detectors.features import ratio
from detectors.sentences import sentence
from detectors.series import Series
from exporter.domain.bodies import DetectorsBeat, FindingClosed, FindingSeen
from exporter.domain.events import Event

SOURCE = "detectors/findings"
SEVERITY = "warning"
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a Finding is about, as its first Run says: readable name, and the way to it in Odoo."""

    name: str
    model: str = ""
    record_id: str = ""


def event(series: Series, change: Change, about: About, now: datetime) -> Event:
    """The Event of a change; `at` is the time of the Run that made it, `now` when that was noticed."""
    begin = f"{series.detector}/{series.name}/{change.claim.first.run}"
    match change:
        case Seen():
            name = "finding.opened" if change.is_new else "finding.updated"
            key = f"{begin}/opened" if change.is_new else f"{begin}/updated/{change.number.run}"
            body = _seen(series, change, about)
            return Event(source=SOURCE, key=key, name=name, at=change.claim.told_at, seen=now, body=body)
        case Over():
            over = FindingClosed(detector=series.detector, subject=series.workflow, reason=change.reason)
            return Event(source=SOURCE, key=f"{begin}/closed", name="finding.closed", at=change.at, seen=now, body=over)
        case _:
            assert_never(change)


def lost(who: tuple[str, str], since: datetime, at: datetime, now: datetime) -> Event:
    """The end of an open Finding (detector, subject) of which, after a restart, nothing is to be seen any more."""
    detector, subject = who
    reason = "not seen any more after a restart of the detectors"
    body = FindingClosed(detector=detector, subject=subject, reason=reason)
    key = f"{detector}/{subject}/since/{since.isoformat()}/closed"
    return Event(source=SOURCE, key=key, name="finding.closed", at=at, seen=now, body=body)


def beat(body: DetectorsBeat, now: datetime) -> Event:
    """The heartbeat of a round; one a minute is kept."""
    key = f"judged/{now:%Y-%m-%dT%H:%M}"
    return Event(source=SOURCE, key=key, name="detectors.series.judged", at=now, seen=now, body=body)


def _seen(series: Series, seen: Seen, about: About) -> FindingSeen:
    usual, seconds = seen.verdict.usual, seen.number.seconds
    times = ratio(seconds, usual)
    first = seen.claim.first  # the sentence stays: a label that changes would be another alert
    return FindingSeen(
        detector=series.detector,
        subject=series.workflow,
        severity=SEVERITY,
        example=first.run,
        since=first.at,
        sentence=sentence(about.name, first.seconds, seen.claim.usual, delay=series.is_delay),
        name=about.name,
        model=about.model,
        record_id=about.record_id,
        examples=seen.claim.examples,
        p=round(seen.verdict.p, _DIGITS),
        observed=seconds,
        low=usual.low,
        high=usual.high,
        ratio=None if times is None else round(times, _DIGITS),
        learned_from=usual.count,
    )
