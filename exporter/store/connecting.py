"""Opening the file: the one connection that writes, and read-only ones, a thread each."""

import errno
import threading
from collections.abc import Sequence
from pathlib import Path

import apsw

from exporter.errors import StoreBroken, StoreError, StoreFull
from exporter.store import schema

BUSY_MS = 5_000
WRITER_CACHE_KIB = 8_192
READER_CACHE_KIB = 1_024  # times the threads that read
WAL_PAGES = 2_000  # 8 MiB between checkpoints
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # SQLite itself calls only the first one full
_WRITES = {apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_TRUNCATE}
Value = str | int | float | bytes | None
Row = tuple[Value, ...]


def open_writing(path: Path, max_bytes: int | None = None) -> apsw.Connection:
    """The one writing connection, its file created, migrated and set to survive a power cut.

    Args:
        path: the file; its folder must exist.
        max_bytes: the budget; beyond it every write is refused with StoreFull.
    """
    path.touch(mode=0o600)
    connection = _connect(path, apsw.SQLITE_OPEN_READWRITE, WRITER_CACHE_KIB)
    connection.pragma("auto_vacuum", "incremental")  # of an empty file; housekeeping gives its free pages back
    # NORMAL lost 8,497 acknowledged rows in 300 power cuts, FULL none (facts/reliability.md finding 4).
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", 0)  # the writer does it after answering, and hears when it fails
    connection.pragma("journal_size_limit", 4 * WAL_PAGES * 4_096)
    schema.migrate(connection, path)
    if max_bytes is not None:
        connection.pragma("max_page_count", max(1, max_bytes // int(connection.pragma("page_size"))))
    return connection


def open_reading(path: Path) -> apsw.Connection:
    """A read-only connection to a file of exactly our schema."""
    connection = _connect(path, apsw.SQLITE_OPEN_READONLY, READER_CACHE_KIB)
    schema.require_current(connection, path)
    return connection


def _connect(path: Path, flags: int, cache_kib: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=200)
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "memory")  # no temporary files: the root file system may be read-only
    return connection


def explained(error: Exception, path: Path) -> StoreError:
    """The StoreError that says what an error of SQLite means for the caller."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, apsw.FullError):
        return no_room(path)
    return StoreBroken(f"{path} cannot be used ({error}): check the disk, then start again.")


def no_room(path: Path) -> StoreFull:
    """What is said when a write found no room."""
    return StoreFull(f"no room left for {path}: free space on that disk or raise the store's budget.")


def is_full(error: Exception, connection: apsw.Connection) -> bool:
    """Whether a write found no room: on the disk, in a quota, under a limit on the size of files, in the budget.

    Of a failed fsync nothing is believed: what it was to make durable may be lost.
    """
    if isinstance(error, apsw.IOError):
        return getattr(error, "extendedresult", 0) in _WRITES and connection.system_errno in _NO_ROOM
    return isinstance(error, apsw.FullError)


class Readers:
    """Read-only connections to one file, opened when a thread first reads and dropped when it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._closed = False

    def rows(self, sql: str, bindings: Sequence[Value] = ()) -> list[Row]:
        """Every row of one query, which is a transaction of its own. Raises StoreError."""
        try:
            return self._connection().execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise StoreError(f"{self._path} could not be read: {error}.") from error

    def close(self) -> None:
        """Let go of every thread's connection; reading afterwards is refused."""
        self._closed = True
        self._own = threading.local()  # what a thread is reading with right now closes when it is done

    def _connection(self) -> apsw.Connection:
        if self._closed:
            raise StoreError(f"{self._path} was closed: open it again to read.")
        found: apsw.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = open_reading(self._path)
        return found
