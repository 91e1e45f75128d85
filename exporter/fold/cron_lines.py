"""Runs of scheduled actions as Odoo's log tells them; cron_laying.py lays them over what polling saw of the same runs.

A line of the log is exact: milliseconds where RPC shows whole seconds, the result and the exception where ir.cron only
counts. So where both saw a run, the log's times, result and failure are told, under polling's key (decision 1: the most
exact counts). They are the same run if start and end both lie within the second that RPC cuts off and 50 ms more
(decision 9); they are laid over one another in order, so that several within a few seconds stay several.

ir.logging keeps the same lines, cut to the second in which they were written, in order of their ids: between polling
and the log it is the second best. A run that both wrote down is first put together from both.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.bodies import LogWritten
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import Failure, Result, Run
from exporter.domain.times import EPOCH

LOG, ROWS = "odoo/log", "odoo/logging"  # the best witness first
JITTER = timedelta(milliseconds=50)
NEAR = timedelta(seconds=1, milliseconds=50)  # the second that RPC cuts off, and the delay of a line
SETTLE = timedelta(seconds=30)  # how long a better witness of a run is waited for, on the mark of the polls
LONGEST = timedelta(days=1)  # how far back the beginning is looked for of a run of which a line tells no duration
FORGOTTEN = timedelta(hours=6)  # lines that never became a run: of one that was killed, for instance


Span = tuple[datetime, datetime | None]


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """One run as the log tells it; `end` is None while no line has ended it.

    Attributes:
        lines: the facts it was made of.
        source: the best witness that spoke of it.
    """

    start: datetime
    lines: tuple[Event, ...]
    end: datetime | None = None
    result: Result | None = None
    failure: Failure | None = None
    done: int = 0
    remaining: int = 0
    source: str = LOG


def told_runs(facts: Iterable[Event], since: datetime = EPOCH) -> list[Told]:
    """Runs by start, from any lines of one action: a line belongs to the run that its process had begun before it.

    Rows of ir.logging name no process, and need none: an action is locked while it runs. `since`: when the run before
    all of them ended.
    """
    by_process: dict[tuple[str, int], list[Event]] = {}
    for event in facts:
        if isinstance(event.body, LogWritten):
            by_process.setdefault((event.source, event.body.pid), []).append(event)
    rows = _one_after_the_other(_of_rows(by_process.pop((ROWS, 0), ())), since)
    found = [one for lines in by_process.values() for one in _of_one_process(lines)]
    return _put_together(sorted(found, key=lambda one: one.start), rows)


def _put_together(logged: list[Told], rows: Iterable[Told]) -> list[Told]:
    """Each run once: the log's times, and what only one of the two says."""
    free, found = list(logged), list(rows)
    lines = take_each(free, [(row.start, row.end) for row in found], before=JITTER)
    whole = [_both(line, row) if line else row for line, row in zip(lines, found, strict=True)]
    return sorted([*whole, *free], key=lambda one: one.start)


def _both(line: Told, row: Told) -> Told:
    known = line if line.end is not None else row
    return replace(
        line,
        lines=(*line.lines, *row.lines),
        end=known.end and max(known.end, line.start),
        result=known.result,
        failure=line.failure or row.failure,
        done=known.done,
        remaining=known.remaining,
    )


def _of_rows(rows: Iterable[Event]) -> Iterator[Told]:
    """Runs of rows, which are in order of their ids."""
    going: list[Event] = []
    for event in rows:
        if _says(event) == "cron.started" and going:
            yield _run(going)
            going = []
        going.append(event)
        if _says(event) == "cron.ended":
            yield _run(going)
            going = []
    if going:
        yield _run(going)


def _one_after_the_other(runs: Iterable[Told], free: datetime) -> Iterator[Told]:
    """Runs of rows with times that they allow: whole seconds, but durations to 10 ms and one run after the other."""
    for run in runs:
        began = max(run.start, free)
        end = None if run.end is None else max(began + (run.end - run.start), run.lines[-1].at)
        free = end or began
        yield replace(run, start=began, end=end)


def _of_one_process(lines: Sequence[Event]) -> Iterator[Told]:
    """Runs of one process, which runs an action once at a time."""
    going: list[Event] = []
    for _, instant in groupby(lines, key=attrgetter("at")):
        order = _WITHIN[bool(going)]
        for event in sorted(instant, key=lambda one: order.index(_says(one))):
            if _says(event) == "cron.started" and going:
                yield _run(going)  # killed: its end was never written
                going = []
            going.append(event)
            if _says(event) == "cron.ended":
                yield _run(going)
                going = []
    if going:
        yield _run(going)


def _says(event: Event) -> str:
    assert isinstance(event.body, LogWritten)  # noqa: S101 - lines only
    return event.body.says


# Lines of one millisecond, in the order they were written: whether or not a run was going on before it.
_WITHIN = {
    False: ("cron.started", "cron.raised", "cron.ended"),
    True: ("cron.raised", "cron.ended", "cron.started"),
}


def _run(lines: Sequence[Event]) -> Told:
    bodies = [event.body for event in lines if isinstance(event.body, LogWritten)]
    last = bodies[-1]
    over = last.says == "cron.ended"
    seconds = timedelta(seconds=last.seconds or 0.0)
    began = lines[0].at if bodies[0].says == "cron.started" else lines[-1].at - seconds
    end = lines[-1].at
    if lines[0].source == ROWS and last.seconds is not None:  # both are cut to their second, the duration is not
        began = max(began, end - seconds)
        end = began + seconds
    raised = next((body for body in bodies if body.error_type), None)
    return Told(
        start=began,
        lines=tuple(lines),
        end=end if over else None,
        result=last.result if over else None,
        failure=failure(raised.error_type, raised.error) if raised else None,
        done=last.done or 0,
        remaining=last.remaining or 0,
        source=lines[0].source,
    )


def take_each(free: list[Told], spans: Sequence[Span], before: timedelta = NEAR) -> list[Told | None]:
    """The run of the log for each (start, end): one of the same seconds before one that is only near enough."""
    certain = [_take(free, span, _same_seconds) for span in spans]
    return [
        line or _take(free, span, lambda one, of: _is_near(one, of, before))
        for line, span in zip(certain, spans, strict=True)
    ]


def _take(free: list[Told], span: Span, fits: Callable[[Told, Span], bool]) -> Told | None:
    """The first run of the log that fits; it is taken out."""
    for place, line in enumerate(free):
        if line.start > span[0] + NEAR:
            return None
        near = fits(line, span)
        if near:
            return free.pop(place)
    return None


def _same_seconds(line: Told, span: Span) -> bool:
    start, end = span
    ends = end is None or line.end is None or _second(line.end) == _second(end)
    return ends and _second(line.start) == _second(start)


def _is_near(line: Told, span: Span, before: timedelta) -> bool:
    """Whether it began at most `before` earlier."""
    start, end = span
    return start - before <= line.start and (end is None or line.end is None or abs(line.end - end) <= NEAR)


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def near(event: Event) -> tuple[datetime, datetime]:
    """Between which times the run of a late line began."""
    body = event.body
    seconds = body.seconds if isinstance(body, LogWritten) else None
    if isinstance(body, LogWritten) and body.says == "cron.started":
        return event.at - NEAR, event.at + NEAR
    began = event.at - (timedelta(seconds=seconds) if seconds is not None else LONGEST)
    return began - NEAR, (began if seconds is not None else event.at) + NEAR


def same(run: Run, event: Event) -> bool:
    """Whether a told run may be the one of a late line, which began near enough."""
    body = event.body
    if not isinstance(body, LogWritten) or run.ended_at is None:
        return False
    if body.says == "cron.ended":
        return abs(run.ended_at - event.at) <= NEAR
    return run.started_at - NEAR <= event.at <= run.ended_at + NEAR


def differs(run: Run, body: LogWritten) -> str:
    """What a late line changes of what was told: another result, or why it failed."""
    if body.says == "cron.ended" and body.result not in {None, run.result}:
        return f"the log says {body.result}, was told as {run.result}"
    if body.error_type and run.failure is not None and run.failure.type == "_OTHER":
        return f"the log says {body.error_type}: {body.error}"
    return ""
