"""What is remembered of a scheduled action: its newest closed run, its newest ir.cron row, how it went lately."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from exporter.domain.bodies import CronCounted, CronTrigger
from exporter.domain.events import Event
from exporter.domain.runs import BAD, Result
from exporter.domain.times import EPOCH
from exporter.fold.cron_results import Settled
from exporter.fold.streaks import Streak, after, of_one
from exporter.fold.subjects import Flow


class CronMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of the runs already cut.

    Attributes:
        counted: the newest ir.cron row that belongs to the past.
        row: highest progress row of a closed run, epoch and id; `key`: that run's key; `result`, `stuck`: how it
            ended.
        ended_at: when the last closed run ended.
        counted_at: when the last run started that ir.cron counted: `nextcall` was later than that afterwards.
        failed: key of the last failed run, for the link.
        is_lined: whether the log told the times of the last closed run: they are exact then.
        streak: how many runs went wrong in a row; None in a state from before that was remembered.
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
    streak: Streak | None = None
    is_lined: bool = False


class Setting(Struct, frozen=True, kw_only=True, gc=False):
    """What runs are drawn with: the newest ir.cron row (for its names), the triggers, the tenant."""

    cron_id: int
    named: CronCounted | None
    triggers: tuple[CronTrigger, ...]
    flow: Flow


def key_of(one: Settled) -> str:
    """The run key: the id of its first progress row, else when it began (decision 9)."""
    if one.execution:
        return one.execution.key
    if one.is_lined and one.polled_at is None:
        return one.start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (one.polled_at or one.start).strftime("%Y-%m-%dT%H:%M:%SZ")


def streak_of(memory: CronMemory, flow: Flow) -> Streak:
    """How the newest runs went."""
    return memory.streak or of_one(memory.result, memory.ended_at, live=flow.is_live(memory.ended_at))


def remember(one: Settled, memory: CronMemory, setting: Setting) -> CronMemory:
    """The memory one run further."""
    flow = setting.flow
    streak, limits = streak_of(memory, flow), flow.limits_of(setting.named)
    return CronMemory(
        counted=memory.counted,
        row=max(memory.row, one.execution.number) if one.execution else memory.row,
        key=key_of(one),
        started_at=one.polled_at or one.start,
        ended_at=one.end,
        is_lined=one.is_exact,
        failed=key_of(one) if one.result in BAD else memory.failed,
        result=one.result,
        stuck=one.execution.stuck if one.execution else 0,
        counted_at=one.start if one.counted else memory.counted_at,
        streak=after(streak, one.result, one.end, limits, live=flow.is_live(one.end)),
    )


def newest_row(facts: Sequence[Event], memory: CronMemory) -> CronCounted | None:
    """The newest ir.cron row there is."""
    return next((e.body for e in reversed(facts) if isinstance(e.body, CronCounted)), memory.counted)
