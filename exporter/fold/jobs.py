"""Queue jobs: one Run an episode (from creation or a requeue to the end), with the attempts and waits in it.

What the versions of the row say is put in order in `job_rows`; the Steps are drawn in `job_steps`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.domain.bodies import JobChanged, MessagePosted
from exporter.domain.events import Event
from exporter.domain.runs import CLAMPED, Attributes, Run, RunLink, known
from exporter.domain.times import EPOCH
from exporter.fold.job_rows import RUNNING, TERMINAL, End, Episode, Glimpse, Life, glimpse, life
from exporter.fold.job_steps import Attempt, attempts, failure_of, steps
from exporter.fold.subjects import Cut, Flow, Kind

SECONDS = timedelta(seconds=1)  # dates are shown in whole ones: a time that much too early is no lie


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMemory:
    """What is remembered of the episodes already cut.

    Attributes:
        episodes: how many.
        ended_at: when the last one ended.
        seen: when its last version was seen; `last`: what that version was; `posted`: whether its message was.
    """

    episodes: int = 0
    ended_at: datetime = EPOCH
    seen: datetime = EPOCH
    last: Glimpse | None = None
    posted: bool = False


def cut(facts: Sequence[Event], memory: JobMemory, until: datetime, flow: Flow) -> Cut[JobMemory]:
    """Close every episode that ended up to `until`."""
    found = life(facts, memory.last)
    told, posted = str(memory.episodes), memory.posted
    late = [(told, event) for event in found.late]
    used = list(found.late)
    closed: list[Run] = []
    over = 0
    for episode in found.episodes:
        end = episode.end
        if end is None or end.known_at > until:
            break
        over += 1
        used += episode.events
        if not episode.rows:  # it vanished before any version of it was seen: there is nothing to tell
            continue
        run = _run(episode, memory, flow, end)
        closed.append(run)
        late += [(run.key, event) for event in episode.after]
        memory = _remember(episode, memory, end)
    lost = [e for e in found.orphans if memory.episodes and e.at <= until]
    late += [(told, event) for event in lost if not posted]  # else it is of a failure nobody saw
    gone = {id(event) for event in (*used, *lost)}
    opened = _open(found.episodes[over:])
    return Cut(
        closed=tuple(closed),
        open=_run(opened, memory, flow, None) if opened else None,
        facts=tuple(e for e in facts if id(e) not in gone),
        memory=memory,
        ready_at=_ready_at(found, memory, until, over=over),
        late=tuple(late),
    )


def _open(waiting: Sequence[Episode]) -> Episode | None:
    """The episode that goes on, when nothing before it waits to be told."""
    return waiting[0] if len(waiting) == 1 and waiting[0].end is None and waiting[0].rows else None


def _ready_at(found: Life, memory: JobMemory, until: datetime, *, over: int) -> datetime | None:
    ends = [end.known_at for one in found.episodes[over : over + 1] if (end := one.end) is not None]
    messages = [e.at for e in found.orphans if memory.episodes and e.at > until]
    return min([*ends, *messages], default=None)


def _remember(episode: Episode, memory: JobMemory, end: End) -> JobMemory:
    last = [*episode.versions, *episode.after][-1]
    return JobMemory(
        episodes=memory.episodes + 1,
        ended_at=max(end.at, memory.ended_at),
        seen=last.seen,
        last=glimpse(last),
        posted=bool(episode.messages),
    )


def _run(episode: Episode, memory: JobMemory, flow: Flow, end: End | None) -> Run:
    rows = episode.rows
    last = rows[-1]
    tried = attempts(episode.versions)
    wanted = _wanted(episode, memory, tried)
    ended = max(end.at, wanted) if end else None
    drawn, since = steps(tried, wanted, end)
    started = max(tried[0].start, wanted) if tried else ended or wanted  # one that never ran waited to its end
    first = flow.tenant.first_start
    number = str(memory.episodes + 1)
    return Run(
        kind="job",
        workflow=last.channel or "root",
        subject=f"job/{last.job_id}",
        model="queue.job",
        record_id=last.uuid,
        key=number,
        trace_key=number,
        title=last.name or last.function or last.uuid,
        started_at=min(started, ended) if ended else started,
        scheduled_at=wanted,
        ended_at=ended,
        result=end.result if end else None,
        failure=failure_of(last) if end else None,
        origin="history" if ended is not None and first is not None and ended < first else "live",
        steps=drawn,
        links=tuple(_link(uuid) for uuid in last.depends_on),
        attributes=_attributes(last, tried) + _gone(episode) + (CLAMPED if end and end.at + SECONDS < started else ()),
        state="" if end else last.state,
        since=None if end else since,
    )


def _wanted(episode: Episode, memory: JobMemory, tried: Sequence[Attempt]) -> datetime:
    """Since when the job could run: its creation or requeue, and its first ETA (those of retries postpone a retry)."""
    rows = episode.rows
    etas = [row.eta for row in rows if row.eta is not None and row.retry == 0]
    eta = min(etas) if etas and (not tried or min(etas) <= tried[0].start) else EPOCH
    return max(_asked(episode, memory), eta)


def _asked(episode: Episode, memory: JobMemory) -> datetime:
    """When it was created; of a requeued one, the first trace of the requeue, whose time no field holds."""
    dated = [row.date_created for row in episode.rows if row.date_created is not None]
    before = memory.last.uuid if memory.last else ""
    if dated and (not memory.episodes or (before and before != episode.rows[-1].uuid)):
        return min(dated)
    traces = [at for row in episode.rows for at in (row.date_enqueued, row.date_started) if at is not None]
    return max(min([*traces, *(event.at for event in episode.versions)]), memory.ended_at)


def _link(uuid: str) -> RunLink:
    return RunLink(reason="depends_on", model="queue.job", record_id=uuid, key="1", trace_key="1")


def _attributes(row: JobChanged, tried: Sequence[Attempt]) -> Attributes:
    finished = row.retry + 1 if row.state in RUNNING else row.retry
    finished = max(finished, *(one.number for one in tried)) if tried else finished
    found: list[tuple[str, str | int]] = [
        ("messaging.message.id", row.uuid),
        ("odoo.job.attempts", finished),
        ("odoo.job.attempts.unseen", finished - len(tried)),
    ]
    optional = {
        "odoo.job.function": row.function,
        "odoo.job.model": row.model,
        "odoo.job.graph": row.graph_uuid,
        "odoo.company.id": row.company,
    }
    return tuple(found) + known(optional)


def _gone(episode: Episode) -> Attributes:
    """Somebody deleted the row while the job was open."""
    over = glimpse(episode.versions[-1])
    return (("odoo.job.vanished", True),) if over.over and over.state not in TERMINAL else ()


def late(event: Event, memory: JobMemory) -> str | None:
    """A version seen no later than the last one of the closed episode, or a message from before its end."""
    if not memory.episodes:
        return None
    old = event.at <= memory.ended_at if isinstance(event.body, MessagePosted) else event.seen <= memory.seen
    return str(memory.episodes) if old else None


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
