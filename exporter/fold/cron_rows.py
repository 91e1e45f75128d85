"""Rows of ir.cron.progress put together into executions: one row is one loop iteration, a run may take several."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.domain.bodies import CronProgress
from exporter.domain.events import Event

ADJACENT = timedelta(seconds=1)  # the next row of a loop is created milliseconds later; RPC shows whole seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Consecutive rows of one run; `crashed` when a newer row exists though this one never ended."""

    rows: tuple[CronProgress, ...]
    crashed: bool = False
    newer_at: datetime | None = None

    @property
    def key(self) -> str:
        """The run key: the id of the first row (decision 9)."""
        return str(self.rows[0].progress_id)

    @property
    def start(self) -> datetime:
        """When the first row was created."""
        return self.rows[0].create_date

    @property
    def ended(self) -> bool:
        """Whether the last row says that it is over."""
        return self.rows[-1].timed_out_counter == 0

    @property
    def end(self) -> datetime:
        """When the last row was written; never before its start."""
        last = self.rows[-1]
        return max(last.write_date, last.create_date)

    @property
    def left_over(self) -> bool:
        """Whether the last iteration said that work remains (Odoo then reports `partially done`)."""
        return self.rows[-1].remaining > 0


def executions(events: Iterable[Event]) -> list[Execution]:
    """Executions in the order of their row ids, from any versions of any rows."""
    rows = _newest(events)
    groups: list[list[CronProgress]] = []
    for row in rows:
        if groups and _continues(groups[-1][-1], row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_execution(group, groups[place + 1 :]) for place, group in enumerate(groups)]


def _newest(events: Iterable[Event]) -> list[CronProgress]:
    """The most advanced version of each row, by row id."""
    found: dict[int, CronProgress] = {}
    for event in events:
        row = event.body
        if not isinstance(row, CronProgress):
            continue
        known = found.get(row.progress_id)
        if known is None or _progress(row) > _progress(known):
            found[row.progress_id] = row
    return [found[row_id] for row_id in sorted(found)]


def _progress(row: CronProgress) -> tuple[bool, datetime, int, int]:
    """How far a version of a row is: over beats not over, then the later write."""
    return (row.timed_out_counter == 0, row.write_date, row.done, -row.remaining)


def _continues(before: CronProgress, row: CronProgress) -> bool:
    """Whether a row is the next loop iteration of the same run (decision 9)."""
    looped = before.timed_out_counter == 0 and before.done > 0 and before.remaining > 0
    return looped and row.create_date - before.write_date <= ADJACENT


def _execution(rows: list[CronProgress], later: Sequence[list[CronProgress]]) -> Execution:
    over = rows[-1].timed_out_counter == 0
    return Execution(
        rows=tuple(rows),
        crashed=not over and bool(later),
        newer_at=later[0][0].create_date if later else None,
    )
