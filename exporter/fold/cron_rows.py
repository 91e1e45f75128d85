"""Rows of ir.cron.progress put together into executions: one row is one loop iteration, a run may take several."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from msgspec import Struct

from exporter.domain.bodies import CronProgress, RecordVanished
from exporter.domain.events import Event
from exporter.fold.epochs import named, placed

ADJACENT = timedelta(seconds=1)  # the next row of a loop is created milliseconds later; RPC shows whole seconds
STUCK = 3  # from this timed_out_counter on, and with nothing done, Odoo does not start the action but counts a failure


class Execution(Struct, frozen=True, kw_only=True, gc=False):
    """Consecutive rows of one run.

    Attributes:
        key: the run key: the id of the first row (decision 9); `number`: epoch and id of the last one.
        start: when the first row was created; `end`: when the last one was written, never before that.
        ended: whether the last row says that it is over.
        crashed: it never ended: a newer row exists, its row was purged, or Odoo counted its time-outs as a failure.
        newer_at: when that was certain; None where its last row says so.
        stuck: the highest timed_out_counter of its last row.
    """

    rows: tuple[CronProgress, ...]
    key: str
    start: datetime
    end: datetime
    ended: bool
    number: int
    crashed: bool = False
    newer_at: datetime | None = None
    stuck: int = 0

    @property
    def clamped(self) -> bool:
        """Whether its rows say that it ended before it began."""
        return self.ended and (
            self.rows[-1].write_date < self.start or any(r.write_date < r.create_date for r in self.rows)
        )

    @property
    def left_over(self) -> bool:
        """Whether the last iteration said that work remains (Odoo then reports `partially done`)."""
        return self.rows[-1].remaining > 0


class _Row(Struct, kw_only=True, gc=False):
    """What the versions of one row say: the most advanced one, the highest counter, when it vanished."""

    number: int
    newest: CronProgress
    counter: int = 0
    gone_at: datetime | None = None

    @property
    def reset(self) -> bool:
        """Whether Odoo set the counter back later, when it gave up on the action (raw SQL: nothing else changed)."""
        row = self.newest
        return (
            self.counter >= STUCK and row.timed_out_counter == 0 and not row.done and row.write_date <= row.create_date
        )


def executions(events: Iterable[Event]) -> list[Execution]:
    """Executions in the order of their row ids, epoch by epoch, from any versions of any rows."""
    groups: list[list[_Row]] = []
    for row in _rows(events):
        if groups and _continues(groups[-1][-1].newest, row.newest):
            groups[-1].append(row)
        else:
            groups.append([row])
    following = [group[0].newest.create_date for group in groups[1:]]
    return [_execution(group, at) for group, at in zip_longest(groups, following)]


def _rows(events: Iterable[Event]) -> list[_Row]:
    """Every row by its id."""
    found: dict[int, _Row] = {}
    gone: list[tuple[int | None, datetime]] = []
    for event in events:
        body = event.body
        if isinstance(body, CronProgress):
            number = placed(event, body.progress_id)
            row = found.get(number)
            if row is None:
                found[number] = _Row(number=number, newest=body, counter=body.timed_out_counter)
                continue
            row.counter = max(row.counter, body.timed_out_counter)
            ends = row.newest.timed_out_counter > 0 and body.timed_out_counter == 0  # nearly always: no need to compare
            if ends or _progress(body) > _progress(row.newest):
                row.newest = body
        elif isinstance(body, RecordVanished):
            gone.append((placed(event, body.record_id) if body.subject_model else None, event.at))
    for row_id, at in gone:
        for row in found.values() if row_id is None else [found[row_id]] if row_id in found else []:
            row.gone_at = min(row.gone_at or at, at)
    return [found[row_id] for row_id in sorted(found)]


def _progress(row: CronProgress) -> tuple[bool, datetime, int, int]:
    """How far a version of a row is: over beats not over, then the later write."""
    return (row.timed_out_counter == 0, row.write_date, row.done, -row.remaining)


def _continues(before: CronProgress, row: CronProgress) -> bool:
    """Whether a row is the next loop iteration of the same run (decision 9)."""
    looped = before.timed_out_counter == 0 and before.done > 0 and before.remaining > 0
    return looped and row.create_date - before.write_date <= ADJACENT


def _execution(rows: Sequence[_Row], next_at: datetime | None) -> Execution:
    last = rows[-1]
    over = last.newest.timed_out_counter == 0
    certain = [at for at in (next_at, last.gone_at) if at is not None]
    found = tuple([row.newest for row in rows])
    first, newest = found[0], found[-1]
    return Execution(
        rows=found,
        key=named(rows[0].number),
        number=last.number,
        start=first.create_date,
        end=max(newest.write_date, newest.create_date, first.create_date),
        ended=over,
        crashed=last.reset if over else bool(certain),
        newer_at=min(certain) if certain and not over else None,
        stuck=last.counter,
    )
