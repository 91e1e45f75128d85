"""The store on SQLite: Inbox, Ledger and Outbox on one file, with one writer (apsw: its own current SQLite)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from exporter.domain.events import Event
from exporter.store.connecting import Readers, explained, open_writing
from exporter.store.encoded import Signal
from exporter.store.entries import Appended, Commit, OwedRead, PollReport
from exporter.store.keeping import SqliteUpkeep
from exporter.store.locking import FileLock
from exporter.store.lookups import Lookups
from exporter.store.review import SqliteReview
from exporter.store.settling import PRUNED_AT_ONCE, pruning, settling
from exporter.store.writer import Writer
from exporter.store.writing import Work, appending, committing

T = TypeVar("T")
DEADLINE = 30.0  # seconds a caller waits for its fsync


class SqliteStore(Lookups):
    """Every write returns after its fsync; safe to call from any thread, one process at a time."""

    def __init__(self, path: Path, *, deadline: float = DEADLINE, max_bytes: int | None = None) -> None:
        """Open, creating or migrating the file.

        Args:
            path: the file; its folder must exist.
            deadline: seconds a caller waits before it is told so (StoreError).
            max_bytes: beyond this size of the file every write that needs room is refused (StoreFull).

        Raises:
            StoreError: another process writes it, or a newer program made it. StoreFull, StoreBroken.
        """
        self._lock = FileLock(path)
        self.readers = self._readers = Readers(path)
        super().__init__(self._readers)
        try:
            self._writer = Writer(open_writing(path, max_bytes), path, deadline)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, apsw.Error):
                raise explained(error, path) from error
            raise
        self.upkeep = SqliteUpkeep(self._writer, self._readers, path)
        self.review = SqliteReview(self._writer, self._readers)
        self._path = path

    def append(
        self,
        tenant: str,
        events: Sequence[Event],
        marks: Mapping[tuple[str, str], str | None] | None = None,
        report: PollReport | None = None,
        *,
        paid: Sequence[OwedRead] = (),
        within: float | None = None,
    ) -> Appended:
        """Make Events, mark changes, the report and what it pays durable in one transaction; raises as Writer.do.

        What brings no Events is always taken: a report says that there is no room.
        """
        if events:
            self.upkeep.require_room()
        return self._writer.do(appending(tenant, events, marks or {}, report, paid=paid), within)

    def commit(self, commit: Commit) -> None:
        """Write it whole; raises Fenced, and as Writer.do."""
        self._writer.do(committing(commit))

    def settle(
        self, signal: Signal, delivered: Sequence[int], rejected: Mapping[int, str] | None = None, counted: int = 0
    ) -> None:
        """Drop delivered rows, set rejected ones aside, count both.

        `counted` of the delivered rows were rejected by the server inside an accepted request: they count as
        rejected, not as accepted.
        """
        self._writer.do(settling(signal, delivered, rejected or {}, counted))

    def prune(self, signal: Signal, keep: int) -> int:
        """Drop the oldest rows beyond `keep`, counted; in several transactions when there are many."""
        dropped = last = self._writer.do(pruning(signal, keep))
        while last == PRUNED_AT_ONCE:
            last = self._writer.do(pruning(signal, keep))
            dropped += last
        return dropped

    def write(self, work: Work[T]) -> T:
        """One piece of work of the store's own, in a transaction; raises as Writer.do."""
        return self._writer.do(work)

    def close(self) -> None:
        """Finish what is queued, fold the WAL into the file, let go of it. Does nothing the second time."""
        self._readers.close()
        self._writer.close()
        self._lock.release()
