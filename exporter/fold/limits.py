"""Declared limits of scheduled actions: late, missed, stuck, failing. What holds now, and when to look again.

They are judged at the Source's mark, so nothing fires because we or Odoo were dark; what held before stays until a
fresh read says otherwise. Lateness is measured against Odoo's own `nextcall`, which Odoo computes in the timezone of
the action's user, so daylight saving time is Odoo's and not ours to get wrong.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import CronCounted
from exporter.domain.runs import Run

_PERIODS = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
    "months": timedelta(days=30),
}
SEVERITIES: Mapping[str, str] = {
    "schedule.late": "info",
    "schedule.missed": "critical",
    "limit.stuck": "critical",
    "result.failing": "warning",
    "scheduler.silent": "critical",
}
AGAIN = timedelta(minutes=1)  # how soon a claim that the silent scheduler explains is looked at again


class Limits(Struct, frozen=True, kw_only=True, gc=False):
    """The limits of one action (decision 23): each counted from when it was due or began."""

    late: timedelta = timedelta(minutes=2)
    missed: timedelta = timedelta(hours=1)
    stuck: timedelta = timedelta(hours=1)


DEFAULT = Limits()


class Claim(Struct, frozen=True, kw_only=True, gc=False):
    """Something declared that does not hold: since when, of which Run, in one sentence."""

    detector: str
    since: datetime
    example: str
    sentence: str


class Now(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of an action at a mark.

    Attributes:
        row: the newest ir.cron row; `open`: the run that is going on.
        last_bad: key of the newest closed Run if it went wrong after our first start; `last_end`: when it ended.
        silent: whether the whole scheduler stands still, which explains every lateness.
    """

    at: datetime
    row: CronCounted | None
    open: Run | None
    last_bad: str
    last_end: datetime
    limits: Limits = DEFAULT
    silent: bool = False


def claims(now: Now) -> dict[str, Claim]:
    """Every declared limit that is broken at the mark, by detector."""
    return {claim.detector: claim for claim in (*_schedule(now), *_stuck(now), *_failing(now))}


def look_again(now: Now) -> datetime | None:
    """The next moment at which a limit may break without a new fact."""
    moments = [due for due in _dues(now) if due > now.at]
    if now.silent and any(due <= now.at for due in _dues(now)):
        moments.append(now.at + AGAIN)
    return min(moments, default=None)


def _dues(now: Now) -> Iterator[datetime]:
    if now.open is not None:
        yield now.open.started_at + now.limits.stuck
    wanted = _wanted(now)
    if wanted is not None:
        yield wanted + now.limits.late
        yield wanted + _missed(now)


def _wanted(now: Now) -> datetime | None:
    """Since when the action should have begun; None while it runs, is switched off or has no schedule."""
    if now.row is None or not now.row.active or now.open is not None:
        return None
    return now.row.nextcall


def _missed(now: Now) -> timedelta:
    period = now.limits.missed
    if now.row is not None:
        period = min(_PERIODS.get(now.row.interval_type, period) * max(now.row.interval_number, 1), period)
    return max(period, now.limits.late)


def _schedule(now: Now) -> Iterator[Claim]:
    wanted = _wanted(now)
    if wanted is None or now.row is None or now.silent or now.at < wanted + now.limits.late:
        return
    missed = now.at >= wanted + _missed(now)
    words = "was missed" if missed else "is late"
    yield Claim(
        detector="schedule.missed" if missed else "schedule.late",
        since=wanted,
        example=f"cron/{now.row.cron_id}#due-{wanted:%Y%m%dT%H%M%SZ}",
        sentence=f"{now.row.name} {words}: it was due at {wanted:%Y-%m-%d %H:%M:%S} UTC and has not begun.",
    )


def _stuck(now: Now) -> Iterator[Claim]:
    run = now.open
    if run is None or now.at < run.started_at + now.limits.stuck:
        return
    limit = _minutes(now.limits.stuck)
    yield Claim(
        detector="limit.stuck",
        since=run.started_at,
        example=f"{run.subject}#{run.key}",
        sentence=f"{run.title} has been running since {run.started_at:%Y-%m-%d %H:%M:%S} UTC, longer than {limit}.",
    )


def _failing(now: Now) -> Iterator[Claim]:
    if not now.last_bad or now.row is None:
        return
    times = f", {now.row.failure_count} times in a row" if now.row.failure_count > 1 else ""
    yield Claim(
        detector="result.failing",
        since=now.last_end,
        example=f"cron/{now.row.cron_id}#{now.last_bad}",
        sentence=f"{now.row.name} failed at {now.last_end:%Y-%m-%d %H:%M:%S} UTC{times}.",
    )


def _minutes(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"  # noqa: PLR2004 a minute
