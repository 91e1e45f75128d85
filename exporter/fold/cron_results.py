"""How runs of scheduled actions ended: ir.cron says it, but only of the newest run and in numbers (decision 10).

Odoo 18 writes when the run was over into `lastcall`, all others when it began. Before 18 failures are not counted and
no rows of runs are kept: that `lastcall` moved is all that is seen of a run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import CronCounted
from exporter.domain.events import Event
from exporter.domain.runs import Failure, Result
from exporter.fold.cron_rows import ADJACENT, STUCK, Execution

GRACE = timedelta(seconds=10)  # ir.cron is committed a few ms after the last progress row; give it far longer
AUTO_OFF = 4  # Odoo deactivates at the fifth failure and resets the counter in the same write


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What of the runs closed before decides about the next ones.

    Attributes:
        counted: the newest ir.cron row that belongs to the past.
        called_at: the highest `lastcall` that the last closed run explains; `stuck`: the highest timed_out_counter of
            its rows.
    """

    counted: CronCounted | None
    called_at: datetime
    stuck: int


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """A run of which everything is known, and when (on the Source's mark) that may be said.

    Attributes:
        execution: None for a run that wrote no progress row.
        counted: whether ir.cron was written at its end: only then did `nextcall` move on.
        row: ir.cron as it was last read before that.
        polled_at: when it began as polling shows it, where the log said that more exactly: its key is made of this.
        failure: why it failed, where the log says it; `is_lined`: whether the log (or ir.logging) spoke of it;
            `is_exact`: whether its times are the log's, to the millisecond.
        is_endless: nobody saw when it ended; `end` is when it began.
    """

    execution: Execution | None
    start: datetime
    end: datetime
    result: Result
    known_at: datetime
    counted: bool
    row: CronCounted | None
    polled_at: datetime | None = None
    failure: Failure | None = None
    is_lined: bool = False
    is_exact: bool = False
    is_endless: bool = False


class _Move(Struct, frozen=True, kw_only=True, gc=False):
    """An ir.cron read that shows that a run was counted."""

    at: datetime
    last: datetime
    before: CronCounted | None
    now: CronCounted

    @property
    def is_back(self) -> bool:
        """Whether `lastcall` is earlier than it was: the database was restored, or its clock was set back."""
        before = self.before.lastcall if self.before else None
        return before is not None and self.last < before

    @property
    def failures(self) -> int:
        if self.before and self.before.active and not self.now.active and self.before.failure_count >= AUTO_OFF:
            return self.before.failure_count + 1
        return self.now.failure_count


def settle(facts: Sequence[Event], found: Sequence[Execution], past: Past) -> list[Settled]:
    """Every run whose end and result can be known from these facts, by start."""
    settled: list[Settled] = []
    place = 0
    for move in _moves(facts, past.counted):
        hit = _match(found, place, move)
        if hit is None:
            settled += _rowless(move, found, past)
        else:
            settled += _counted(found[place : hit + 1], move, healed=_healed(found[hit + 1 :], move))
            place = hit + 1
    reads = [event for event in facts if isinstance(event.body, CronCounted)]
    settled += [_uncounted(one, reads, past) for one in found[place:] if one.ended or one.crashed]
    return sorted(settled, key=lambda one: (one.start, one.end))


def _moves(facts: Sequence[Event], before: CronCounted | None) -> list[_Move]:
    """`lastcall` moves with every run that is counted, but for a failure in the same second as the run before it."""
    moves = []
    for event in facts:
        row = event.body
        if not isinstance(row, CronCounted):
            continue
        moved = before is None or row.lastcall != before.lastcall or row.failure_count > before.failure_count
        if row.lastcall is not None and moved:
            moves.append(_Move(at=event.at, last=row.lastcall, before=before, now=row))
        before = row
    return moves


def _match(found: Sequence[Execution], place: int, move: _Move) -> int | None:
    """The run that moved `lastcall`: the first one that began at or after it (it is taken just before the first row).

    A run that began in the very second of `lastcall` behind another one can only have moved it last. On Odoo 18 it is
    the run that ended then: `lastcall` is taken just after its last row was written.
    """
    if move.now.called == "ended":
        ended = [index for index in range(place, len(found)) if _ended_then(found[index], move.last)]
        return ended[-1] if ended else None
    hit = next((index for index in range(place, len(found)) if _fits(found[index], move)), None)
    while (
        hit is not None and hit + 1 < len(found) and found[hit + 1].start == move.last and _fits(found[hit + 1], move)
    ):
        hit += 1
    return hit


def _ended_then(one: Execution, last: datetime) -> bool:
    return one.ended and one.end <= last <= one.end + ADJACENT


def _fits(one: Execution, move: _Move) -> bool:
    """A poll reads ir.cron last, so that a run may have ended a little after the time that the read bears."""
    near = (one.end <= move.at + ADJACENT and not move.is_back) or one.start <= move.last + ADJACENT
    return one.start >= move.last and one.ended and near


def _healed(later: Sequence[Execution], move: _Move) -> Execution | None:
    """A partial run behind the matched one that was read too: it sets the counter to zero and leaves `lastcall`."""
    return next((one for one in later if one.ended and one.left_over and one.end < move.at), None)


def _counted(runs: Sequence[Execution], move: _Move, *, healed: Execution | None) -> list[Settled]:
    """The matched run and the ones before it that no read of ir.cron fell on (decision 10).

    Of k unread runs the newest min(k, failure_count) failed, the one before did not, older ones are unknown. A run that
    crashed was not counted; one that left work over was partial, unless it must be among the failed.
    """
    results: list[Result] = []
    finished = 0
    for one in reversed(runs):
        crashed = one.crashed and one is not runs[-1]
        failures = -1 if healed or not move.now.counts else move.failures
        results.append("error" if crashed else _nth(finished, one, failures, matched=one is runs[-1]))
        finished += not crashed
    return [
        Settled(
            execution=one,
            start=one.start,
            end=one.end,
            result=result,
            known_at=max(move.at, runs[-1].end, healed.end + GRACE if healed else move.at),  # or its loop goes on
            counted=result not in {"error", "partial"},
            row=move.before,
        )
        for one, result in zip(runs, reversed(results), strict=True)
    ]


def _nth(back: int, one: Execution, failures: int, *, matched: bool) -> Result:
    """The result of the run that is `back` places behind the newest."""
    if back < failures:
        return "failure"
    if one.left_over and not matched:
        return "partial"
    return "success" if back == failures else "unknown"


def _rowless(move: _Move, found: Sequence[Execution], past: Past) -> list[Settled]:
    """A failed run without a row: stopped after three time-outs in a row, or its user is archived.

    Where Odoo keeps no rows every run is without one, and how it went is not known.
    """
    if move.last <= past.called_at or move.is_back:
        return []
    if not move.now.counts:
        return [] if found else [_unseen(move)]
    if move.before is None or move.failures <= move.before.failure_count:
        return []
    before = [one.stuck for one in found if one.start <= move.last]
    return [
        Settled(
            execution=None,
            start=move.last,
            end=move.last,
            result="timeout" if (before[-1] if before else past.stuck) >= STUCK else "failure",
            known_at=move.at + GRACE,
            counted=True,
            row=move.before,
        )
    ]


def _unseen(move: _Move) -> Settled:
    """A run of which only `lastcall` tells."""
    return Settled(
        execution=None,
        start=move.last,
        end=move.last,
        result="unknown",
        known_at=move.at,
        counted=True,
        row=move.before,
        is_endless=True,
    )


def _uncounted(one: Execution, reads: Sequence[Event], past: Past) -> Settled:
    """A run that ir.cron did not count: crashed, partially done, or killed before it was counted."""
    before = next((e.body for e in reversed(reads) if e.at <= one.start), None)
    return Settled(
        execution=one,
        start=one.start,
        end=one.end,
        result="error" if one.crashed else "partial" if one.left_over else "unknown",
        known_at=one.newer_at if one.crashed and one.newer_at else one.end + GRACE,
        counted=False,
        row=before if isinstance(before, CronCounted) else past.counted,
    )
