"""Copies of a store, and the store back from one; both are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from exporter.errors import StoreError
from exporter.store import schema
from exporter.store.locking import FileLock

BUSY_MS = 5_000
BESIDE = ("-wal", "-shm")  # what SQLite keeps beside a file that was not closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy holds: bytes, stored Events, Runs."""

    size: int
    events: int
    runs: int


def backup(path: Path, to: Path) -> Copied:
    """Copy the store at the path as it is at one moment, also while another process writes it; durable when it returns.

    Raises:
        StoreError: there is something at `to` already, no store at the path, or no room.
    """
    if to.exists():
        raise StoreError(f"{to} exists: choose another name, a backup never replaces one.")
    if not path.exists():
        raise StoreError(f"there is no store at {path}: say --state.")
    return _copy(path, to)


def restore(path: Path, source: Path, now: datetime) -> Path | None:
    """Put a copy in the place of the store at the path; where the store that was there is kept, if there was one.

    Raises:
        StoreError: the copy is no store, damaged or of a newer program; the store is in use; no room.
    """
    faults = [said for said in verify(source, quick=True) if not said.ok]
    if faults:
        raise StoreError(f"{source} cannot be restored: {' '.join(fault.sentence for fault in faults)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        fresh = path.with_name(f"{path.name}.restored")
        fresh.unlink(missing_ok=True)
        _copy(source, fresh)
        aside = _aside(path, now)
        fresh.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path} could not be replaced ({error}): nothing of it was lost.") from error
    finally:
        lock.release()
    return aside


def _aside(path: Path, now: datetime) -> Path | None:
    """Give a store, whole or not, a second name, with what stands beside it; the first stays until it is replaced."""
    aside = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%S}")
    if aside.exists():
        raise StoreError(f"{aside} exists: wait a second and restore again.")
    if not path.exists():
        return None
    with suppress(apsw.Error):  # damaged: it is put aside as it is
        apsw.Connection(str(path)).close()  # what is whole takes in its WAL: a kill from here on loses nothing of it
    os.link(path, aside)
    for end in BESIDE:
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + end))
    return aside


def _copy(path: Path, to: Path) -> Copied:
    """A copy under another name first: what bears the name is whole."""
    part = to.with_name(f"{to.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600)
        with closing(_open(path)) as source, closing(apsw.Connection(str(part))) as target:
            with target.backup("main", source, "main") as copying:
                while not copying.done:
                    copying.step()  # all of it in one read transaction: a writer goes on and changes nothing of it
            found = _counted(target)
            target.pragma("journal_mode", "delete")  # one file: whoever reads it leaves nothing beside it
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(to)
        _sync(to.parent)
    except (apsw.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            f"{path} could not be copied to {to} ({error}): is there room, and the right to write?"
        ) from error
    return found


def _open(path: Path) -> apsw.Connection:
    """For reading alone, of this or an older schema; raises StoreError for others, apsw.Error for what is no store."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_MS)
    try:
        found = schema.version(connection)
        if not 0 < found <= len(schema.MIGRATIONS):
            schema.require_current(connection, path)
    except (apsw.Error, StoreError):
        connection.close()
        raise
    return connection


def _counted(connection: apsw.Connection) -> Copied:
    pages, size = connection.pragma("page_count"), connection.pragma("page_size")
    events = connection.execute("SELECT count(*) FROM events").get
    return Copied(size=pages * size, events=events, runs=connection.execute("SELECT count(*) FROM runs").get)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that was looked at, in a sentence."""

    ok: bool
    sentence: str


AHEAD = "SELECT count(*) FROM offsets WHERE seq > (SELECT coalesce(max(seq), 0) FROM events)"
PARKED = "SELECT count(*) FROM parked LEFT JOIN events USING (tenant, seq) WHERE events.seq IS NULL"
ALONE = "SELECT count(*) FROM outbox LEFT JOIN contexts ON contexts.id = outbox.context WHERE contexts.id IS NULL"
UNTOLD = """
SELECT count(*) FROM (
  SELECT signal, sum(CASE outcome WHEN 'put' THEN rows ELSE -rows END) AS waits FROM sent GROUP BY signal
) AS counted WHERE waits <> (SELECT count(*) FROM outbox WHERE outbox.signal = counted.signal)
"""
BACKWARDS = "SELECT count(*) FROM runs WHERE ended_at < started_at"
# A number that must be 0, what is said when it is, and when it is not.
INVARIANTS: tuple[tuple[str, str, str], ...] = (
    (
        AHEAD,
        "No consumer read further than the Events go.",
        "{} consumers read further than the Events go: newer Events were lost.",
    ),
    (
        PARKED,
        "Every Event that waits for another one is there.",
        "{} Events that wait for another one are gone.",
    ),
    (
        ALONE,
        "Every row that waits to be sent has its Resource.",
        "{} rows that wait to be sent have no Resource: they cannot be sent.",
    ),
    (
        UNTOLD,
        "What was told is what was sent and what waits.",
        "Of {} signals what was told is not what was sent and what waits.",
    ),
    (
        BACKWARDS,
        "No Run ends before it begins.",
        "{} Runs end before they begin.",
    ),
)


def verify(path: Path, *, quick: bool = False) -> Iterator[Said]:
    """What there is to say of a store, also while another process writes it; `quick` leaves the indexes unread.

    Nothing is raised: what cannot be looked at is said.
    """
    if not path.exists():
        yield Said(ok=False, sentence=f"There is no file at {path}.")
        return
    try:
        connection = _open(path)
    except StoreError as error:
        yield Said(ok=False, sentence=f"{error}")
        return
    except apsw.Error as error:
        yield Said(ok=False, sentence=f"{path} is no store, or damaged at its beginning ({error}).")
        return
    try:
        with connection:  # one read transaction: every answer is about one moment
            yield from _looked_at(connection, quick=quick)
    except apsw.Error as error:
        yield Said(ok=False, sentence=f"{path} is damaged: {error}.")
    finally:
        connection.close()


def _looked_at(connection: apsw.Connection, *, quick: bool) -> Iterator[Said]:
    found, ours = schema.version(connection), len(schema.MIGRATIONS)
    said = "that of this program" if found == ours else f"it becomes {ours} at the next `odoo-otel run`"
    yield Said(ok=True, sentence=f"It has schema {found}, {said}.")
    check = "PRAGMA quick_check(20)" if quick else "PRAGMA integrity_check(20)"
    faults = [str(row[0]) for row in connection.execute(check) if row[0] != "ok"]
    yield Said(ok=not faults, sentence=f"Pages are damaged: {'; '.join(faults)}." if faults else "Every page is whole.")
    for sql, good, bad in INVARIANTS:
        number = int(connection.execute(sql).get)
        yield Said(ok=not number, sentence=bad.format(number) if number else good)
