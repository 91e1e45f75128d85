"""What `refold` needs of a store: a shadow in which a tenant's Events wait to be folded anew, and what replaces what.

Only history is replaced: Runs that are closed, and observations. Totals, what was sent and what is open stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from exporter.domain.times import from_micros, micros
from exporter.store import copying
from exporter.store import statements as st
from exporter.store.connecting import Readers
from exporter.store.protocols import FOLD
from exporter.store.sqlite import SqliteStore
from exporter.store.statements import execute
from exporter.store.upkeep import BODIES
from exporter.store.writing import Work

DERIVED = ("subjects", "runs", "links", "parked", "timers", "totals", "observations", "outbox", "owed", "contexts")
_KEPT = """
SELECT coalesce(
  (SELECT max(seen) FROM events WHERE tenant = ?1 AND body IS NULL),
  (SELECT min(seen) FROM events WHERE tenant = ?1 AND EXISTS (
    SELECT 1 FROM offsets WHERE tenant = ?1 AND consumer = ?2 AND seq > 0)))
"""
_RUNS = "SELECT * FROM runs WHERE tenant = ? AND started_at > ?"
_NUMBERS = "SELECT * FROM observations WHERE tenant = ? AND at > ?"
_CLOSED = "SELECT id FROM runs WHERE tenant = ? AND started_at > ? AND ended_at IS NOT NULL"
_GONE = "DELETE FROM runs WHERE tenant = ? AND id = ?"
_NUMBERS_GONE = "DELETE FROM observations WHERE tenant = ? AND at > ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What a refold changed: Runs that differ, that are new, that are gone, that are as they were; observations."""

    changed: int
    fresh: int
    gone: int
    same: int
    numbers: int


def shadow(store: Path, at: Path, tenant: str) -> SqliteStore:
    """A copy of a store that nobody writes, in which a tenant's Events are not folded yet. Raises StoreError."""
    copying.backup(store, at)
    found = SqliteStore(at)
    found.write(_unfolding(tenant))
    return found


def kept_since(readers: Readers, tenant: str) -> datetime | None:
    """From when on the bodies of all Events are kept; None: all that ever came are."""
    found: list[tuple[Any, ...]] = readers.rows(_KEPT, (tenant, BODIES))
    return None if found[0][0] is None else from_micros(found[0][0])


def replace(store: SqliteStore, other: Readers, tenant: str, since: datetime) -> Replaced:
    """Put the closed Runs and observations after a time into the place of the store's own. Raises StoreError."""
    at = micros(since)
    runs: list[tuple[Any, ...]] = other.rows(_RUNS, (tenant, at))
    numbers: list[tuple[Any, ...]] = other.rows(_NUMBERS, (tenant, at))
    return store.write(_replacing(tenant, at, runs, numbers))


def _unfolding(tenant: str) -> Work[None]:
    def work(connection: apsw.Connection) -> None:
        for table in DERIVED:
            connection.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,))  # noqa: S608 - constants only
        connection.execute("DELETE FROM offsets WHERE tenant = ? AND consumer = ?", (tenant, FOLD))
        connection.execute("DELETE FROM sent")

    return work


def _replacing(
    tenant: str, at: int, runs: Sequence[tuple[Any, ...]], numbers: Sequence[tuple[Any, ...]]
) -> Work[Replaced]:
    ended = 7  # the column ended_at

    def work(connection: apsw.Connection) -> Replaced:
        stored = {row[1]: row for row in connection.execute(_RUNS, (tenant, at))}
        before = {name: row for name, row in stored.items() if row[ended] is not None}
        closed = {row[1]: row for row in runs if row[ended] is not None}
        known = {row[1] for row in runs}
        gone = [name for name in before if name not in known]
        changed = [row for name, row in closed.items() if name in before and before[name] != row]
        fresh = [row for name, row in closed.items() if name not in stored]  # what is open here stays open
        connection.executemany(_GONE, ((tenant, name) for name in gone))
        execute(connection, st.RUN, [*changed, *fresh])
        connection.execute(_NUMBERS_GONE, (tenant, at))
        execute(connection, st.OBSERVATION, numbers)
        same = sum(before[name] == row for name, row in closed.items() if name in before)
        return Replaced(changed=len(changed), fresh=len(fresh), gone=len(gone), same=same, numbers=len(numbers))

    return work
