"""Queue jobs: every attempt that was seen, the waits between them, and the true end of failed ones.

A job row shows one state at a time and forgets its earlier attempts (facts/odoo.md section 5). An attempt is known by
its `date_started`; `retry` counts the finished ones, so it is the attempt's number once the attempt is over and one
less while it runs (decision 11). A requeue begins the next episode: another Run of the same job.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exporter.domain.bodies import JobChanged, MessagePosted
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import Attributes, Failure, Result, Run, RunLink, Step
from exporter.domain.times import EPOCH
from exporter.fold.subjects import Cut, Flow, Kind

RUNNING = frozenset({"enqueued", "started"})
TERMINAL: dict[str, Result] = {"done": "success", "failed": "failure", "cancelled": "cancellation"}
_RANK = {"wait_dependencies": 0, "pending": 1, "enqueued": 2, "started": 3, "failed": 4, "done": 5, "cancelled": 6}
NO_END = timedelta(seconds=30)  # a failed job found dead posts no message: wait that long for one, then use its start


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMemory:
    """What is remembered of the episodes already cut: how many, and when the last one ended."""

    episodes: int = 0
    ended_at: datetime = EPOCH
    started_at: datetime = EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One `date_started`: the versions of the row that show it, earliest state first."""

    start: datetime
    versions: tuple[Event, ...]

    @property
    def last(self) -> JobChanged:
        body = self.versions[-1].body
        assert isinstance(body, JobChanged)  # noqa: S101 - built from JobChanged alone
        return body

    @property
    def number(self) -> int:
        return self.last.retry + 1 if self.last.state in RUNNING else max(self.last.retry, 1)

    @property
    def over(self) -> bool:
        return self.last.state in TERMINAL


def cut(facts: Sequence[Event], memory: JobMemory, until: datetime, flow: Flow) -> Cut[JobMemory]:
    """Close every episode that ended up to `until`."""
    closed: list[Run] = []
    left: tuple[Event, ...] = tuple(facts)
    while True:
        episode, rest = _first_episode(left)
        end = _end(episode)
        if end is None or end[1] > until:
            break
        run = _run(episode, memory, flow, end[0])
        closed.append(run)
        memory = replace(
            memory,
            episodes=memory.episodes + 1,
            ended_at=end[0],
            started_at=max((a.start for a in _attempts(episode)), default=memory.started_at),
        )
        left = tuple(rest)
    return Cut(
        closed=tuple(closed),
        open=_run(episode, memory, flow, None) if end is None and _rows(episode) else None,
        facts=left,
        memory=memory,
        ready_at=end[1] if end else None,
    )


def _moment(event: Event) -> datetime:
    """When the row came into this state."""
    row = event.body
    if not isinstance(row, JobChanged):
        return event.at
    dated = {"done": row.date_done, "cancelled": row.date_cancelled, "enqueued": row.date_enqueued}
    return dated.get(row.state) or row.date_started or event.at


def _rows(events: Sequence[Event]) -> list[Event]:
    """Versions of the job row in the order one episode goes through them: by finished attempts, then by state."""
    rows = [e for e in events if isinstance(e.body, JobChanged)]
    return sorted(rows, key=_stage)


def _stage(event: Event) -> tuple[int, int, datetime, str]:
    row = event.body
    if not isinstance(row, JobChanged):
        return (0, 0, event.at, event.key)
    return (row.retry, _RANK.get(row.state, len(_RANK)), event.at, event.key)


def _attempts(events: Sequence[Event]) -> list[_Attempt]:
    started: dict[datetime, list[Event]] = {}
    for event in _rows(events):
        row = event.body
        if isinstance(row, JobChanged) and row.date_started is not None:
            started.setdefault(row.date_started, []).append(event)
    return [_Attempt(start=start, versions=tuple(started[start])) for start in sorted(started)]


def _first_episode(facts: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """The facts up to the first terminal state, and those of the episodes behind it."""
    over = next((a for a in _attempts(facts) if a.over), None)
    ends_early = (e for e in facts if isinstance(e.body, JobChanged) and e.body.state == "cancelled")
    cancelled = min(ends_early, key=_moment, default=None)
    if over is None and cancelled is None:
        return list(facts), []
    ends = [_moment(e) for e in (over.versions if over else ())]
    if cancelled and (over is None or _moment(cancelled) < over.start):
        return _split(facts, _moment(cancelled), _moment(cancelled))
    last = over.start if over else EPOCH
    return _split(facts, last, max([last, *ends]))


def _split(facts: Sequence[Event], last: datetime, end: datetime) -> tuple[list[Event], list[Event]]:
    mine: list[Event] = []
    rest: list[Event] = []
    following = min((a.start for a in _attempts(facts) if a.start > last), default=None)
    for event in facts:
        row = event.body
        if isinstance(row, JobChanged):
            started = row.date_started
            later = started > last if started is not None else row.state == "enqueued" and _moment(event) > end
        else:
            later = following is not None and event.at >= following
        (rest if later else mine).append(event)
    return mine, rest


def _end(episode: Sequence[Event]) -> tuple[datetime, datetime] | None:
    """When the episode ended, and when (on the Source's mark) that is certain; None while it is open."""
    rows = _rows(episode)
    last = rows[-1] if rows else None
    if last is None or not isinstance(last.body, JobChanged) or last.body.state not in TERMINAL:
        return None
    if last.body.state != "failed":
        end = _done(last.body) or last.at
        return end, end
    start = last.body.date_started or last.at
    posted = [e.at for e in episode if isinstance(e.body, MessagePosted) and e.at >= start]
    if posted:
        return max(posted), max(posted)
    return start, max(start, last.seen) + NO_END


def _done(row: JobChanged) -> datetime | None:
    """The end: exec_time has microseconds over RPC where the dates have seconds (facts/odoo.md section 5)."""
    if row.state == "done" and row.date_started is not None and row.exec_time:
        return row.date_started + timedelta(seconds=row.exec_time)
    return row.date_done or row.date_cancelled


def _run(episode: Sequence[Event], memory: JobMemory, flow: Flow, end: datetime | None) -> Run:
    rows = _rows(episode)
    last = rows[-1].body
    assert isinstance(last, JobChanged)  # noqa: S101 - an episode without rows is never drawn
    attempts = _attempts(episode)
    wanted = _wanted(rows, memory)
    started = attempts[0].start if attempts else wanted
    first = flow.tenant.first_start
    return Run(
        kind="job",
        workflow=last.channel or "root",
        subject=f"job/{last.job_id}",
        model="queue.job",
        record_id=last.uuid,
        key=str(memory.episodes + 1),
        trace_key=str(memory.episodes + 1),
        title=last.name or last.function or last.uuid,
        started_at=max(started, wanted) if end is None else min(max(started, wanted), max(end, wanted)),
        scheduled_at=wanted,
        ended_at=max(end, wanted) if end else None,
        result=TERMINAL.get(last.state) if end else None,
        failure=_failure(last) if end else None,
        origin="history" if end is not None and first is not None and end < first else "live",
        steps=_steps(attempts, wanted, end, _given_back(rows)),
        links=tuple(_link(uuid) for uuid in last.depends_on),
        attributes=_attributes(last, attempts),
        state="" if end else last.state,
        since=None if end else attempts[-1].start if attempts and last.state == "started" else wanted,
    )


def _wanted(rows: Sequence[Event], memory: JobMemory) -> datetime:
    """Since when the job could run: its creation or its first ETA; of a requeued one, since it was enqueued again."""
    bodies = [e.body for e in rows if isinstance(e.body, JobChanged)]
    created = min((b.date_created for b in bodies if b.date_created), default=rows[0].at)
    if memory.episodes:
        again = [b.date_enqueued or b.date_started for b in bodies]
        return max(min((at for at in again if at is not None), default=memory.ended_at), memory.ended_at)
    started = min((b.date_started for b in bodies if b.date_started), default=None)
    etas = [b.eta for b in bodies if b.eta is not None and (started is None or b.eta <= started)]
    return max([created, *etas[:1]])


def _failure(row: JobChanged) -> Failure | None:
    if row.state != "failed":
        return None
    return failure(row.exc_name or "_OTHER", row.exc_message or "")


def _given_back(rows: Sequence[Event]) -> dict[int, datetime]:
    """Attempt number -> when the job was seen waiting again after it: the latest it can have ended."""
    return {
        e.body.retry: e.seen
        for e in reversed(rows)
        if isinstance(e.body, JobChanged) and e.body.state == "pending" and e.body.retry
    }


def _steps(
    attempts: Sequence[_Attempt], wanted: datetime, end: datetime | None, given_back: dict[int, datetime]
) -> tuple[Step, ...]:
    steps: list[Step] = []
    ready = wanted
    for place, attempt in enumerate(attempts):
        start = max(attempt.start, wanted)
        if start >= ready:
            role = "pending" if place == 0 else f"pending/{attempt.number}"
            steps.append(Step(role=role, name="pending", started_at=ready, ended_at=start, wait="queue"))
        following = attempts[place + 1].start if place + 1 < len(attempts) else None
        over, result = _outcome(attempt, [following, given_back.get(attempt.number)], end)
        steps.append(
            Step(
                role=f"attempt/{attempt.number}",
                name="attempt",
                started_at=start,
                ended_at=max(over, start) if over else None,
                result=result,
                failure=_failure(attempt.last) if over else None,
                attributes=(("odoo.job.attempt", attempt.number),),
            )
        )
        ready = max(over or start, start)
    return tuple(steps)


def _outcome(
    attempt: _Attempt, bounds: Sequence[datetime | None], end: datetime | None
) -> tuple[datetime | None, Result | None]:
    """When an attempt was over and how. Odoo wipes the end of a retried one: it was over by the earliest of `bounds`."""
    if attempt.over:
        return end, TERMINAL[attempt.last.state] if end else None
    known = [at for at in bounds if at is not None]
    if known:
        return min(known), "failure"
    return (end, "cancellation") if end is not None else (None, None)


def _link(uuid: str) -> RunLink:
    return RunLink(reason="depends_on", model="queue.job", record_id=uuid, key="1", trace_key="1")


def _attributes(row: JobChanged, attempts: Sequence[_Attempt]) -> Attributes:
    finished = row.retry + 1 if row.state in RUNNING else row.retry
    found: list[tuple[str, str | int]] = [
        ("messaging.message.id", row.uuid),
        ("odoo.job.attempts", max(finished, len(attempts))),
        ("odoo.job.attempts.unseen", max(finished - len(attempts), 0)),
    ]
    optional = {
        "odoo.job.function": row.function,
        "odoo.job.model": row.model,
        "odoo.job.graph": row.graph_uuid,
        "odoo.company.id": row.company,
    }
    return tuple(found) + tuple((name, value) for name, value in optional.items() if value is not None)


def late(event: Event, memory: JobMemory) -> str | None:
    """A version of an episode that was closed: what began or happened no later than its last attempt."""
    if not memory.episodes:
        return None
    row = event.body
    if isinstance(row, JobChanged) and row.date_started is not None:
        return str(memory.episodes) if row.date_started <= memory.started_at else None
    return str(memory.episodes) if _moment(event) <= memory.ended_at else None


def differs(run: Run, event: Event) -> str:
    """What a late fact would have changed of the told run: its end or its result."""
    row = event.body
    if isinstance(row, MessagePosted) and run.result == "failure" and run.ended_at is not None:
        apart = abs(event.at - run.ended_at) > timedelta(seconds=1)
        return f"failed at {event.at.isoformat()}, not {run.ended_at.isoformat()}" if apart else ""
    if isinstance(row, JobChanged) and row.state in TERMINAL and TERMINAL[row.state] != run.result:
        return f"is {row.state} now, was told as {run.result}"
    return ""


KIND = Kind(
    name="job",
    source="odoo/jobs",
    settle=timedelta(seconds=1),
    memory=JobMemory,
    cut=cut,
    late=late,
    differs=differs,
)
