"""The writer: one thread with the one writing connection. Whatever waits becomes one transaction and one fsync.

There is no linger: under load requests gather while the fsync before them runs, when idle one goes alone. Each has a
savepoint, so a refused one takes nobody with it.
"""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, TypeVar

import apsw

from exporter.errors import StoreBroken, StoreError, StoreFull
from exporter.store.connecting import BUSY_MS, WAL_PAGES, explained, is_full, no_room
from exporter.store.writing import Work

T = TypeVar("T")
GROUPED = 256  # requests in one transaction
LOG_MOST = 4 * WAL_PAGES  # readers that overlap keep the WAL from beginning anew: beyond this they are waited for
READERS_MS, PATIENCE = 300, 10.0  # so long, and not again within so many seconds (a backup reads for longer)
WAITING = 10_000  # requests queued before more are refused
# What is wrong with a request alone. Everything else (I/O, corruption, a fault of ours) stops the writer.
REFUSABLE = (
    StoreError,
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    TypeError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Work for the writing connection, and where its answer goes."""

    work: Work[Any]
    answer: "Future[Any]" = field(default_factory=Future)


class Writer:
    """Owns the writing connection from open to close; safe to call from any thread."""

    def __init__(self, connection: apsw.Connection, path: Path, deadline: float) -> None:
        self._connection = connection
        self._path = path
        self._deadline = deadline
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._broken = ""
        self._wal_pages = 0
        self._patient = 0.0
        connection.set_wal_hook(self._committed)
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def do(self, work: Work[T], within: float | None = None) -> T:
        """Run the work in the next transaction and return its result after the fsync, `within` so many seconds.

        Raises:
            Fenced: as the work did; StoreError: the request itself is wrong, or the deadline passed.
            StoreFull: no room, or too many wait. StoreBroken: nothing may be acknowledged any more.
        """
        request = Request(work)
        self._enqueue(request)
        try:
            result: T = request.answer.result(within or self._deadline)
        except TimeoutError:
            raise self._late(request, within or self._deadline) from None
        return result

    def close(self) -> None:
        """Finish what is queued, fold the WAL into the file, close. Does nothing the second time."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _enqueue(self, request: Request) -> None:
        with self._gate:
            if self._closed:
                raise StoreError(f"{self._path} was closed: open it again to write.")
            if self._queue.qsize() >= WAITING:
                raise StoreFull(f"{WAITING} requests already wait for {self._path}: try again in a second.")
            self._queue.put(request)

    def _late(self, request: Request, deadline: float) -> StoreError:
        if request.answer.cancel():
            return StoreError(f"{self._path} was busy for {deadline} s: nothing was written, try again.")
        return StoreError(
            f"{self._path} did not answer within {deadline} s: it may still be written; "
            "try again, a repeat changes nothing."
        )

    def _serve(self) -> None:
        going = True
        while going:
            batch, going = self._gather()
            live = [request for request in batch if request.answer.set_running_or_notify_cancel()]
            if live:
                self._answer(live)
            if self._wal_pages >= WAL_PAGES:
                self._fold_in()
        self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.close(force=True)

    def _committed(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _gather(self) -> tuple[list[Request], bool]:
        """What waits now, at least one; and whether there will be more."""
        batch: list[Request] = []
        request = self._queue.get()
        while request is not None:
            batch.append(request)
            if len(batch) == GROUPED:
                return batch, True
            try:
                request = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _answer(self, batch: list[Request]) -> None:
        """Write a batch and tell everybody in it; without room, one by one, so that the small still fit."""
        try:
            outcomes = self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, an answer now would be a lie
            full = is_full(error, self._connection)
            if full and len(batch) > 1:
                self._roll_back()
                for request in batch:
                    self._answer([request])
                return
            # A failed fsync is not retryable: the kernel may have dropped the pages (fsyncgate).
            self._broken = self._broken or ("" if full else str(explained(error, self._path)))
            self._roll_back()
            outcomes = [StoreBroken(self._broken) if self._broken else no_room(self._path) for _ in batch]
        for request, outcome in zip(batch, outcomes, strict=True):
            _tell(request, outcome)

    def _transaction(self, batch: list[Request]) -> list[object]:
        if self._broken:
            raise StoreBroken(self._broken)
        self._connection.execute("BEGIN IMMEDIATE")
        outcomes = [self._attempt(request) for request in batch]
        self._connection.execute("COMMIT")
        return outcomes

    def _attempt(self, request: Request) -> object:
        """The result of one request, or the exception that undid it alone."""
        self._connection.execute("SAVEPOINT request")
        try:
            outcome = request.work(self._connection)
        except REFUSABLE as error:
            self._connection.execute("ROLLBACK TO request")
            outcome = error if isinstance(error, StoreError) else _refusal(error)
        self._connection.execute("RELEASE request")
        return outcome

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error as error:
                self._broken = self._broken or str(explained(error, self._path))

    def _fold_in(self) -> None:
        """Fold the WAL into the file; one that grew although that was done waits for readers to let it begin anew."""
        if self._wal_pages < LOG_MOST or monotonic() < self._patient:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
            return
        self._connection.set_busy_timeout(READERS_MS)
        if not self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART):
            self._patient = monotonic() + PATIENCE
        self._connection.set_busy_timeout(BUSY_MS)

    def _checkpoint(self, mode: int) -> bool:
        """Fold the WAL into the file, after the answers: nobody waits for it, and all it moves is already durable.

        False if not all could be done: it stays in the WAL until no reader is in the way, or there is room.
        """
        self._wal_pages = 0
        if self._broken:
            return False
        try:
            self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            if not is_full(error, self._connection):
                # Trying again after a failed fsync could throw away the WAL for pages that never reached the disk.
                self._broken = str(explained(error, self._path))
            return False
        return True


def _refusal(error: Exception) -> StoreError:
    refused = StoreError(f"nothing of this request was written, a value in it cannot be stored: {error}.")
    refused.__cause__ = error
    return refused


def _tell(request: Request, outcome: object) -> None:
    if isinstance(outcome, Exception):
        request.answer.set_exception(outcome)
    else:
        request.answer.set_result(outcome)
