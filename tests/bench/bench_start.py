"""What the exporter costs beside a full store: its memory, and the time until it answers.

Full is a million Events, and a Run, a Subject and an observation for every tenth of them. The time is the best of some
starts, as other work of the machine only ever adds to it.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

from exporter.config import STORE_FILE
from exporter.store import open_reader, open_store, schema
from exporter.store.entries import Commit, ObservationRow, RunRow, SubjectRow
from exporter.store.protocols import FOLD
from exporter.store.sqlite import SqliteStore
from tests.bench.bench_store import T0, _progress
from tests.fakes import odoo_live as live
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

EVENTS, TOGETHER = 1_000_000, 2_000
JOBS = 10  # one Run and one Subject for so many Events
TENANT = "acme"
SETTLED = 8.0  # seconds of polls and scrapes before the memory is read
STARTS = 3
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "odoo-otel" / "bench"


def memory() -> dict[str, float]:
    """MiB of resident memory while it polls and is scraped; of an empty store, too."""
    return {"rss_mib": _figures()[0][0], "rss_mib_peer": _figures()[1][0]}


def start() -> dict[str, float]:
    """Seconds until it answers that it is ready; of an empty store, too."""
    return {"start_s": _figures()[0][1], "start_s_peer": _figures()[1][1]}


def filled() -> Path:
    """A store with a million Events, and Runs, Subjects and observations of them; made once for each schema."""
    path = CACHE / f"million-v{len(schema.MIGRATIONS)}.sqlite"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        store = open_store(part)
        for first in range(0, EVENTS, TOGETHER):
            _fill(store, first)
        store.close()
        part.rename(path)
    return path


def _fill(store: SqliteStore, first: int) -> None:
    """Some Events, and a Commit that told of them."""
    store.append(TENANT, [_progress(number) for number in range(first, first + TOGETHER)])
    jobs = range(first, first + TOGETHER, JOBS)
    store.commit(
        Commit(
            tenant=TENANT,
            consumer=FOLD,
            expected_offset=first,
            offset=first + TOGETHER,
            subjects=[SubjectRow(key=f"job/{n}", kind="job", state=_STATE) for n in jobs],
            runs=[_run(n) for n in jobs],
            observations=[
                ObservationRow(series=f"job.duration/{n % 50}", run=f"job/{n}#0", at=T0 + timedelta(seconds=n), value=1)
                for n in jobs
            ],
        )
    )


_STATE = b'["job",{"episodes":1},[],0,[],{},1,{}]' + b" " * 250


def _run(number: int) -> RunRow:
    at = T0 + timedelta(seconds=number)
    return RunRow(
        id=f"job/{number}#0",
        kind="job",
        workflow="root",
        subject=f"job/{number}",
        trace_id=number.to_bytes(16, "big"),
        started_at=at,
        ended_at=at + timedelta(seconds=5),
        result="success",
        origin="live",
        body=b"x" * 700,
    )


@contextmanager
def _running(store: Path | None) -> Iterator[tuple[Exporter, float]]:
    """The exporter beside a fake Odoo, on a copy of the store; seconds until it answered."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder, LiveServer(live_lab()) as server:
        for number in range(20):
            live.cron(server.odoo, f"Action {number}")  # type: ignore[arg-type]
        exporter = Exporter(Path(folder), [server.entry(TENANT)], settings={"retention_days": 3650})
        if store is not None:
            exporter.state.mkdir()
            shutil.copy(store, exporter.state / STORE_FILE)
        began = time.perf_counter()
        exporter.start()
        try:
            until(lambda: exporter.get("/readyz")[0] == 200)
            yield exporter, time.perf_counter() - began
            exporter.stop()
        finally:
            exporter.__exit__()


@cache
def _figures() -> tuple[tuple[float, float], tuple[float, float]]:
    """(MiB, seconds) beside the full store, and beside an empty one; they take turns at starting."""
    full, empty = filled(), None
    _require(full)
    seconds = [(_starts(full), _starts(empty)) for _ in range(STARTS)]
    return (_settled(full), min(ours for ours, _ in seconds)), (_settled(empty), min(peer for _, peer in seconds))


def _require(store: Path) -> None:
    reader = open_reader(store)
    found = reader.counts()
    reader.close()
    if (found["events"], found["runs"], found["observations"]) != (EVENTS, EVENTS // JOBS, EVENTS // JOBS):
        message = f"{store} holds {found}: remove it, it is made again"
        raise ValueError(message)


def _starts(store: Path | None) -> float:
    with _running(store) as (_, seconds):
        return seconds


def _settled(store: Path | None) -> float:
    """The most memory while it polls and is scraped."""
    with _running(store) as (exporter, _):
        end = time.monotonic() + SETTLED
        largest = 0.0
        while time.monotonic() < end:
            exporter.get("/metrics")
            largest = max(largest, exporter.rss())
            time.sleep(0.5)
        return largest
