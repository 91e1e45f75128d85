"""The store under SIGKILL: what was acknowledged is there, once, and a Commit happened whole or not at all (R1, R3)."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import apsw

from exporter.store import open_reader

ROOT = Path(__file__).parents[2]
KILLS, ROWS = 25, 20_000
SENDERS, RANGE, AGAIN = 3, 1_000_000, 50
LONGEST = 60  # rounds, should a slow machine acknowledge little in each


def _child(path: Path, starts: list[int]) -> "subprocess.Popen[bytes]":
    code = [sys.executable, "-m", "tests.chaos.appender", str(path), *map(str, starts)]
    return subprocess.Popen(code, cwd=ROOT, stdout=subprocess.PIPE)


def _acknowledged_until_killed(path: Path, starts: list[int], seconds: float) -> set[int]:
    """The Events a child said were durable before it was killed, some seconds after it had opened the store."""
    with _child(path, starts) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        said: list[bytes] = []
        listening = Thread(target=said.extend, args=(child.stdout,))
        listening.start()
        listening.join(seconds)
        child.send_signal(signal.SIGKILL)
        listening.join()
        assert child.wait() == -signal.SIGKILL
    return {int(number) for line in said if line.endswith(b"\n") for number in line.split()}


def _next_starts(acknowledged: set[int]) -> list[int]:
    """Where each sender goes on: some before the last it knows to be durable, as one that lost its answer would."""
    first = [sender * RANGE for sender in range(SENDERS)]
    last = [max((n for n in acknowledged if n // RANGE == sender), default=0) for sender in range(SENDERS)]
    return [max(low, high - AGAIN) for low, high in zip(first, last, strict=True)]


def _one(connection: apsw.Connection, sql: str) -> object:
    return connection.execute(sql).get


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    """25 SIGKILLs, 20,000 acknowledged Events with re-sends: 0 lost, 0 doubled, Commits exactly once (R1, R3)."""
    path, seed = tmp_path / "store.db", random.Random(9)
    acknowledged: set[int] = set()
    kills = 0
    while kills < KILLS or (len(acknowledged) < ROWS and kills < LONGEST):
        acknowledged |= _acknowledged_until_killed(path, _next_starts(acknowledged), seed.uniform(0.0, 0.5))
        kills += 1
    connection = apsw.Connection(str(path))
    stored = [int(str(key).split("/")[1]) for (key,) in connection.execute("SELECT key FROM events").fetchall()]
    assert len(acknowledged) >= ROWS
    assert acknowledged - set(stored) == set()
    assert len(stored) == len(set(stored))
    assert _one(connection, "PRAGMA integrity_check") == "ok"
    folded = "SELECT count(*) FROM events WHERE seq <= (SELECT seq FROM offsets WHERE consumer = 'fold')"
    reader = open_reader(path)
    counts = reader.counts()
    assert counts["events"] == len(stored)
    assert counts["spans"] == counts["observations"] == _one(connection, folded)
    assert counts["spans"] == _one(connection, "SELECT count(*) FROM outbox")
    assert int(reader.totals("acme")[0].state) == counts["spans"]
    reader.close()
    connection.close()
