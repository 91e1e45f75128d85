"""A run of a scheduled action as it is told: since when it was wanted, its batches, what it did, its links."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from exporter.domain.bodies import CronCounted, CronTrigger
from exporter.domain.runs import BAD, CLAMPED, ENDLESS, Attributes, Failure, Result, Run, RunLink, Step
from exporter.domain.times import EPOCH
from exporter.fold.cron_memory import CronMemory, Setting, key_of
from exporter.fold.cron_results import Settled
from exporter.fold.cron_rows import Execution

_INTERVALS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}  # longer ones follow the local calendar
# Over RPC Odoo tells that a run failed, not why: the exception stands in its log (semantic conventions: _OTHER).
_ERROR_TYPES: dict[Result, str] = {"failure": "_OTHER", "error": "crashed", "timeout": "timed_out"}


def open_run(found: Sequence[Execution], memory: CronMemory, setting: Setting) -> Run | None:
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
    run = draw(one, memory, setting)
    return replace(run, ended_at=None, result=None, failure=None, origin="live", state="running", since=newest.start)


def draw(one: Settled, memory: CronMemory, setting: Setting) -> Run:
    """The Run of a settled execution."""
    row = one.row or setting.named
    cron_id = setting.cron_id
    scheduled, why = _scheduled(one, memory, setting.triggers)
    return Run(
        kind="cron",
        workflow=(row.xmlid if row and row.xmlid else str(cron_id)),
        subject=f"cron/{cron_id}",
        model="ir.cron",
        record_id=str(cron_id),
        key=key_of(one),
        trace_key=key_of(one),
        title=row.name if row else f"ir.cron {cron_id}",
        started_at=one.start,
        scheduled_at=scheduled,
        ended_at=one.end,
        result=one.result,
        failure=one.failure or (Failure(type=_ERROR_TYPES[one.result]) if one.result in BAD else None),
        origin="live" if setting.flow.is_live(one.end) else "history",
        steps=_steps(one, scheduled),
        links=_links(cron_id, memory),
        attributes=_attributes(row, why) + _worked(one) + _doubts(one),
    )


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
        *((("odoo.cron.timezone", row.timezone),) if row.timezone else ()),  # in which Odoo counts the interval
    )


def _doubts(one: Settled) -> Attributes:
    """What is wrong with its times: its end is not known, or its rows said that it ended before it began."""
    if one.is_endless:
        return ENDLESS
    return CLAMPED if one.execution and one.execution.clamped else ()


def _worked(one: Settled) -> Attributes:
    """How much the run did and left, where the action tells its progress: a daily reconciliation shows its backlog."""
    rows = one.execution.rows if one.execution else ()
    done = sum([row.done for row in rows])
    if not done and not (rows and rows[-1].remaining):
        return ()
    return (("odoo.cron.done", done), ("odoo.cron.remaining", rows[-1].remaining))
