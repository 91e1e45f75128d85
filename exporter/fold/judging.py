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
from exporter.domain.runs import BAD
from exporter.domain.times import EPOCH
from exporter.fold import limits, scheduler
from exporter.fold.limits import SEVERITIES, Claim, Now
from exporter.fold.subjects import Cut, Flow, Subject

SOURCE = "fold"
CLOSED: Mapping[str, str] = {
    "schedule.late": "It has begun, or is missed by now.",
    "schedule.missed": "It has begun.",
    "limit.stuck": "The run is over.",
    "result.failing": "It ran without failing.",
    "scheduler.silent": "Scheduled actions begin again.",
}


class Judged(Struct, frozen=True, kw_only=True, gc=False):
    """Claims that hold (detector -> sentence), what became or ceased to be true, and when to look again."""

    claims: dict[str, str]
    events: tuple[Event, ...] = ()
    again: datetime | None = None


def judge(subject: Subject, cut: Cut[Any], flow: Flow, at: datetime | None, *, silent: bool) -> Judged:
    """Judge at the mark `at`; without one, and before our first start, nothing is judged and what held holds."""
    first = flow.tenant.first_start
    if subject.kind not in {"cron", "scheduler"}:
        return Judged(claims=subject.claims)
    if at is None:
        return Judged(claims=subject.claims, again=EPOCH)  # at the next mark, whichever: a fact may have changed it
    if first is not None and at < first:
        return Judged(claims=subject.claims, again=first)
    if subject.kind == "scheduler":
        found, again = scheduler.claims(cut.memory), scheduler.look_again(cut.memory, at)
        return _judged(subject, found, again, (at, "scheduler", "", "The scheduler"))
    quiet = None if subject.claims else _quiet(cut, flow, at)
    if quiet is not None:
        return quiet
    now = _now(cut, flow, at, silent=silent)
    row = now.row
    label = (row.xmlid or str(row.cron_id)) if row else subject.key
    record = str(row.cron_id) if row else ""
    return _judged(subject, limits.claims(now), limits.look_again(now), (at, label, record, row.name if row else label))


def _quiet(cut: Cut[Any], flow: Flow, at: datetime) -> Judged | None:
    """The common case, told apart cheaply: nothing runs, nothing went wrong, and nothing is due yet."""
    memory = cut.memory
    if cut.open is not None or memory.result in BAD:
        return None
    row = _newest(cut)
    if row is None or not row.active or row.nextcall is None:
        return Judged(claims={})
    due = row.nextcall + _limits(row, flow).late
    return Judged(claims={}, again=due) if at < due else None


def _newest(cut: Cut[Any]) -> CronCounted | None:
    rows = (e.body for e in reversed(cut.facts))
    counted: CronCounted | None = cut.memory.counted
    return next((one for one in rows if isinstance(one, CronCounted)), counted) if cut.facts else counted


def _limits(row: CronCounted | None, flow: Flow) -> limits.Limits:
    if row is None or not flow.limits:
        return limits.DEFAULT
    return flow.limits.get(row.xmlid or str(row.cron_id), limits.DEFAULT)


def _now(cut: Cut[Any], flow: Flow, at: datetime, *, silent: bool) -> Now:
    memory = cut.memory
    row = _newest(cut)
    first = flow.tenant.first_start
    live = first is None or memory.ended_at >= first
    return Now(
        at=at,
        row=row,
        open=cut.open,
        last_bad=memory.key if memory.result in BAD and live else "",
        last_end=memory.ended_at,
        limits=_limits(row, flow),
        silent=silent,
    )


def _judged(
    subject: Subject, found: Mapping[str, Claim], again: datetime | None, about: tuple[datetime, str, str, str]
) -> Judged:
    opened = [
        _seen(claim, about, known=claim.detector in subject.claims)
        for claim in found.values()
        if _is_new(subject, claim)
    ]
    gone = [_closed(detector, about) for detector in subject.claims if detector not in found]
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
    return _event(f"finding.{word}", f"{claim.detector}/{label}/{word}/{at.isoformat()}", at, body)


def _closed(detector: str, about: tuple[datetime, str, str, str]) -> Event:
    at, label, _, _ = about
    body = FindingClosed(detector=detector, subject=label, reason=CLOSED[detector])
    return _event("finding.closed", f"{detector}/{label}/closed/{at.isoformat()}", at, body)


def _event(name: str, key: str, at: datetime, body: FindingSeen | FindingClosed) -> Event:
    return Event(source=SOURCE, key=key, name=name, at=at, seen=at, precision=1, body=body)
