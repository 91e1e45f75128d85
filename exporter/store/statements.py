"""Every statement that writes many rows, and how many of them go at a time.

Rows go as multi-row VALUES, not executemany: apsw gives the GIL away at every step, and a row per step was 5 to 7
times slower beside a busy thread (and no faster alone).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

import apsw

from exporter.store.connecting import Row

CHUNKS = (100, 25, 5, 1)  # rows per statement: few sizes, so that every text stays prepared


@dataclass(frozen=True, slots=True)
class Statement:
    """Something executed for many rows of the same width: head, then `(?, ?)` a row, then tail."""

    head: str
    width: int
    tail: str = ""


@cache
def _text(statement: Statement, rows: int) -> str:
    one = "(" + ",".join("?" * statement.width) + ")"
    return f"{statement.head} {','.join([one] * rows)} {statement.tail}"


def execute(connection: apsw.Connection, statement: Statement, rows: Sequence[Row]) -> None:
    """Execute the statement for all rows, as many at a time as there are."""
    start = 0
    for size in CHUNKS:
        while len(rows) - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            connection.execute(_text(statement, size), values)
            start += size


EVENT = Statement(
    "INSERT INTO events(tenant, source, key, name, version, at, seen, precision, body) VALUES",
    9,
    "ON CONFLICT(tenant, source, key) DO NOTHING",
)
STRIPPED_EVENT = Statement("INSERT INTO events(tenant, source, key, name, version, at, seen, precision, seq) VALUES", 9)
MARK = Statement("INSERT INTO marks VALUES", 4, "ON CONFLICT(tenant, source, key) DO UPDATE SET mark = excluded.mark")
UNMARK = Statement("DELETE FROM marks WHERE (tenant, source, key) IN (VALUES", 3, ")")
REPORT = Statement(
    "INSERT INTO reports VALUES",
    11,
    "ON CONFLICT(tenant, source) DO UPDATE SET began_at = excluded.began_at, micros = excluded.micros,"
    " ok = excluded.ok, events = excluded.events, error = excluded.error,"
    " last_success = coalesce(excluded.last_success, last_success),"
    " read_until = coalesce(excluded.read_until, read_until), refused = refused + excluded.refused,"
    " missing = excluded.missing",
)
COUNT = Statement(
    "INSERT INTO counters VALUES", 3, "ON CONFLICT(tenant, name) DO UPDATE SET value = value + excluded.value"
)
SENT = Statement("INSERT INTO sent VALUES", 3, "ON CONFLICT(signal, outcome) DO UPDATE SET rows = rows + excluded.rows")
OFFSET = Statement("INSERT INTO offsets VALUES", 3, "ON CONFLICT(tenant, consumer) DO UPDATE SET seq = excluded.seq")
FORGET = Statement("DELETE FROM subjects WHERE (tenant, key) IN (VALUES", 2, ")")
SUBJECT = Statement(
    "INSERT INTO subjects VALUES",
    8,
    "ON CONFLICT(tenant, key) DO UPDATE SET kind = excluded.kind, state = excluded.state, touched = excluded.touched,"
    " open_workflow = excluded.open_workflow, open_state = excluded.open_state, open_since = excluded.open_since",
)
RUN = Statement(
    "INSERT INTO runs VALUES",
    11,
    "ON CONFLICT(tenant, id) DO UPDATE SET kind = excluded.kind, workflow = excluded.workflow,"
    " subject = excluded.subject, trace_id = excluded.trace_id, started_at = excluded.started_at,"
    " ended_at = excluded.ended_at, result = excluded.result, origin = excluded.origin, body = excluded.body",
)
# Two records of one name: the link leads to the same of them in whatever order they came.
LINK = Statement(
    "INSERT INTO links VALUES", 3, "ON CONFLICT(tenant, key) DO UPDATE SET subject = min(subject, excluded.subject)"
)
PARK = Statement("INSERT INTO parked VALUES", 3, "ON CONFLICT(tenant, key, seq) DO NOTHING")
RELEASE = Statement("DELETE FROM parked WHERE (tenant, key) IN (VALUES", 2, ")")
CLEAR = Statement("DELETE FROM timers WHERE (tenant, subject, name) IN (VALUES", 3, ")")
TIMER = Statement(
    "INSERT INTO timers VALUES",
    5,
    "ON CONFLICT(tenant, subject, name) DO UPDATE SET due = excluded.due, source = excluded.source",
)
TOTAL = Statement(
    "INSERT INTO totals VALUES", 4, "ON CONFLICT(tenant, name, labels) DO UPDATE SET state = excluded.state"
)
OBSERVATION = Statement(
    "INSERT INTO observations VALUES",
    5,
    "ON CONFLICT(tenant, series, at, run) DO UPDATE SET value = excluded.value",
)
CONTEXT = Statement("INSERT INTO contexts VALUES", 3, "ON CONFLICT(id) DO NOTHING")
OUTBOX = Statement("INSERT INTO outbox(tenant, signal, context, at, body) VALUES", 5)
OWED = Statement("INSERT INTO owed VALUES", 4, "ON CONFLICT(tenant, source, key) DO UPDATE SET seq = excluded.seq")
PAY = Statement("DELETE FROM owed WHERE (tenant, source, key, seq) IN (VALUES", 4, ")")
# A Subject that a Timer breaks stays as it was and breaks again at every mark: that it does is kept once.
QUARANTINE = Statement(
    "INSERT INTO quarantine(tenant, origin, key, reason, head) SELECT * FROM (VALUES",
    5,
    ") WHERE column2 <> 'timers' OR (column1, column2, column3, column4) NOT IN"
    " (SELECT tenant, origin, key, reason FROM quarantine WHERE origin = 'timers')",
)
