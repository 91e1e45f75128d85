"""Webhooks over real sockets: how many a second are durable before they are answered, and how long an answer takes.

The sender is a process of its own (hook_client.py), signs every request, and keeps its connections.
"""

import hmac
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import apsw
from flask import Flask, request
from waitress import wasyncore
from waitress.server import create_server

from exporter.config import Secret
from exporter.hooks import partial
from exporter.intake.hooks import Served
from exporter.intake.server import THREADS, Intake
from exporter.listening import Listener
from exporter.sources.mapped import parse, parse_mapping
from exporter.store import open_store
from exporter.store.sqlite import SqliteStore
from tests.bench import bench_kernel
from tests.bench.hook_client import SECRET

SENDERS, REQUESTS, ROUNDS = 64, 6000, 3
QUIET, BURST = "250/5", "2500/5"  # 50 a second, and 500 a second for 5 s as at a full minute
PARTS = {"50": 0.5, "99": 0.99, "999": 0.999}
MEDIAN, MOST, LONGEST = 50, 250, 1_000  # milliseconds: what p50, p99 and p99.9 must stay below (Odoo waits a second)
MAPPING = parse_mapping("{delivery: /id, kind: /type}", "bench")
HOOK = Served(
    tenant="acme", name="bench", scheme="standard", secrets=(Secret(SECRET.decode()),), parse=partial(parse, MAPPING)
)


def hooks_per_s() -> dict[str, float]:
    """Ours, beside Flask with a commit a request; the same sender, the same threads, one process each.

    The peer runs on waitress as it comes. What our listener alone is worth is a third figure: the same Flask on it.
    """
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        with _ours(Path(folder)) as (_, url):
            ours = max(_rate(url) for _ in range(ROUNDS))
        with _peer(Path(folder) / "stock.db", stock=True) as url:
            peer = max(_rate(url) for _ in range(ROUNDS))
        with _peer(Path(folder) / "ours.db", stock=False) as url:
            listener = max(_rate(url) for _ in range(ROUNDS))
    return {"hooks_per_s": ours, "hooks_per_s_peer": peer, "hooks_per_s_flask_on_our_listener": listener}


def hook_latency() -> dict[str, float]:
    """p50, p99 and p99.9 in milliseconds: quiet, a burst, quiet, a burst, quiet, beside polls that are folded."""
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder,
        _ours(Path(folder)) as (store, url),
        _beside(store),
    ):
        took = sorted(_sent(url, [QUIET, BURST, QUIET, BURST, QUIET])["took"])
    return {f"hook_p{name}_ms": took[int(len(took) * part)] for name, part in PARTS.items()}


@contextmanager
def _ours(folder: Path) -> Iterator[tuple[SqliteStore, str]]:
    """The intake as the service has it, on a store of its own."""
    store = open_store(folder / "store.db")
    now = lambda: {"acme": datetime.now(UTC)}  # noqa: E731
    intake = Intake(store, (folder, ("127.0.0.1", 0)), now=now, appended=lambda: None, served={"bench": HOOK})
    intake.start()
    try:
        yield store, f"{intake.url}/hooks/bench"
    finally:
        intake.stop()
        store.close()


@contextmanager
def _peer(place: Path, *, stock: bool) -> Iterator[str]:
    """The usual receiver: Flask, the same signature check, one durable insert a request."""
    path, local, numbers = str(place), threading.local(), count()
    setup = apsw.Connection(path)
    setup.execute("PRAGMA journal_mode=wal; CREATE TABLE events(key TEXT UNIQUE, body BLOB)").fetchall()
    app = Flask("peer")
    app.logger.setLevel("CRITICAL")
    lock = threading.Lock()

    @app.post("/hooks/bench")
    def take() -> tuple[dict[str, str], int]:
        raw = request.get_data()
        name = request.headers["webhook-id"]
        signed = f"{name}.{request.headers['webhook-timestamp']}.".encode() + raw
        hmac.compare_digest(hmac.digest(SECRET, signed, "sha256"), b"")
        json.loads(raw)
        if not hasattr(local, "connection"):
            local.connection = apsw.Connection(path)
            local.connection.execute("PRAGMA synchronous=full; PRAGMA busy_timeout=5000").fetchall()
        with lock:
            local.connection.execute("INSERT INTO events VALUES (?, ?)", (f"{name}/{next(numbers)}", raw))
        return {"id": name}, 202

    try:
        with _stock(app) if stock else _listening(app) as port:
            yield f"http://127.0.0.1:{port}/hooks/bench"
    finally:
        setup.close()


@contextmanager
def _stock(app: Flask) -> Iterator[int]:
    """Waitress with nothing but as many threads."""
    server = create_server(app, host="127.0.0.1", port=0, threads=THREADS)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield int(server.effective_port)
    server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
    thread.join(5)


@contextmanager
def _listening(app: Flask) -> Iterator[int]:
    listener = Listener(app, ("127.0.0.1", 0), tuning={"max_request_body_size": 262_144, "threads": THREADS})
    listener.start()
    yield listener.port
    listener.stop()


@contextmanager
def _beside(store: SqliteStore) -> Iterator[None]:
    """Polls of scheduled actions, appended and folded while webhooks come: 200 Events every quarter second."""
    events, stopping = list(bench_kernel.actions()), threading.Event()

    def poll() -> None:
        folding = bench_kernel._folding(store)
        for start in range(0, len(events), 200):
            if stopping.wait(0.25):
                return
            store.append("acme", events[start : start + 200])
            bench_kernel._drain(folding)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(10)


def _rate(url: str) -> float:
    return REQUESTS / float(_sent(url, [str(REQUESTS)])["seconds"])


def _sent(url: str, paces: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.hook_client", url, str(SENDERS), *paces]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found
