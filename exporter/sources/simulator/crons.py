"""What polls of ir.cron, ir.cron.progress and ir.cron.trigger can see of the runs of a day, in Odoo's order of commits.

A progress row is committed at its start and at its end; ir.cron (and the trigger rows) a few ms later, in one instant.
"""

from collections.abc import Iterator

from exporter.domain.bodies import CronCounted, CronProgress, CronTrigger
from exporter.domain.times import SECOND, micros
from exporter.sources.simulator.cast import CAST, Action
from exporter.sources.simulator.facts import Fact, micro, second
from exporter.sources.simulator.incidents import Scene
from exporter.sources.simulator.rhythm import wall_clock
from exporter.sources.simulator.runs import Batch, CronRun, Timetable
from exporter.sources.simulator.schedule import interval, last_due, next_due

_ROWS_A_DAY = 20_000  # room for the ids of a day: they grow with time, whichever day is generated first
_COMMIT = micro(0.004)
_COUNTED = micro(0.03)


def facts(scene: Scene, number: int, day: int) -> list[Fact]:
    """Everything that becomes visible of the runs due on a local day; `number` counts the days of the company."""
    runs = sorted(
        ((action, run) for action in CAST.actions for run in _timetable(scene, action).runs(day)),
        key=lambda pair: (pair[1].start, pair[0].id),
    )
    found = list(_first_read(scene.zone, day)) if number == 0 else []
    row = number * _ROWS_A_DAY
    for place, (action, run) in enumerate(runs):
        found += _progress(action, run, row + 1)
        found += _trigger(action, run, number * _ROWS_A_DAY + place + 1)
        found += _counted(scene.zone, action, run)
        row += len(run.batches)
    return found


def _timetable(scene: Scene, action: Action) -> Timetable:
    return Timetable(scene.seed, scene.zone, action, scene.troubles(f"cron/{action.id}"))


def _over(run: CronRun) -> int | None:
    ended = run.batches[-1].ended
    return None if ended is None else ended + _COUNTED


def _progress(action: Action, run: CronRun, first: int) -> Iterator[Fact]:
    for row, batch in enumerate(run.batches, start=first):
        crashed = run.crashed_before and row == first
        yield _row(action, batch, row, 2 if crashed else 1)
        if batch.ended is not None:
            yield _row(action, batch, row, 0)


def _row(action: Action, batch: Batch, row: int, timed_out: int) -> Fact:
    """A row that began (timed_out > 0) or is over (0)."""
    ended = batch.ended if timed_out == 0 else None
    shown = (batch.start if ended is None else ended) + _COMMIT
    written = second(batch.start if ended is None else ended)
    return Fact(
        shown=shown,
        gone=batch.ended + _COMMIT if timed_out and batch.ended is not None else None,
        name="odoo.progress.started" if timed_out else "odoo.progress.ended",
        key=f"progress/{row}/{'started' if timed_out else 'ended'}",
        at=micros(written),
        body=CronProgress(
            progress_id=row,
            cron_id=action.id,
            done=0 if timed_out else batch.done,
            remaining=0 if timed_out else batch.remaining,
            timed_out_counter=timed_out,
            create_date=second(batch.start),
            write_date=written,
        ),
    )


def _trigger(action: Action, run: CronRun, row: int) -> Iterator[Fact]:
    """The trigger that asked for the run, and the one Odoo sets when a run was partially done."""
    over = _over(run)
    if run.asked_at is not None:
        yield _asked(action, (row * 2, run.wanted, run.asked_at), run.asked_at + _COMMIT, over)
    if run.partial and over is not None:
        yield _asked(action, (row * 2 + 1, run.start, None), over, None)


def _asked(action: Action, row: tuple[int, int, int | None], shown: int, gone: int | None) -> Fact:
    number, call_at, created = row
    return Fact(
        shown=shown,
        gone=gone,
        name="odoo.trigger.set",
        key=f"trigger/{number}",
        at=created or call_at,
        body=CronTrigger(
            trigger_id=number,
            cron_id=action.id,
            call_at=second(call_at),
            create_date=None if created is None else second(created),
        ),
    )


def _counted(zone: str, action: Action, run: CronRun) -> Iterator[Fact]:
    """ir.cron after the run; a partial run leaves it as it was, a hanging one never gets there."""
    over = _over(run)
    if over is None or run.failures is None or run.partial:
        return
    last = run.start - _COMMIT  # the transaction that acquired the action began just before the row
    yield _cron(zone, action, (last, over), (run.failures, run.failing_since))


def _first_read(zone: str, day: int) -> Iterator[Fact]:
    """ir.cron as it stands when the company is first looked at."""
    begin = wall_clock(zone, day)
    for action in CAST.actions:
        yield _cron(zone, action, (last_due(action, zone, begin), begin), (0, None))


def _cron(zone: str, action: Action, moments: tuple[int, int], failures: tuple[int, int | None]) -> Fact:
    last, shown = moments
    number, kind = interval(action)
    count, since = failures
    return Fact(
        shown=shown,
        name="odoo.cron.counted",
        key=f"cron/{action.id}/{last // SECOND}",
        body=CronCounted(
            cron_id=action.id,
            name=action.name,
            xmlid=action.xmlid,
            model=action.model,
            interval_number=number,
            interval_type=kind,
            timezone=zone,
            priority=action.priority,
            lastcall=second(last),
            nextcall=second(next_due(action, zone, last)),
            failure_count=count,
            first_failure_date=None if since is None else second(since),
        ),
    )
