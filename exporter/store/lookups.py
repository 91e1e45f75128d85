"""What the loops read of the store: Events in order, saved state, what is due, what waits to be sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from exporter.domain.events import Event, decode_body
from exporter.domain.runs import Open, Timer
from exporter.domain.times import from_micros, micros
from exporter.store.connecting import Readers
from exporter.store.encoded import Signal
from exporter.store.entries import OutboxRow, OwedRead, RunRow, Stored, SubjectRow, TotalRow, Unreadable
from exporter.store.rows import RUN_COLUMNS, run_row, total_rows

_encode = msgspec.json.Encoder().encode

# (tenant, seq) is asked for by name: without it SQLite took the UNIQUE index and sorted everything (facts/kernel.md).
_READ = """
SELECT seq, source, key, name, version, at, seen, precision, body FROM events INDEXED BY events_order
WHERE tenant = ? AND seq > ? AND body IS NOT NULL ORDER BY seq LIMIT ?
"""
_SUBJECTS = """
SELECT key, kind, state, open_workflow, open_state, open_since FROM subjects
WHERE tenant = ? AND key IN (SELECT value FROM json_each(?))
"""
_LINKS = "SELECT key, subject FROM links WHERE tenant = ? AND key IN (SELECT value FROM json_each(?))"
_PARKED = """
SELECT events.seq, events.source, events.key, name, version, at, seen, precision, body
FROM parked JOIN events ON events.seq = parked.seq
WHERE parked.tenant = ? AND parked.key IN (SELECT value FROM json_each(?)) AND body IS NOT NULL ORDER BY events.seq
"""
# By the tenant's index on the start: few Runs begin within a moment, a Subject may have thousands.
_NEAR = f"""
SELECT {RUN_COLUMNS} FROM runs INDEXED BY runs_newest
WHERE tenant = ? AND started_at BETWEEN ? AND ? AND subject = ? ORDER BY started_at, id
"""  # noqa: S608 - a constant
# CROSS keeps the order: from each mark to what is due of its Source, not through every Timer there is.
_DUE = """
SELECT subject, name, due, source FROM json_each(?2) AS mark CROSS JOIN timers INDEXED BY timers_due
ON tenant = ?1 AND source = mark.key AND due <= mark.value ORDER BY due, subject, name LIMIT ?3
"""
_TIMERS = """
SELECT subject, name, due, source FROM timers
WHERE tenant = ? AND subject IN (SELECT value FROM json_each(?)) ORDER BY due, subject, name
"""
_OWED = "SELECT source, key, seq FROM owed WHERE tenant = ? ORDER BY source, key"
_PENDING = """
SELECT id, context, body, at FROM outbox INDEXED BY outbox_order WHERE signal = ? AND id > ? ORDER BY id LIMIT ?
"""


def _stored(row: tuple[Any, ...]) -> Stored | Unreadable:
    seq, source, key, name, version, at, seen, precision, raw = row
    try:
        event = Event(
            source=source,
            key=key,
            name=name,
            at=from_micros(at),
            seen=from_micros(seen),
            precision=precision,
            body=decode_body(name, raw, version),
        )
    except (KeyError, ValueError, OverflowError) as error:  # msgspec's errors are ValueErrors
        return Unreadable(seq=seq, name=name, reason=f"{type(error).__name__}: {error}")
    return Stored(seq=seq, event=event)


class Lookups:
    """The reading half of Inbox, Ledger and Outbox; every call its own short transaction."""

    def __init__(self, readers: Readers) -> None:
        self._rows = readers.rows
        self._contexts: dict[int, bytes] = {}  # their ids are digests of them, so they never change

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """How far we read outside: key -> mark."""
        found = self._rows("SELECT key, mark FROM marks WHERE tenant = ? AND source = ?", (tenant, source))
        return {str(key): str(mark) for key, mark in found}

    def read(self, tenant: str, after: int, limit: int) -> list[Stored | Unreadable]:
        """Events behind an offset, in order."""
        return [_stored(row) for row in self._rows(_READ, (tenant, after, limit))]

    def offset(self, tenant: str, consumer: str) -> int:
        """How far a consumer read; 0 at first."""
        found: Sequence[Any] = self._rows(
            "SELECT seq FROM offsets WHERE tenant = ? AND consumer = ?", (tenant, consumer)
        )
        return int(found[0][0]) if found else 0

    def subjects(self, tenant: str, keys: Sequence[str]) -> dict[str, SubjectRow]:
        """Saved Subjects by key; unknown ones are absent."""
        found: list[tuple[Any, ...]] = self._rows(_SUBJECTS, (tenant, _encode([*keys]).decode()))
        return {
            key: SubjectRow(
                key=key,
                kind=kind,
                state=state,
                open=None if since is None else Open(workflow=workflow or "", state=where, since=from_micros(since)),
                shown=since is None or workflow is not None,
            )
            for key, kind, state, workflow, where, since in found
        }

    def run(self, tenant: str, run_id: str) -> RunRow | None:
        """A Run by id."""
        found = self._rows(f"SELECT {RUN_COLUMNS} FROM runs WHERE tenant = ? AND id = ?", (tenant, run_id))  # noqa: S608 - a constant
        return run_row(found[0]) if found else None

    def runs_near(self, tenant: str, subject: str, began: tuple[datetime, datetime]) -> list[RunRow]:
        """Runs of the Subject that started between two times (both included), oldest first."""
        found = self._rows(_NEAR, (tenant, micros(began[0]), micros(began[1]), subject))
        return [run_row(row) for row in found]

    def links(self, tenant: str, keys: Sequence[str]) -> dict[str, str]:
        """Link key -> Subject; keys that nobody made yet are absent."""
        found = self._rows(_LINKS, (tenant, _encode([*keys]).decode()))
        return {str(key): str(subject) for key, subject in found}

    def parked(self, tenant: str, keys: Sequence[str]) -> list[Stored | Unreadable]:
        """Events that wait for one of these link keys, in order."""
        return [_stored(row) for row in self._rows(_PARKED, (tenant, _encode([*keys]).decode()))]

    def totals(self, tenant: str) -> list[TotalRow]:
        """Every series of the tenant."""
        return total_rows(self._rows, tenant)

    def due(self, tenant: str, until: Mapping[str, datetime], limit: int) -> list[Timer]:
        """Timers due by the mark of their Source, earliest first."""
        marks = _encode({source: micros(mark) for source, mark in until.items()}).decode()
        found: list[tuple[Any, ...]] = self._rows(_DUE, (tenant, marks, limit))
        return [Timer(subject=subject, name=name, due=from_micros(at), source=src) for subject, name, at, src in found]

    def timers_of(self, tenant: str, subjects: Sequence[str]) -> list[Timer]:
        """Every Timer that is set for these Subjects, earliest first."""
        found: list[tuple[Any, ...]] = self._rows(_TIMERS, (tenant, _encode([*subjects]).decode()))
        return [Timer(subject=subject, name=name, due=from_micros(at), source=src) for subject, name, at, src in found]

    def owed(self, tenant: str) -> list[OwedRead]:
        """Reads that are owed and not paid yet, by Source and key."""
        found: list[tuple[Any, ...]] = self._rows(_OWED, (tenant,))
        return [OwedRead(source=source, key=key, seq=seq) for source, key, seq in found]

    def pending(self, signal: Signal, limit: int, after: int = 0) -> list[OutboxRow]:
        """Rows in order of id, across tenants; rows of one context share the same bytes object."""
        found: list[tuple[Any, ...]] = self._rows(_PENDING, (signal, after, limit))
        return [
            OutboxRow(id=number, signal=signal, context=self._context(context), body=body, at=from_micros(at))
            for number, context, body, at in found
        ]

    def _context(self, number: int) -> bytes:
        if number not in self._contexts:
            found: Sequence[Any] = self._rows("SELECT body FROM contexts WHERE id = ?", (number,))
            self._contexts[number] = found[0][0]
        return self._contexts[number]
