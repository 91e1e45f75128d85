"""Scheduled actions: runs from ir.cron.progress, results from ir.cron, waits from nextcall and triggers.

ir.cron.progress says when a run began and ended but not how; ir.cron says how, but only of the newest run, and is
committed a moment after the last progress row. So a run is told when an ir.cron read later than its end shows that
`lastcall` moved to it, or when such a read shows that it did not (decisions 9 and 10).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from exporter.domain.bodies import CronCounted, CronProgress, CronTrigger, LogWritten, RecordVanished
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.domain.sources import CRONS
from exporter.domain.times import EPOCH
from exporter.fold import cron_lines
from exporter.fold.cron_laying import laid_over
from exporter.fold.cron_lines import FORGOTTEN, JITTER, LOG, NEAR, ROWS, Told, told_runs
from exporter.fold.cron_memory import CronMemory, Setting, newest_row, remember
from exporter.fold.cron_results import GRACE, Past, settle
from exporter.fold.cron_rows import ADJACENT, executions
from exporter.fold.cron_runs import draw, open_run
from exporter.fold.epochs import placed
from exporter.fold.subjects import UNPLACED, Cut, Flow, Kind


def cut(facts: Sequence[Event], memory: CronMemory, until: datetime, flow: Flow) -> Cut[CronMemory]:
    """Close every run whose result an ir.cron read up to `until` tells; where nobody reads it, a log tells none."""
    if not flow.hears(CRONS):
        return Cut(closed=(), open=None, facts=(), memory=memory)
    found = executions(facts)
    past = Past(counted=memory.counted, called_at=_called(memory, newest_row(facts, memory)), stuck=memory.stuck)
    triggers = tuple(e.body for e in facts if isinstance(e.body, CronTrigger))
    named = newest_row(facts, memory)
    setting = Setting(cron_id=_id(facts, named), named=named, triggers=triggers, flow=flow)
    lined = _lined(facts, memory, flow)
    lines: dict[datetime, Told] = {}
    settled = settle(facts, found, past)
    if lined is not None:
        settled, lines = laid_over(settled, found, lined, awaited=flow.witnesses)
    closed: list[Run] = []
    for one in settled:
        if one.known_at > until:
            break
        closed.append(draw(one, memory, setting))
        memory = remember(one, memory, setting)
    waiting = settled[len(closed) :]
    before_open = memory
    for one in waiting:
        before_open = remember(one, before_open, setting)
    if lines:
        gone = {id(line) for run in closed if (told := lines.get(run.started_at)) for line in told.lines}
        facts = [event for event in facts if id(event) not in gone]
    memory, left = _absorb(facts, memory, until, waiting=bool(waiting))
    return Cut(
        closed=tuple(closed),
        open=open_run(found, before_open, setting),
        facts=left,
        memory=memory,
        ready_at=waiting[0].known_at if waiting else None,
    )


def _lined(facts: Sequence[Event], memory: CronMemory, flow: Flow) -> list[Told] | None:
    """Runs as the log and ir.logging tell them; None where neither speaks or is expected to."""
    if not flow.witnesses & {LOG, ROWS} and LogWritten not in {type(event.body) for event in facts}:
        return None
    return told_runs(facts, memory.ended_at)


def _id(facts: Sequence[Event], named: CronCounted | None) -> int:
    """The action's id: every fact but a line of an old log names it."""
    if named is not None:
        return named.cron_id
    ids = (getattr(event.body, "cron_id", None) or getattr(event.body, "subject_id", None) for event in facts)
    return next((one for one in ids if one), 0)


def _called(memory: CronMemory, row: CronCounted | None) -> datetime:
    """The highest `lastcall` that the last closed run explains."""
    ended = row is not None and row.called == "ended" and memory.ended_at > EPOCH
    return memory.ended_at + ADJACENT if ended else memory.started_at


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
            pending = moved and row.lastcall is not None and row.lastcall > _called(memory, row)
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
    if isinstance(row, LogWritten):
        return event.at + FORGOTTEN > until
    if isinstance(row, CronProgress):
        return placed(event, row.progress_id) > memory.row
    if isinstance(row, CronTrigger):
        return row.call_at > memory.started_at
    return event.at > until or (
        isinstance(row, RecordVanished) and bool(row.subject_model) and placed(event, row.record_id) > memory.row
    )


def late(event: Event, memory: CronMemory) -> str | None:
    """A progress row of a run that was closed already belongs to that run, a line from before its end to one before."""
    row = event.body
    if isinstance(row, LogWritten):
        return UNPLACED if memory.key and event.at <= memory.ended_at + (JITTER if memory.is_lined else NEAR) else None
    return memory.key if isinstance(row, CronProgress) and placed(event, row.progress_id) <= memory.row else None


def differs(run: Run, event: Event) -> str:
    """What a late progress row, or a line of the log, would have changed of the told run."""
    row = event.body
    if isinstance(row, LogWritten):
        return cron_lines.differs(run, row)
    if not isinstance(row, CronProgress) or run.ended_at is None or row.timed_out_counter > 0:
        return ""
    if row.write_date - run.ended_at > timedelta(seconds=1):
        return f"ended at {row.write_date.isoformat()}, not {run.ended_at.isoformat()}"
    return ""


KIND = Kind(
    name="cron",
    source=CRONS,
    settle=timedelta(0),
    memory=CronMemory,
    cut=cut,
    late=late,
    differs=differs,
    near=cron_lines.near,
    same=cron_lines.same,
)
