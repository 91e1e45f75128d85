"""The scheduler of a database as a whole: when many actions are overdue and none begins, that is one Finding.

Known causes: modules waiting to be upgraded suspend every action (facts/odoo.md 1.1), max_cron_threads = 0, a dead cron
worker.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import CronCounted, CronProgress
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.domain.sources import CRONS
from exporter.domain.times import EPOCH, from_micros, micros
from exporter.fold.epochs import placed
from exporter.fold.limits import Claim
from exporter.fold.subjects import Cut, Flow, Kind

KEY = "scheduler/all"
LEAST = 3  # so many actions must be overdue: one or two may stand still for reasons of their own
QUIET = timedelta(minutes=5)  # Odoo's threads look every minute
OVERDUE = timedelta(minutes=3)  # both are at least `late`, which is longer where actions begin late by themselves


class SchedulerMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered: of each switched-on action its nextcall (microseconds), and the newest sign of life."""

    due: dict[str, int] = {}
    alive_at: datetime = EPOCH
    running: tuple[int, ...] = ()
    silent_since: datetime | None = None


def cut(facts: Sequence[Event], memory: SchedulerMemory, until: datetime, flow: Flow) -> Cut[SchedulerMemory]:
    """Take in what the facts say, and judge at the mark; a Subject without Runs."""
    due, alive, running = dict(memory.due), memory.alive_at, set(memory.running)
    for event in facts:
        row = event.body
        if type(row) is CronProgress:
            alive = max(alive, row.write_date)
            (running.add if row.timed_out_counter else running.discard)(placed(event, row.progress_id))
        elif isinstance(row, CronCounted):
            alive = max(alive, row.lastcall or EPOCH)
            _note(due, row)
    running = {max(running)} if running else set()  # older ones crashed
    late = flow.usual.late
    overdue = [at for at in due.values() if from_micros(at) + max(OVERDUE, late) <= until]
    quiet = not running and alive + max(QUIET, late) <= until
    silent = from_micros(min(overdue)) if quiet and len(overdue) >= LEAST else None
    if until == EPOCH:
        silent = memory.silent_since  # without a mark nothing is judged
    return Cut(
        closed=(),
        open=None,
        facts=(),
        memory=SchedulerMemory(due=due, alive_at=alive, running=tuple(running), silent_since=silent),
    )


def _note(due: dict[str, int], row: CronCounted) -> None:
    if row.active and row.nextcall is not None:
        due[str(row.cron_id)] = micros(row.nextcall)
    else:
        due.pop(str(row.cron_id), None)


def look_again(memory: SchedulerMemory, at: datetime, late: timedelta) -> datetime | None:
    """When the third of the overdue actions will have been overdue for long enough; `late` is that of every action."""
    if len(memory.due) < LEAST:
        return None
    third = from_micros(sorted(memory.due.values())[LEAST - 1]) + max(OVERDUE, late)
    return max(third, memory.alive_at + max(QUIET, late), at + timedelta(seconds=1))


def claims(memory: SchedulerMemory) -> dict[str, Claim]:
    """The one claim, while it holds."""
    since = memory.silent_since
    if since is None:
        return {}
    return {
        "scheduler.silent": Claim(
            detector="scheduler.silent",
            since=since,
            example=f"scheduler#{since:%Y%m%dT%H%M%SZ}",
            sentence=f"No scheduled action has begun since {_said(memory.alive_at)}, though several are due.",
        )
    }


def _said(at: datetime) -> str:
    return "we look" if at == EPOCH else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _late(event: Event, memory: SchedulerMemory) -> str | None:
    del event, memory
    return None


def _differs(run: Run, event: Event) -> str:
    del run, event
    return ""


KIND = Kind(
    name="scheduler",
    source=CRONS,
    settle=timedelta(0),
    memory=SchedulerMemory,
    cut=cut,
    late=_late,
    differs=_differs,
)
