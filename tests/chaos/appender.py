"""The process that is killed: threads append and say which Events are durable, one folds what is there."""

import itertools
import os
import sys
from pathlib import Path
from threading import Thread

from exporter.store import open_store
from exporter.store.entries import Commit, ObservationRow, OutboxRow, Stored, TotalRow
from exporter.store.sqlite import SqliteStore
from tests.contract.store_contract import A, progress

TOGETHER, AGAIN = 20, 2


def _send(store: SqliteStore, first: int) -> None:
    """Append TOGETHER new Events and AGAIN old ones at a time; a line is one write, so it is never half."""
    for start in itertools.count(first, TOGETHER):
        numbers = range(max(start - AGAIN, first), start + TOGETHER)
        store.append(A, [progress(n) for n in numbers])
        os.write(1, (" ".join(map(str, numbers)) + "\n").encode())


def _fold(store: SqliteStore) -> None:
    """Tell one span and one observation of every Event, and keep their number as a total."""
    offset = store.offset(A, "fold")
    told = sum(int(row.state) for row in store.totals(A))
    while True:
        found = [row for row in store.read(A, offset, 500) if isinstance(row, Stored)]
        if not found:
            continue
        told += len(found)
        store.commit(
            Commit(
                tenant=A,
                consumer="fold",
                expected_offset=offset,
                offset=found[-1].seq,
                totals=[TotalRow(name="told", labels=(), state=str(told).encode())],
                observations=[
                    ObservationRow(series="s", run=row.event.key, at=row.event.at, value=1.0) for row in found
                ],
                outbox=[
                    OutboxRow(signal="traces", context=b"c", body=row.event.key.encode(), at=row.event.at)
                    for row in found
                ],
            )
        )
        offset = found[-1].seq


def main(path: Path, starts: list[int]) -> None:
    """Never returns by itself."""
    store = open_store(path)
    os.write(1, b"open\n")
    threads = [Thread(target=_send, args=(store, start)) for start in starts]
    threads.append(Thread(target=_fold, args=(store,)))
    for thread in threads:
        thread.start()
    threads[0].join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(start) for start in sys.argv[2:]])
