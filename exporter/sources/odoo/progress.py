"""ir.cron.progress: one row per loop iteration, appended; told when it began (if seen open) and when it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.domain.bodies import CronProgress, RecordVanished
from exporter.sources.odoo.counting import Page, count
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.reading import Reading, Table, from_second, second
from exporter.sources.odoo.rows import integer, required_instant, required_link, row_id, stamp
from exporter.sources.odoo.tail import Tail, read_tail, write_tail

PROGRESS = "ir.cron.progress"
FIELDS = ("cron_id", "done", "remaining", "timed_out_counter", "create_date", "write_date")


def read_progress(reading: Reading) -> list[datetime]:
    """Rows behind the tail and those still open; returns their latest times, which no later reading may precede."""
    before = read_tail(reading.marks.get("tail/progress"))
    if "start/progress" not in reading.marks:
        _read_open_first(reading)
    open_ids = _open(reading)
    limit = reading.options.page + len(open_ids)
    tail, raw = reading.behind(
        before,
        lambda of: reading.page(PROGRESS, _wanted(reading, of, open_ids), FIELDS, limit=limit),
        Table(model=PROGRESS, page=limit),
        {one: made for one in open_ids if (made := _known(reading, one).made)},
    )
    rows = reading.parsed(PROGRESS, raw, _progress)
    _vanish(reading, [row.progress_id for row in rows if _is_another(reading, row)])
    for row in rows:
        tail = _tell(reading, row, tail)
    reached = row_id(raw[-1]) if len(raw) >= limit else 0
    present = {row_id(row) for row in raw}
    _vanish(reading, [one for one in _open(reading) if one not in present and (not reached or one <= reached)])
    tail = tail.told(present - {row.progress_id for row in rows})  # refused ones: counted once
    page = [(row.progress_id, row.create_date) for row in rows]
    tail = tail.read(page, reached=reached, now=reading.began_at, overlap=reading.options.overlap)
    reading.note("tail/progress", write_tail(tail))
    wanted = _wanted(reading, before, open_ids)
    read = Page(part="progress", model=PROGRESS, domain=wanted, after=0, rows=len(raw))
    count(reading, read, more=bool(reached))
    if reached:
        reading.told_to(None, more=True)
    return [moment for row in rows for moment in (row.create_date, row.write_date)]


def _wanted(reading: Reading, tail: Tail, open_ids: Sequence[int]) -> Domain:
    start = from_second(reading.marks["start/progress"])
    return ["|", ["id", "in", list(open_ids)], "&", ["id", ">", tail.after], ["create_date", ">=", stamp(start)]]


def _open(reading: Reading) -> list[int]:
    return sorted(int(key.removeprefix("progress/")) for key in reading.marks if key.startswith("progress/"))


def _read_open_first(reading: Reading) -> None:
    """At the first poll: what runs now, before a week of rows that ended."""
    start = reading.began_at - timedelta(days=reading.options.history_days)
    reading.note("start/progress", str(second(start)))
    running = reading.page(PROGRESS, [["timed_out_counter", ">", 0]], FIELDS)
    for row in reading.parsed(PROGRESS, running, _progress):
        _tell(reading, row, Tail())


def _tell(reading: Reading, row: CronProgress, tail: Tail) -> Tail:
    """Started when first seen open, ended once; a row first seen ended tells only that (it carries both times)."""
    key, one, made = f"progress/{row.progress_id}", row.progress_id, second(row.create_date)
    epoch = tail.epoch(made)
    if row.timed_out_counter > 0:
        if key not in reading.marks:
            reading.emit("odoo.progress.started", f"{key}/started", row.create_date, row, epoch=epoch)
            reading.note(key, f"{row.cron_id} {epoch} {made}")
        return tail
    if key in reading.marks:
        epoch = _known(reading, one).epoch
    elif tail.has(one):
        return tail
    reading.emit("odoo.progress.ended", f"{key}/ended", max(row.write_date, row.create_date), row, epoch=epoch)
    reading.note(key, None)
    return tail.told([one])


def _vanish(reading: Reading, gone: Sequence[int]) -> None:
    """Open rows that are no more: purged a week after their process was killed, or deleted with their action."""
    for one in gone:
        key = f"progress/{one}"
        known = _known(reading, one)
        body = RecordVanished(model=PROGRESS, record_id=one, subject_model="ir.cron", subject_id=known.cron)
        reading.emit("odoo.record.vanished", f"{key}/vanished", reading.began_at, body, epoch=known.epoch)
        reading.note(key, None)


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was told when it was open: of which action, in which epoch, and the second in which it was made."""

    cron: int
    epoch: int = 0
    made: int = 0


def _known(reading: Reading, one: int) -> Known:
    """From its mark; an earlier version kept the action only."""
    return Known(*map(int, reading.marks[f"progress/{one}"].split(" ")))


def _is_another(reading: Reading, row: CronProgress) -> bool:
    """Whether the row that was told under this id, when it was open, was made at another time."""
    if f"progress/{row.progress_id}" not in reading.marks:
        return False
    return _known(reading, row.progress_id).made not in {0, second(row.create_date)}


def _progress(row: Row) -> CronProgress:
    return CronProgress(
        progress_id=row_id(row),
        cron_id=required_link(row, "cron_id"),
        done=integer(row, "done"),
        remaining=integer(row, "remaining"),
        timed_out_counter=integer(row, "timed_out_counter"),
        create_date=required_instant(row, "create_date"),
        write_date=required_instant(row, "write_date"),
    )
