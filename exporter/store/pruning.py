"""What takes history away, a little in each transaction: bodies of Events first, their keys much later.

Of a body that leaves the row is written anew, not updated: SQLite merges pages from which rows were deleted, never
those whose rows became shorter.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apsw

from exporter.store import statements as st
from exporter.store.connecting import Row, Value
from exporter.store.protocols import FOLD
from exporter.store.review import HOOKS
from exporter.store.statements import execute
from exporter.store.upkeep import BODIES, KEYS
from exporter.store.writing import Work

AT_ONCE = 2_000  # rows of one table in one transaction
SUBJECTS_AT_ONCE = 5_000  # that are looked at
LASTING = ("cron", "scheduler")  # Subjects that go on for as long as the database does
QUARANTINED = 10_000  # of one origin of one tenant that are kept, the newest

_OFFSET = "SELECT coalesce((SELECT seq FROM offsets WHERE tenant = ? AND consumer = ?), 0)"
_FOLDED = """
SELECT tenant, source, key, name, version, at, seen, precision, seq FROM events INDEXED BY events_order
WHERE tenant = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?
"""
# The newest row stays: its number must not be given again, every offset would be behind the Event that got it.
_STRIPPED = """
SELECT seq, seen FROM events INDEXED BY events_order
WHERE tenant = ? AND seq > ? AND seq <= ? AND seq < (SELECT max(seq) FROM events) ORDER BY seq LIMIT ?
"""
_EVENTS_GONE = "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE tenant = ? AND seq > ? AND seq <= ?)"
_UNPARKED = "DELETE FROM parked WHERE tenant = ? AND seq > ? AND seq <= ?"
_RUNS_GONE = """
DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs INDEXED BY runs_newest
WHERE tenant = ? AND started_at < ? AND ended_at < ? ORDER BY started_at LIMIT ?)
"""
_NEXT_SERIES = "SELECT min(series) FROM observations WHERE tenant = ? AND series > ?"
_NTH = "SELECT at FROM observations WHERE tenant = ? AND series = ? ORDER BY at, run LIMIT 1 OFFSET ?"
_NUMBERS_GONE = "DELETE FROM observations WHERE tenant = ? AND series = ? AND at <= ? AND at < ?"
_IDLE = """
SELECT key FROM subjects WHERE rowid > ?1 AND rowid <= ?2 AND tenant = ?3 AND touched <= ?4 AND open_since IS NULL
AND kind NOT IN (SELECT value FROM json_each(?5))
AND NOT EXISTS (SELECT 1 FROM timers WHERE timers.tenant = subjects.tenant AND timers.subject = subjects.key)
"""
_UNLINKED = st.Statement("DELETE FROM links WHERE (tenant, subject) IN (VALUES", 2, ")")
_SET_ASIDE = f"""
DELETE FROM quarantine WHERE id IN (SELECT id FROM (
  SELECT id, row_number() OVER (PARTITION BY origin ORDER BY id DESC) AS place FROM quarantine
  WHERE tenant = ? AND origin NOT LIKE '{HOOKS}%') WHERE place > ?)
"""  # noqa: S608 - a constant
_LASTING = '["' + '","'.join(LASTING) + '"]'


def offset(connection: apsw.Connection, tenant: str, consumer: str) -> int:
    """How far a consumer read; 0 at first."""
    return int(connection.execute(_OFFSET, (tenant, consumer)).get)


def stripping(tenant: str, before: int) -> Work[int]:
    """What takes the bodies of folded Events seen before; tells how many. Those parked that long wait no longer."""

    def work(connection: apsw.Connection) -> int:
        done, folded = offset(connection, tenant, BODIES), offset(connection, tenant, FOLD)
        rows = connection.execute(_FOLDED, (tenant, done, folded, AT_ONCE)).fetchall()
        old = list(_older(rows, 6, before))
        if not old:
            return 0
        last = _number(old[-1][8])
        connection.execute(_UNPARKED, (tenant, done, last))
        connection.execute(_EVENTS_GONE, (tenant, done, last))
        execute(connection, st.STRIPPED_EVENT, old)
        execute(connection, st.OFFSET, [(tenant, BODIES, last)])
        return len(old)

    return work


def unkeying(tenant: str, before: int) -> Work[int]:
    """What takes the rows of Events seen before whose bodies are gone: if they came again they would be new."""

    def work(connection: apsw.Connection) -> int:
        done, stripped = offset(connection, tenant, KEYS), offset(connection, tenant, BODIES)
        rows = connection.execute(_STRIPPED, (tenant, done, stripped, AT_ONCE)).fetchall()
        old = list(_older(rows, 1, before))
        if old:
            last = _number(old[-1][0])
            connection.execute(_EVENTS_GONE, (tenant, done, last))
            execute(connection, st.OFFSET, [(tenant, KEYS, last)])
        return len(old)

    return work


def _older(rows: Sequence[Row], seen: int, before: int) -> Iterator[Row]:
    """The rows in front of the first that was seen later: what came behind it stays, too."""
    for row in rows:
        if _number(row[seen]) >= before:
            return
        yield row


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def ending(tenant: str, before: int) -> Work[int]:
    """What takes Runs that ended before."""

    def work(connection: apsw.Connection) -> int:
        connection.execute(_RUNS_GONE, (tenant, before, before, AT_ONCE))
        return int(connection.changes())

    return work


def unobserving(tenant: str, before: int) -> Work[int]:
    """What takes numbers from before, series by series."""

    def work(connection: apsw.Connection) -> int:
        gone, name = 0, connection.execute(_NEXT_SERIES, (tenant, "")).get
        while name is not None and gone < AT_ONCE:
            most = connection.execute(_NTH, (tenant, name, AT_ONCE)).get
            connection.execute(_NUMBERS_GONE, (tenant, name, before if most is None else most, before))
            gone += connection.changes()
            name = connection.execute(_NEXT_SERIES, (tenant, name)).get
        return gone

    return work


def forgetting(tenant: str, after: int) -> Work[tuple[int, int | None]]:
    """What takes Subjects that were not touched since the last Event whose key is gone: nothing can come to them.

    Looks at some rows behind `after`; tells how many went, and where to go on, None at the end.
    """

    def work(connection: apsw.Connection) -> tuple[int, int | None]:
        until = after + SUBJECTS_AT_ONCE
        gone = offset(connection, tenant, KEYS)
        found = connection.execute(_IDLE, (after, until, tenant, gone, _LASTING)).fetchall()
        keys: list[Row] = [(tenant, key) for (key,) in found]
        execute(connection, st.FORGET, keys)
        execute(connection, _UNLINKED, keys)
        execute(connection, st.COUNT, [(tenant, "dropped/subjects", len(keys))] if keys else [])
        last = connection.execute("SELECT coalesce(max(rowid), 0) FROM subjects").get
        return len(keys), until if gone and until < last else None

    return work


def clearing(tenant: str) -> Work[int]:
    """What takes the oldest of what was set aside, beyond QUARANTINED; of requests of senders `review` keeps count."""

    def work(connection: apsw.Connection) -> int:
        connection.execute(_SET_ASIDE, (tenant, QUARANTINED))
        return int(connection.changes())

    return work


def compacting(pages: int) -> Work[int]:
    """What gives free pages back to the disk, at most so many; tells how many are left."""

    def work(connection: apsw.Connection) -> int:
        connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        return int(connection.pragma("freelist_count"))

    return work


def counting(tenant: str, works: Mapping[str, Work[Any]]) -> Work[dict[str, int]]:
    """What does them all and counts the rows they took, by name."""

    def work(connection: apsw.Connection) -> dict[str, int]:
        found = {name: int(each(connection)) for name, each in works.items()}
        gone = {name: number for name, number in found.items() if number}
        execute(connection, st.COUNT, [(tenant, f"dropped/{name}", number) for name, number in gone.items()])
        return gone

    return work
