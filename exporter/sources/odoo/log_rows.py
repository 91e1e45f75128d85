"""ir.logging: Odoo's log where a database keeps it (`log_db`), and what rules with `log_webhook_calls` write there.

Over RPC a row shows the second in which it was written, but whole: result, duration to 10 ms, exception. Only rows of
loggers that say something are asked for. The table has no index but its id and nothing ever purges it (facts/odoo.md
section 2), so it is never searched but above an id near its end: the first poll begins a little before the newest row,
and what was written before we looked is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exporter.domain.bodies import LogWritten
from exporter.sources.odoo.door import Domain, Row, rows_of
from exporter.sources.odoo.log_lines import AUTOMATION, LOGGERS, LONGEST, OF_THE_RULE, said
from exporter.sources.odoo.reading import Reading, Table, from_second, second
from exporter.sources.odoo.rows import instant, required_instant, required_text, row_id, yes
from exporter.sources.odoo.tail import Tail, read_tail, write_tail

MODEL, RULE = "ir.logging", "base.automation"
FIELDS = ("name", "level", "message", "create_date")
OF_US: Domain = (["name", "in", list(LOGGERS)],)
BEFORE = 1000  # rows before the newest at which the first poll begins
OVERLAP = timedelta(minutes=1)  # every row is a transaction of its own, but those of a rule: theirs is its request's
AGAIN = timedelta(minutes=10)  # between two looks at the newest row
RECENT = timedelta(hours=1)  # a log that is on writes at least every minute: the scheduler looks that often


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A row that says something."""

    number: int
    logger: str
    at: datetime
    body: LogWritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest row of a time: its id, and the second in which it was made, 0 where it says none."""

    number: int
    made: int


def read_logging(reading: Reading) -> None:
    """One poll of `odoo/logging`."""
    reading.part(MODEL, lambda: _read(reading))


def _read(reading: Reading) -> None:
    before, settled = _looked(reading, read_tail(reading.marks.get("tail/logging")))
    tail, rows = reading.behind(before, lambda of: _page(reading, of), Table(model=MODEL, page=reading.options.page))
    fresh = [row for row in rows if not tail.has(row_id(row))]
    written = [one for one in reading.parsed(MODEL, fresh, _written) if one is not None]
    for one in _of_one_writer(reading, written):
        reading.emit("odoo.log.written", f"log/{one.number}", one.at, one.body, epoch=tail.epoch(second(one.at)))
    reached = row_id(rows[-1]) if len(rows) >= reading.options.page else 0
    page = reading.parsed(MODEL, rows, lambda row: (row_id(row), required_instant(row, "create_date")))
    is_whole = not reached and (tail.lost, tail.begins) == (before.lost, before.begins)
    tail = tail.told(row_id(row) for row in rows)
    tail = tail.read(page, reached=reached, now=reading.began_at, overlap=OVERLAP)
    reading.note("tail/logging", write_tail(_moved(tail, settled) if settled and is_whole else tail))
    if reached:
        reading.told_to(None, more=True)


def _page(reading: Reading, tail: Tail) -> list[Row]:
    """Rows of ours behind the Tail, and the one it ends with, whosever: without it nobody knows what is gone."""
    return reading.page(MODEL, ["|", ["id", "=", tail.low], *OF_US], FIELDS, after=tail.after)


def _looked(reading: Reading, tail: Tail) -> tuple[Tail, Newest | None]:
    """Now and then, which row is the newest one, whosever; and the one that was it when that was looked for last.

    All before that one has committed by now. It is behind us when this poll was read to its end.
    """
    mark = reading.marks.get("newest/logging")
    if mark is not None and (reading.began_at - from_second(mark.split(" ")[0]) < AGAIN or tail.reached):
        return tail, None
    rows = reading.door.search_read(MODEL, [], ["create_date"], order="id desc", limit=1)
    newest = _newest(rows)
    _lit(reading, newest.number)
    reading.note("newest/logging", f"{second(reading.began_at)} {newest.number} {newest.made}")
    if newest.number < tail.low:  # rows were deleted, or the database was restored
        return tail if tail.newest else Tail(low=newest.number), None
    if mark is None:
        return replace(tail, low=max(tail.low, newest.number - BEFORE)), None
    _, number, *made = map(int, mark.split(" "))
    # An earlier version did not say when that row was made.
    return tail, Newest(number=number, made=made[0]) if made and tail.low < number <= newest.number else None


def _newest(rows: Sequence[Row]) -> Newest:
    made = instant(rows[0], "create_date") if rows else None
    return Newest(number=row_id(rows[0]) if rows else 0, made=second(made) if made else 0)


def _moved(tail: Tail, to: Newest) -> Tail:
    """The tail behind a row that was the newest one a while ago: most rows are none of ours and never move it."""
    if to.number <= tail.low:
        return tail
    seen = frozenset(one for one in tail.seen if one > to.number)
    return replace(tail, low=to.number, seen=seen, newest=max(tail.newest, to.made))


def _lit(reading: Reading, newest: int) -> None:
    """Whether Odoo keeps its log in the database; no matter where the log itself reaches us.

    Runs begin and end at level info, and a log of that level always has a row of the last minutes. One of warnings
    alone (`log_db_level`) has some now and then, and none of a run; what rules write of their calls is no log.
    """
    told: Domain = [["id", ">", newest - BEFORE], ["level", "=", "INFO"], ["name", "!=", OF_THE_RULE]]
    rows = reading.door.search_read(MODEL, told, ["create_date"], order="id desc", limit=1)
    made = instant(rows[0], "create_date") if rows else None
    fresh = made is not None and reading.began_at - made < RECENT
    reading.sees("log_db", "" if fresh or reading.options.odoo_log else "log_off")


def _of_one_writer(reading: Reading, written: Sequence[Written]) -> list[Written]:
    """Without what a rule that logs its own calls has written, too: then its logger says the same again."""
    rules = {one.body.rule for one in written if one.logger == AUTOMATION and one.body.rule}
    twice: set[int] = set()

    def ask() -> None:
        asked = reading.door.call(RULE, "read", ids=sorted(rules), fields=["log_webhook_calls"], load=None)
        twice.update(row_id(row) for row in rows_of(asked, RULE) if yes(row, "log_webhook_calls"))

    if rules:
        reading.part(RULE, ask)
    return [one for one in written if one.logger != AUTOMATION or one.body.rule not in twice]


def _written(row: Row) -> Written | None:
    message = row.get("message")
    text = message if isinstance(message, str) else ""
    logger = required_text(row, "name")
    first, _, rest = text[:LONGEST].partition("\n")
    body = said(logger, first, rest)
    if body is None:
        return None
    at = required_instant(row, "create_date")
    level = required_text(row, "level").upper()
    return Written(number=row_id(row), logger=logger, at=at, body=replace(body, level=level))
