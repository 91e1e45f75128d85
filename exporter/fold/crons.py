"""Scheduled actions: runs from ir.cron.progress, results from ir.cron, waits from nextcall and triggers.

ir.cron.progress says when a run began and ended but not how; ir.cron says how, but only of the newest run, and is
committed a moment after the last progress row. So a run is told when an ir.cron read later than its end shows that
`lastcall` moved to it, or when such a read shows that it did not (decisions 9 and 10).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exporter.domain.bodies import CronCounted, CronProgress, CronTrigger
from exporter.domain.events import Event
from exporter.domain.runs import Attributes, Failure, Result, Run, RunLink, Step
from exporter.domain.times import EPOCH
from exporter.fold.cron_rows import Execution, executions
from exporter.fold.subjects import Cut, Flow, Kind

GRACE = timedelta(seconds=10)  # ir.cron is committed a few ms after the last progress row; give it far longer
AUTO_OFF = 4  # Odoo deactivates at the fifth failure and resets the counter in the same write


@dataclass(frozen=True, slots=True, kw_only=True)
class CronMemory:
    """What is remembered of the runs already cut.

    Attributes:
        counted: the newest ir.cron row that belongs to the past.
        row: highest progress row id of a closed run; `key`: that run's key.
        ended_at: when the last closed run ended.
        failed: key of the last failed run, for the link.
    """

    counted: CronCounted | None = None
    row: int = 0
    key: str = ""
    started_at: datetime = EPOCH
    ended_at: datetime = EPOCH
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """An ir.cron read that shows `lastcall` moved."""

    at: datetime
    before: CronCounted | None
    now: CronCounted

    @property
    def failures(self) -> int:
        if self.before and self.before.active and not self.now.active and self.before.failure_count >= AUTO_OFF:
            return self.before.failure_count + 1
        return self.now.failure_count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """A run of which everything is known, and when (on the Source's mark) that may be said."""

    execution: Execution | None
    start: datetime
    end: datetime
    result: Result
    known_at: datetime
    row: CronCounted | None


def cut(facts: Sequence[Event], memory: CronMemory, until: datetime, flow: Flow) -> Cut[CronMemory]:
    """Close every run whose result an ir.cron read up to `until` tells."""
    found = executions(facts)
    moves = _moves(facts, memory)
    settled = sorted(_settle(found, moves, memory), key=lambda one: (one.start, one.end))
    triggers = [e.body for e in facts if isinstance(e.body, CronTrigger)]
    closed: list[Run] = []
    for one in settled:
        if one.known_at > until:
            break
        run = _run(one, memory, triggers, flow)
        memory = _remember(one, run, memory)
        closed.append(run)
    waiting = settled[len(closed) :]
    memory, left = _absorb(facts, memory, until, bool(waiting))
    return Cut(
        closed=tuple(closed),
        open=_open(found, replace(memory, counted=_newest(facts, memory)), triggers, flow),
        facts=left,
        memory=memory,
        ready_at=max((one.known_at for one in waiting), default=None),
    )


def _moves(facts: Sequence[Event], memory: CronMemory) -> list[_Move]:
    moves = []
    before = memory.counted
    for event in facts:
        row = event.body
        if not isinstance(row, CronCounted):
            continue
        if row.lastcall is not None and (before is None or row.lastcall != before.lastcall):
            moves.append(_Move(at=event.at, before=before, now=row))
        before = row
    return moves


def _settle(found: Sequence[Execution], moves: Sequence[_Move], memory: CronMemory) -> list[_Settled]:
    """Every run whose end and result can be known from these facts."""
    settled: list[_Settled] = []
    place = 0
    for move in moves:
        hit = _match(found, place, move)
        if hit is None:
            settled += _rowless(move, memory)
            continue
        settled += _counted(found[place : hit + 1], move)
        place = hit + 1
    return settled + [_uncounted(one, moves, memory) for one in found[place:] if one.ended or one.crashed]


def _match(found: Sequence[Execution], place: int, move: _Move) -> int | None:
    """The run that moved `lastcall`: the first one that began at or after it (it is taken just before the first row)."""
    last = move.now.lastcall
    for index in range(place, len(found)):
        one = found[index]
        if last is not None and one.start >= last and one.ended and one.end <= move.at + timedelta(seconds=1):
            return index
    return None


def _counted(runs: Sequence[Execution], move: _Move) -> list[_Settled]:
    """The matched run and the ones before it that no read of ir.cron fell on (decision 10).

    Of k unread runs the newest min(k, failure_count) failed, the one before did not, older ones are unknown.
    """
    finished = [one for one in runs if one.ended and (one is runs[-1] or not one.left_over)]
    results: dict[str, Result] = {}
    for back, one in enumerate(reversed(finished)):
        failed = min(len(finished), move.failures)
        results[one.key] = "failure" if back < failed else "success" if back == failed else "unknown"
    return [
        _Settled(
            execution=one,
            start=one.start,
            end=one.end,
            result=results.get(one.key) or ("error" if one.crashed else "partial"),
            known_at=move.at,
            row=move.before,
        )
        for one in runs
    ]


def _rowless(move: _Move, memory: CronMemory) -> list[_Settled]:
    """A failed run without a row: three time-outs in a row, or an archived user (Odoo writes no progress then)."""
    last = move.now.lastcall
    grown = move.before is not None and move.failures > move.before.failure_count
    if last is None or not grown or last <= memory.started_at:
        return []
    known = move.at + GRACE
    return [_Settled(execution=None, start=last, end=last, result="timeout", known_at=known, row=move.before)]


def _uncounted(one: Execution, moves: Sequence[_Move], memory: CronMemory) -> _Settled:
    """A run that ir.cron did not count: crashed, partially done, or killed before it was counted."""
    result: Result = "error" if one.crashed else "partial" if one.left_over else "unknown"
    known = one.newer_at if one.crashed and one.newer_at else one.end + GRACE
    row = moves[-1].now if moves else memory.counted
    return _Settled(execution=one, start=one.start, end=one.end, result=result, known_at=known, row=row)


def _remember(one: _Settled, run: Run, memory: CronMemory) -> CronMemory:
    return replace(
        memory,
        row=max(memory.row, one.execution.rows[-1].progress_id) if one.execution else memory.row,
        key=run.key,
        started_at=one.start,
        ended_at=one.end,
        failed=run.key if run.result in {"failure", "error", "timeout"} else memory.failed,
    )


def _absorb(
    facts: Sequence[Event], memory: CronMemory, until: datetime, waiting: bool
) -> tuple[CronMemory, tuple[Event, ...]]:
    """Drop what closed runs used up; the newest settled ir.cron row moves into the memory."""
    counted = memory.counted
    left: list[Event] = []
    holding = False
    for event in facts:
        row = event.body
        if isinstance(row, CronCounted):
            moved = counted is not None and row.lastcall != counted.lastcall
            pending = waiting and moved and row.lastcall is not None and row.lastcall > memory.started_at
            holding = holding or event.at > until or pending
            if holding:
                left.append(event)
            else:
                counted = row
        elif isinstance(row, CronProgress):
            if row.progress_id > memory.row:
                left.append(event)
        elif isinstance(row, CronTrigger) and row.call_at > memory.started_at:
            left.append(event)
    return replace(memory, counted=counted), tuple(left)


def _newest(facts: Sequence[Event], memory: CronMemory) -> CronCounted | None:
    rows = [e.body for e in facts if isinstance(e.body, CronCounted)]
    return rows[-1] if rows else memory.counted


def _open(found: Sequence[Execution], memory: CronMemory, triggers: Sequence[CronTrigger], flow: Flow) -> Run | None:
    """The run that is going on: the newest row, when it is not over."""
    newest = found[-1] if found else None
    if newest is None or newest.ended or newest.rows[0].progress_id <= memory.row:
        return None
    one = _Settled(
        execution=newest, start=newest.start, end=newest.start, result="unknown", known_at=EPOCH, row=memory.counted
    )
    run = _run(one, memory, triggers, flow)
    return replace(run, ended_at=None, result=None, failure=None, origin="live", state="running", since=newest.start)


def _run(one: _Settled, memory: CronMemory, triggers: Sequence[CronTrigger], flow: Flow) -> Run:
    row = one.row or memory.counted
    cron_id = one.execution.rows[0].cron_id if one.execution else row.cron_id if row else 0
    scheduled, why = _scheduled(one.start, row, memory, triggers)
    first = flow.tenant.first_start
    bad = one.result in {"failure", "error", "timeout"}
    return Run(
        kind="cron",
        workflow=(row.xmlid if row and row.xmlid else str(cron_id)),
        subject=f"cron/{cron_id}",
        model="ir.cron",
        record_id=str(cron_id),
        key=one.execution.key if one.execution else one.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        trace_key=one.execution.key if one.execution else one.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        title=row.name if row else f"ir.cron {cron_id}",
        started_at=one.start,
        scheduled_at=scheduled,
        ended_at=one.end,
        result=one.result,
        failure=Failure(type=_ERROR_TYPES[one.result]) if bad else None,
        origin="history" if first is not None and one.end < first else "live",
        steps=_steps(one, scheduled),
        links=_links(cron_id, memory),
        attributes=_attributes(row, why),
    )


# Over RPC Odoo tells that a run failed, not why: the exception stands in its log (semantic conventions: _OTHER).
_ERROR_TYPES: dict[Result, str] = {"failure": "_OTHER", "error": "crashed", "timeout": "timed_out"}


def _scheduled(
    start: datetime, row: CronCounted | None, memory: CronMemory, triggers: Sequence[CronTrigger]
) -> tuple[datetime | None, str]:
    """Since when the run was wanted, and why; None for a manual run or one whose reason nobody saw."""
    if row is not None and row.nextcall is not None and row.nextcall <= start:
        return min(max(row.nextcall, memory.ended_at), start), "schedule"
    wanted = [t.call_at for t in triggers if memory.started_at < t.call_at <= start]
    if wanted:
        return min(max(min(wanted), memory.ended_at), start), "trigger"
    return None, "unknown"


def _steps(one: _Settled, scheduled: datetime | None) -> tuple[Step, ...]:
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
