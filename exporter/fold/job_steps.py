"""The Steps of one episode of a job: the attempts that were seen, and the waits before them.

An attempt is known by its `date_started`; `retry` counts the finished ones (decision 11). Odoo wipes the end of an
attempt that is retried: it was over when the row was first seen in another state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.domain.bodies import JobChanged
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import Failure, Result, Step
from exporter.fold.job_rows import TERMINAL, End, moment

_RAN = frozenset({"started", *TERMINAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One `date_started`.

    Attributes:
        number: its place among all attempts of the episode, also those nobody saw.
        row: the last version in which it ran or had ended.
        left_at: when the row was first seen in another state.
        eta: not wanted before.
    """

    start: datetime
    number: int
    row: JobChanged
    left_at: datetime | None
    eta: datetime | None

    @property
    def result(self) -> Result | None:
        """How it ended, if the row still says so."""
        return TERMINAL.get(self.row.state)


def attempts(versions: Sequence[Event]) -> list[Attempt]:
    """Attempts by start; their numbers never repeat, as spans are named by them."""
    started: dict[datetime, list[int]] = {}
    for place, event in enumerate(versions):
        row = event.body
        if isinstance(row, JobChanged) and row.date_started is not None:
            started.setdefault(row.date_started, []).append(place)
    found: list[Attempt] = []
    for start in sorted(started):
        least = found[-1].number + 1 if found else 1
        found.append(_attempt(start, versions, started[start], least))
    return found


def _attempt(start: datetime, versions: Sequence[Event], places: Sequence[int], least: int) -> Attempt:
    """A job found dead keeps the start of the attempt that died, also while it waits for the next one."""
    rows = [(place, row) for place in places if isinstance(row := versions[place].body, JobChanged)]
    last, row = ([one for one in rows if one[1].state in _RAN] or rows)[-1]
    ran = row.state in _RAN
    behind = versions[last + 1 :] if ran else versions[last:]
    return Attempt(
        start=start,
        number=max(row.retry + (row.state == "started"), least),
        row=row,
        left_at=moment(behind[0]) if behind else None,
        eta=row.eta,
    )


def steps(tried: Sequence[Attempt], wanted: datetime, end: End | None) -> tuple[tuple[Step, ...], datetime]:
    """Steps in order of time, and since when the job has been doing what it does now."""
    found: list[Step] = []
    ready = wanted
    for place, attempt in enumerate(tried):
        start = max(attempt.start, wanted)
        if attempt.eta is not None and ready < attempt.eta <= start:
            ready = attempt.eta
        if start >= ready:
            found.append(_pending(attempt.number if place else 1, ready, start))
        following = tried[place + 1].start if place + 1 < len(tried) else None
        step = _step(attempt, start, following, end)
        found.append(step)
        ready = step.ended_at or start
    if end is not None and ready < end.at:
        found.append(_pending(tried[-1].number + 1 if tried else 1, ready, end.at))
    return tuple(found), ready


def _pending(number: int, began: datetime, ended: datetime) -> Step:
    role = "pending" if number == 1 else f"pending/{number}"
    return Step(role=role, name="pending", started_at=began, ended_at=ended, wait="queue")


def _step(attempt: Attempt, start: datetime, following: datetime | None, end: End | None) -> Step:
    over, result = _outcome(attempt, following, end)
    return Step(
        role=f"attempt/{attempt.number}",
        name="attempt",
        started_at=start,
        ended_at=max(over, start) if over else None,
        result=result,
        failure=failure_of(attempt.row) if over else None,
        attributes=(("odoo.job.attempt", attempt.number),),
    )


def _outcome(attempt: Attempt, following: datetime | None, end: End | None) -> tuple[datetime | None, Result | None]:
    """When an attempt was over and how; one of which nobody saw the end was over by the next thing that was seen."""
    if attempt.result is not None:
        return (end.at, attempt.result) if end else (None, None)
    seen = [at for at in (following, attempt.left_at) if at is not None]
    if seen and (end is None or min(seen) < end.at):
        return min(seen), "failure"
    return (end.at, end.result) if end else (None, None)


def failure_of(row: JobChanged) -> Failure | None:
    """Why it failed; None if it did not."""
    if row.state != "failed":
        return None
    return failure(row.exc_name or "_OTHER", row.exc_message or "")
