"""How fast ir.logging grows, measured before anybody advises `log_db`: nothing purges it (facts/odoo.md section 2).

Read by ids alone, from the newest row back: the table has no other index and may hold years.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from exporter.checking.saying import Severity
from exporter.clock import Clock
from exporter.config import Database
from exporter.errors import SourceError
from exporter.sources.odoo.door import Domain, Door, Missing
from exporter.sources.odoo.log_rows import RECENT
from exporter.sources.odoo.rows import required_instant, row_id, stamp

BACK = 1000  # rows before the newest between which the growth is measured
DAY = timedelta(days=1)
MUCH = 50_000  # rows a day that need somebody who deletes them
CALLS = 8  # of an idle poll (the contract tests count them): each is a line of Odoo's web server
LINES = 2  # of a run that goes well, from Odoo 18 on


def measure(database: Database, door: Door, clock: Clock) -> Iterator[tuple[Severity, str]]:
    """What the table does now, or would do."""
    del clock
    try:
        newest = _newest(door, [])
    except Missing:
        return
    now = door.server_time()
    if newest is None or now - newest[1] > RECENT:
        yield "note", _would(database, door, now)
        return
    older = _newest(door, [["id", "<=", newest[0] - BACK]])
    since = newest[1] - (older[1] if older else now - DAY)
    rows = newest[0] - older[0] if older else newest[0]
    a_day = rows * (DAY / max(since, timedelta(seconds=1)))
    grown = f"ir.logging grows by about {a_day:,.0f} rows a day ({rows:,} in {_time(since)})"
    if a_day > MUCH:
        yield "warning", f"{grown}, and Odoo never deletes any: delete old rows, or raise log_db_level."
    else:
        yield "ok", f"{grown}: it can be a witness of runs (docs/logs.md). Odoo never deletes any of it."


def _newest(door: Door, where: Domain) -> tuple[int, datetime] | None:
    rows = door.search_read("ir.logging", where, ["create_date"], order="id desc", limit=1)
    return (row_id(rows[0]), required_instant(rows[0], "create_date")) if rows else None


def _would(database: Database, door: Door, now: datetime) -> str:
    """What `log_db` would write at level info: as far as it can be known from outside."""
    calls = round(CALLS * DAY.total_seconds() / database.poll_seconds)
    runs = _runs(door, now)
    of_runs = f"{LINES * runs:,} rows a day for {runs:,} runs of actions, " if runs is not None else ""
    return (
        f"Odoo keeps no log in this database (log_db is off). At level info it would write {of_runs}{calls:,} for our "
        "own polls, and one for every other web request, and never delete any: better let the log itself reach us "
        "(docs/logs.md)."
    )


def _runs(door: Door, now: datetime) -> int | None:
    """Rows of runs within a day; None where there is no such table (before 18) or no right to it."""
    try:
        found = door.call("ir.cron.progress", "search_count", domain=[["create_date", ">=", stamp(now - DAY)]])
    except SourceError:
        return None
    return found if isinstance(found, int) else None


def _time(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes / 60:.1f} h" if minutes > 120 else f"{minutes:.1f} min"  # noqa: PLR2004 - two hours
