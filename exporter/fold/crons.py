"""Scheduled actions: runs from ir.cron.progress, results from ir.cron, waits from nextcall and triggers.

ir.cron.progress says when a run began and ended but not how; ir.cron says how, but only of the newest run, and is
committed a moment after the last progress row. So a run is told when an ir.cron read later than its end shows that
`lastcall` moved to it, or when such a read shows that it did not (decisions 9 and 10).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.bodies import CronCounted, CronProgress, CronTrigger, RecordVanished
from exporter.domain.events import Event
from exporter.domain.runs import BAD, CLAMPED, Attributes, Failure, Result, Run, RunLink, Step
from exporter.domain.times import EPOCH
from exporter.fold.cron_results import GRACE, Past, Settled, settle
from exporter.fold.cron_rows import Execution, executions
from exporter.fold.subjects import Cut, Flow, Kind

_INTERVALS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}  # longer ones follow the local calendar


class CronMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of the runs already cut.

    Attributes:
        counted: the newest ir.cron row that belongs to the past.
        row: highest progress row id of a closed run; `key`: that run's key; `result`, `stuck`: how it ended.
        ended_at: when the last closed run ended.
        counted_at: when the last run started that ir.cron counted: `nextcall` was later than that afterwards.
        failed: key of the last failed run, for the link.
    """

    counted: CronCounted | None = None
    row: int = 0
    key: str = ""
    started_at: datetime = EPOCH
    ended_at: datetime = EPOCH
    failed: str = ""
    result: Result | None = None
    stuck: int = 0
    counted_at: datetime = EPOCH


class _Setting(Struct, frozen=True, kw_only=True, gc=False):
    """What runs are drawn with: the newest ir.cron row (for its names), the triggers, the tenant."""

    named: CronCounted | None
    triggers: tuple[CronTrigger, ...]
    flow: Flow


def cut(facts: Sequence[Event], memory: CronMemory, until: datetime, flow: Flow) -> Cut[CronMemory]:
    """Close every run whose result an ir.cron read up to `until` tells."""
    found = executions(facts)
    past = Past(counted=memory.counted, started_at=memory.started_at, stuck=memory.stuck)
    triggers = tuple(e.body for e in facts if isinstance(e.body, CronTrigger))
    setting = _Setting(named=_newest(facts, memory), triggers=triggers, flow=flow)
    settled = settle(facts, found, past)
    closed: list[Run] = []
    for one in settled:
        if one.known_at > until:
            break
        closed.append(_run(one, memory, setting))
        memory = _remember(one, memory)
    waiting = settled[len(closed) :]
    before_open = memory
    for one in waiting:
        before_open = _remember(one, before_open)
    memory, left = _absorb(facts, memory, until, waiting=bool(waiting))
    return Cut(
        closed=tuple(closed),
        open=_open(found, before_open, setting),
        facts=left,
        memory=memory,
        ready_at=waiting[0].known_at if waiting else None,
    )


def _key(one: Settled) -> str:
    return one.execution.key if one.execution else one.start.strftime("%Y-%m-%dT%H:%M:%SZ")


def _remember(one: Settled, memory: CronMemory) -> CronMemory:
    return CronMemory(
        counted=memory.counted,
        row=max(memory.row, one.execution.rows[-1].progress_id) if one.execution else memory.row,
        key=_key(one),
        started_at=one.start,
        ended_at=one.end,
        failed=_key(one) if one.result in BAD else memory.failed,
        result=one.result,
        stuck=one.execution.stuck if one.execution else 0,
        counted_at=one.start if one.counted else memory.counted_at,
    )


def _absorb(
    facts: Sequence[Event], memory: CronMemory, until: datetime, *, waiting: bool
) -> tuple[CronMemory, tuple[Event, ...]]:
    """Drop what closed runs used up; the newest settled ir.cron row moves into the memory.

    A read that shows a run of which no row was seen is kept a while: a poll reads the rows first, so the run may have
    ended in between.
    """
    counted = memory.counted
    left: list[Event] = []
    holding = False
    for event in facts:
        row = event.body
        if isinstance(row, CronCounted):
            moved = counted is None or row.lastcall != counted.lastcall or row.failure_count > counted.failure_count
            pending = moved and row.lastcall is not None and row.lastcall > memory.started_at
            holding = holding or event.at > until or (pending and (waiting or event.at + GRACE > until))
            if holding:
                left.append(event)
            else:
                counted = row
        elif isinstance(row, RecordVanished) and row.model == "ir.cron" and event.at <= until:
            counted = None  # nothing is expected of an action that was deleted
        elif _waits(event, memory, until):
            left.append(event)
    return replace(memory, counted=counted), tuple(left)


def _waits(event: Event, memory: CronMemory, until: datetime) -> bool:
    """Whether a fact other than a read of ir.cron may still say something of a run that is not closed."""
    row = event.body
    if isinstance(row, CronProgress):
        return row.progress_id > memory.row
    if isinstance(row, CronTrigger):
        return row.call_at > memory.started_at
    return event.at > until or (
        isinstance(row, RecordVanished) and bool(row.subject_model) and row.record_id > memory.row
    )


def _newest(facts: Sequence[Event], memory: CronMemory) -> CronCounted | None:
    return next((e.body for e in reversed(facts) if isinstance(e.body, CronCounted)), memory.counted)


def _open(found: Sequence[Execution], memory: CronMemory, setting: _Setting) -> Run | None:
    """The run that is going on: the newest row, when it is not over."""
    newest = found[-1] if found else None
    if newest is None or newest.ended or newest.crashed:
        return None
    one = Settled(
        execution=newest,
        start=newest.start,
        end=newest.start,
        result="unknown",
        known_at=EPOCH,
        counted=False,
        row=setting.named,
    )
    run = _run(one, memory, setting)
    return replace(run, ended_at=None, result=None, failure=None, origin="live", state="running", since=newest.start)


def _run(one: Settled, memory: CronMemory, setting: _Setting) -> Run:
    row = one.row or setting.named
    cron_id = one.execution.rows[0].cron_id if one.execution else row.cron_id if row else 0
    scheduled, why = _scheduled(one, memory, setting.triggers)
    first = setting.flow.tenant.first_start
    return Run(
        kind="cron",
        workflow=(row.xmlid if row and row.xmlid else str(cron_id)),
        subject=f"cron/{cron_id}",
        model="ir.cron",
        record_id=str(cron_id),
        key=_key(one),
        trace_key=_key(one),
        title=row.name if row else f"ir.cron {cron_id}",
        started_at=one.start,
        scheduled_at=scheduled,
        ended_at=one.end,
        result=one.result,
        failure=Failure(type=_ERROR_TYPES[one.result]) if one.result in BAD else None,
        origin="history" if first is not None and one.end < first else "live",
        steps=_steps(one, scheduled),
        links=_links(cron_id, memory),
        attributes=_attributes(row, why) + (CLAMPED if one.execution and one.execution.clamped else ()),
    )


# Over RPC Odoo tells that a run failed, not why: the exception stands in its log (semantic conventions: _OTHER).
_ERROR_TYPES: dict[Result, str] = {"failure": "_OTHER", "error": "crashed", "timeout": "timed_out"}


def _scheduled(one: Settled, memory: CronMemory, triggers: Sequence[CronTrigger]) -> tuple[datetime | None, str]:
    """Since when the run was wanted, and why; None for a manual run or one whose reason nobody saw.

    A run that stopped half-way or crashed is wanted again from its end on, and until then it was not this one's turn.
    """
    due = _due(one.row, memory)
    by_schedule = due is not None and due <= one.start
    if memory.result in {"partial", "error"}:
        return min(memory.ended_at, one.start), "schedule" if by_schedule else "trigger"
    wanted = [t.call_at for t in triggers if memory.started_at < t.call_at <= one.start]
    if due is not None and by_schedule:
        return min(max(due, memory.ended_at), one.start), "schedule"
    if wanted:
        return min(max(min(wanted), memory.ended_at), one.start), "trigger"
    return None, "unknown"


def _due(row: CronCounted | None, memory: CronMemory) -> datetime | None:
    """`nextcall` as it stood before the run; where runs were counted since it was read, as Odoo has moved it on."""
    if row is None or row.nextcall is None or memory.counted_at < row.nextcall:
        return row.nextcall if row else None
    period = _INTERVALS.get(row.interval_type, timedelta(0)) * row.interval_number
    if period <= timedelta(0):
        return None
    return row.nextcall + period * ((memory.counted_at - row.nextcall) // period + 1)


def _steps(one: Settled, scheduled: datetime | None) -> tuple[Step, ...]:
    steps: list[Step] = []
    if scheduled is not None and scheduled < one.start:
        steps.append(Step(role="wait", name="wait", started_at=scheduled, ended_at=one.start, wait="queue"))
    rows = one.execution.rows if one.execution and len(one.execution.rows) > 1 else ()
    for number, batch in enumerate(rows, start=1):
        steps.append(
            Step(
                role=f"batch/{number}",
                name="batch",
                started_at=batch.create_date,
                ended_at=max(batch.write_date, batch.create_date) if batch.timed_out_counter == 0 else None,
                attributes=(("odoo.cron.done", batch.done), ("odoo.cron.remaining", batch.remaining)),
            )
        )
    return tuple(steps)


def _links(cron_id: int, memory: CronMemory) -> tuple[RunLink, ...]:
    if not memory.failed or memory.failed != memory.key:
        return ()
    link = RunLink(
        reason="previous_failure",
        model="ir.cron",
        record_id=str(cron_id),
        key=memory.failed,
        trace_key=memory.failed,
    )
    return (link,)


def _attributes(row: CronCounted | None, why: str) -> Attributes:
    if row is None:
        return (("odoo.cron.trigger", why),)
    return (
        ("odoo.cron.name", row.name),
        ("odoo.cron.trigger", why),
        ("faas.cron", f"every {row.interval_number} {row.interval_type}"),
    )


def late(event: Event, memory: CronMemory) -> str | None:
    """A progress row of a run that was closed already belongs to that run."""
    row = event.body
    return memory.key if isinstance(row, CronProgress) and row.progress_id <= memory.row else None


def differs(run: Run, event: Event) -> str:
    """What a late progress row would have changed of the told run."""
    row = event.body
    if not isinstance(row, CronProgress) or run.ended_at is None or row.timed_out_counter > 0:
        return ""
    if row.write_date - run.ended_at > timedelta(seconds=1):
        return f"ended at {row.write_date.isoformat()}, not {run.ended_at.isoformat()}"
    return ""


KIND = Kind(
    name="cron",
    source="odoo/crons",
    settle=timedelta(0),
    memory=CronMemory,
    cut=cut,
    late=late,
    differs=differs,
)
