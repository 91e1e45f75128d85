"""How fast appends become durable: a hundred in a commit beside one in a commit, in the same run on the same disk."""

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from exporter.domain.bodies import CronProgress
from exporter.domain.events import Event
from exporter.store import open_store
from exporter.store.sqlite import SqliteStore

ROWS, PEER_ROWS, ROUNDS = 10_000, 500, 3
T0 = datetime(2026, 3, 1, tzinfo=UTC)


def _progress(number: int) -> Event:
    """An ended row of ir.cron.progress as Odoo gives it."""
    ended = T0 + timedelta(seconds=number)
    body = CronProgress(
        progress_id=number,
        cron_id=number % 50,
        done=20,
        remaining=0,
        timed_out_counter=0,
        create_date=ended - timedelta(seconds=4),
        write_date=ended,
    )
    return Event(
        source="odoo/crons",
        key=f"0/odoo/crons/{number}/{ended:%Y-%m-%d %H:%M:%S}",
        name="odoo.progress.ended",
        at=ended,
        seen=ended + timedelta(seconds=7),
        body=body,
    )


def _rows_per_s(store: SqliteStore, events: Sequence[Event], together: int) -> float:
    began = time.perf_counter()
    for start in range(0, len(events), together):
        store.append("acme", events[start : start + together])
    return len(events) / (time.perf_counter() - began)


def append_rows_per_s() -> dict[str, float]:
    """Rows per second acknowledged after their fsync, 100 a commit and (peer) 1 a commit: medians of three rounds.

    The files are in the working directory, not in the system's temporary one: that may be memory, where fsync is free.
    """
    numbers = count()
    many, single = [], []
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        store = open_store(Path(folder) / "store.db")
        for _ in range(ROUNDS):
            many.append(_rows_per_s(store, [_progress(next(numbers)) for _ in range(ROWS)], 100))
            single.append(_rows_per_s(store, [_progress(next(numbers)) for _ in range(PEER_ROWS)], 1))
        store.close()
    return {
        "append_rows_per_s": sorted(many)[ROUNDS // 2],
        "append_rows_per_s_peer": sorted(single)[ROUNDS // 2],
    }
