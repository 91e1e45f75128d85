"""Declared limits of scheduled actions: late, missed, stuck, failing. What holds now, and when to look again.

They are judged at the Source's mark, so nothing fires because we or Odoo were dark; what held before stays until a
fresh read says otherwise. Lateness is measured against Odoo's own `nextcall`, which Odoo computes in the timezone of
the action's user, so daylight saving time is Odoo's and not ours to get wrong; the sentence names that timezone, as who
reads it planned by it. In a quiet window nothing is opened;
what is still broken at its end is opened then.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import CronCounted
from exporter.domain.runs import Run
from exporter.fold.quiet import Window

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
LONGEST = timedelta(hours=1)
AGAIN = timedelta(minutes=1)  # how soon a claim that the silent scheduler explains is looked at again


class Limits(Struct, frozen=True, kw_only=True, gc=False):
    """The limits of one action (decision 23).

    Attributes:
        late, missed: counted from when it was due; missed left out is its interval, at most LONGEST, and at least
            twice `late`, so that it is late before it is missed.
        stuck: counted from when a run began.
        failures: bad runs in a row that open `result.failing`; `recoveries`: good ones in a row that close it.
        quiet: when nothing is opened.
    """

    late: timedelta = timedelta(minutes=2)
    missed: timedelta | None = None
    stuck: timedelta = timedelta(hours=1)
    failures: int = 1
    recoveries: int = 1
    quiet: tuple[Window, ...] = ()


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
        last_bad: key of the newest Run that went wrong, while the action is failing; `last_end`: when it ended.
        bad, good: how many in a row went wrong, and how many did not since.
        silent: whether the whole scheduler stands still, which explains every lateness.
        held: detectors that open nothing now, because it is quiet.
    """

    at: datetime
    row: CronCounted | None
    open: Run | None
    last_bad: str
    last_end: datetime
    bad: int = 0
    good: int = 0
    limits: Limits = DEFAULT
    silent: bool = False
    held: frozenset[str] = frozenset()


def claims(now: Now) -> dict[str, Claim]:
    """Every declared limit that is broken at the mark and may be told, by detector."""
    found = (*_schedule(now), *_stuck(now), *_failing(now))
    return {claim.detector: claim for claim in found if claim.detector not in now.held}


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
    if now.limits.missed is not None:
        return now.limits.missed
    period = LONGEST
    if now.row is not None:
        period = min(_PERIODS.get(now.row.interval_type, LONGEST) * max(now.row.interval_number, 1), LONGEST)
    return max(period, 2 * now.limits.late)


def _schedule(now: Now) -> Iterator[Claim]:
    wanted = _wanted(now)
    if wanted is None or now.row is None or now.silent or now.at < wanted + now.limits.late:
        return
    missed = now.at >= wanted + _missed(now) and "schedule.missed" not in now.held  # else it stays late, if it was
    words = "was missed" if missed else "is late"
    zone = f" (scheduled in {now.row.timezone})" if now.row.timezone else ""
    begun = "has not begun" if now.row.counts else "has not ended, if it has begun"  # all that Odoo shows before 18
    yield Claim(
        detector="schedule.missed" if missed else "schedule.late",
        since=wanted,
        example=f"cron/{now.row.cron_id}#due-{wanted:%Y%m%dT%H%M%SZ}",
        sentence=f"{now.row.name} {words}: it was due at {wanted:%Y-%m-%d %H:%M:%S} UTC{zone} and {begun}.",
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
    in_a_row = max(now.bad, 0 if now.good else now.row.failure_count)  # Odoo has counted from before we looked
    times = f", {in_a_row} times in a row" if in_a_row > 1 else ""
    yield Claim(
        detector="result.failing",
        since=now.last_end,
        example=f"cron/{now.row.cron_id}#{now.last_bad}",
        sentence=f"{now.row.name} failed at {now.last_end:%Y-%m-%d %H:%M:%S} UTC{times}.{_thresholds(now)}",
    )


def _thresholds(now: Now) -> str:
    """The numbers that were declared, where they are not one failure and one success."""
    opens, closes = now.limits.failures, now.limits.recoveries
    if (opens, closes) == (1, 1):
        return ""
    so_far = f", {now.good} so far" if now.good else ""
    return f" It is told from {_runs(opens, 'bad')} on, until {_runs(closes, 'good')}{so_far}."


def _runs(number: int, how: str) -> str:
    return f"{number} {how} runs in a row" if number > 1 else f"one {how} run"


def _minutes(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"  # noqa: PLR2004 a minute
