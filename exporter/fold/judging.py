"""At a mark: which declared limits of a Subject are broken, said as Events of Findings, and when to look again.

A Finding that a due Timer makes true is opened in the same Commit, with p absent (decision 17): these Events are folded
into the Finding's Subject at once and are never appended; another fold of the same facts makes them again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from exporter.domain.bodies import CronCounted, FindingClosed, FindingSeen
from exporter.domain.events import Event
from exporter.domain.sources import CRONS
from exporter.domain.times import EPOCH
from exporter.fold import limits, scheduler
from exporter.fold.cron_memory import streak_of
from exporter.fold.limits import SEVERITIES, Claim, Limits, Now
from exporter.fold.quiet import quiet_until
from exporter.fold.stating import STATERS, event_of, state
from exporter.fold.subjects import Cut, Flow, Subject

CLOSED: Mapping[str, str] = {
    "schedule.late": "It has begun, or is missed by now.",
    "schedule.missed": "It has begun.",
    "limit.stuck": "The run is over.",
    "result.failing": "It ran without failing.",
    "scheduler.silent": "Scheduled actions begin again.",
}
NOT_READ: Mapping[str, str] = dict.fromkeys(CLOSED, "Scheduled actions are not read any more.")


class Judged(Struct, frozen=True, kw_only=True, gc=False):
    """Claims that hold (detector -> sentence), what became or ceased to be true, and when to look again."""

    claims: dict[str, str]
    events: tuple[Event, ...] = ()
    again: datetime | None = None


def judge(subject: Subject, cut: Cut[Any], flow: Flow, at: datetime | None, *, silent: bool) -> Judged:
    """Judge at the mark `at`; without one, and before our first start, nothing is judged and what held holds."""
    first = flow.tenant.first_start
    if subject.kind in STATERS:
        return _stated(subject, cut, flow, at)
    if subject.kind not in {"cron", "scheduler"}:
        return Judged(claims=subject.claims)
    if at is None:
        return Judged(claims=subject.claims, again=EPOCH)  # at the next mark, whichever: a fact may have changed it
    if first is not None and at < first:
        return Judged(claims=subject.claims, again=first)
    if not flow.hears(CRONS):
        row = _newest(cut) if subject.kind == "cron" else None
        return _judged(subject, {}, None, (at, *_about(subject, row)), closed=NOT_READ)
    return _read(subject, cut, flow, at, silent=silent)


def _read(subject: Subject, cut: Cut[Any], flow: Flow, at: datetime, *, silent: bool) -> Judged:
    if subject.kind == "scheduler":
        return _scheduler(subject, cut, flow.usual, at)
    calm = None if subject.claims else _calm(cut, flow, at)
    return calm or _action(subject, cut, flow, at, silent=silent)


def _scheduler(subject: Subject, cut: Cut[Any], usual: Limits, at: datetime) -> Judged:
    _, held = _held(subject, usual, at)
    found = {name: claim for name, claim in scheduler.claims(cut.memory).items() if name not in held}
    return _judged(subject, found, scheduler.look_again(cut.memory, at, usual.late), (at, *_about(subject, None)))


def _stated(subject: Subject, cut: Cut[Any], flow: Flow, at: datetime | None) -> Judged:
    """What the kind itself claims."""
    told = STATERS[subject.kind].at
    at = (told(cut.memory) if told else None) or at
    if at is None:
        return Judged(claims=subject.claims, again=None if told else EPOCH)
    stated = state(subject, cut.memory, flow, at)
    return Judged(claims=stated.claims, events=stated.events, again=stated.quiet_until)


def _action(subject: Subject, cut: Cut[Any], flow: Flow, at: datetime, *, silent: bool) -> Judged:
    row = _newest(cut)
    declared = flow.limits_of(row)
    until, held = _held(subject, declared, at)
    streak = streak_of(cut.memory, flow)
    now = Now(
        at=at,
        row=row,
        open=cut.open,
        last_bad=cut.memory.failed if streak.failing else "",
        last_end=streak.ended_at,
        bad=streak.bad,
        good=streak.good,
        limits=declared,
        silent=silent,
        held=held,
    )
    moments = [one for one in (limits.look_again(now), until) if one is not None]
    return _judged(subject, limits.claims(now), min(moments, default=None), (at, *_about(subject, row)))


def _about(subject: Subject, row: CronCounted | None) -> tuple[str, str, str]:
    """Label, id and name of an action, or of the scheduler."""
    if subject.kind == "scheduler":
        return "scheduler", "", "The scheduler"
    label = (row.xmlid or str(row.cron_id)) if row else subject.key
    return label, str(row.cron_id) if row else "", row.name if row else label


def _held(subject: Subject, declared: Limits, at: datetime) -> tuple[datetime | None, frozenset[str]]:
    """Until when it is quiet, and what is not opened so long: everything that is not open."""
    until = quiet_until(declared.quiet, at)
    return until, frozenset(SEVERITIES.keys() - subject.claims.keys()) if until else frozenset()


def _calm(cut: Cut[Any], flow: Flow, at: datetime) -> Judged | None:
    """The common case, told apart cheaply: nothing runs, nothing went wrong, and nothing is due yet."""
    if cut.open is not None or streak_of(cut.memory, flow).failing:
        return None
    row = _newest(cut)
    if row is None or not row.active or row.nextcall is None:
        return Judged(claims={})
    due = row.nextcall + flow.limits_of(row).late
    return Judged(claims={}, again=due) if at < due else None


def _newest(cut: Cut[Any]) -> CronCounted | None:
    rows = (e.body for e in reversed(cut.facts))
    counted: CronCounted | None = cut.memory.counted
    return next((one for one in rows if isinstance(one, CronCounted)), counted) if cut.facts else counted


def _judged(
    subject: Subject,
    found: Mapping[str, Claim],
    again: datetime | None,
    about: tuple[datetime, str, str, str],
    *,
    closed: Mapping[str, str] = CLOSED,
) -> Judged:
    opened = [
        _seen(claim, about, known=claim.detector in subject.claims)
        for claim in found.values()
        if _is_new(subject, claim)
    ]
    gone = [_closed(detector, about, closed[detector]) for detector in subject.claims if detector not in found]
    return Judged(
        claims={detector: claim.sentence for detector, claim in found.items()}, events=(*gone, *opened), again=again
    )


def _is_new(subject: Subject, claim: Claim) -> bool:
    return subject.claims.get(claim.detector) != claim.sentence


def _seen(claim: Claim, about: tuple[datetime, str, str, str], *, known: bool) -> Event:
    at, label, record, name = about
    body = FindingSeen(
        detector=claim.detector,
        subject=label,
        severity=SEVERITIES[claim.detector],
        example=claim.example,
        since=claim.since,
        sentence=claim.sentence,
        name=name,
        model="ir.cron" if record else "",
        record_id=record,
    )
    word = "updated" if known else "opened"
    return event_of(f"finding.{word}", f"{claim.detector}/{label}/{word}/{at.isoformat()}", at, body)


def _closed(detector: str, about: tuple[datetime, str, str, str], reason: str) -> Event:
    at, label, _, _ = about
    body = FindingClosed(detector=detector, subject=label, reason=reason)
    return event_of("finding.closed", f"{detector}/{label}/closed/{at.isoformat()}", at, body)
