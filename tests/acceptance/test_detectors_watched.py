"""The process beside us: a stand-in for the detectors, started by the real service, killed, hung and orphaned."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from exporter.clock import SystemClock
from exporter.loops.child import Child, spared
from exporter.sources.odoo.registry import COLLECTIONS
from exporter.tokens import DETECTORS, Tokens
from tests.fakes import collector as answers
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import ROOT, Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

DARK = {"url": "http://127.0.0.1:1", "database": "acme", "user": "bot", "api_key": "c4n4ry", "poll_seconds": 3600}
# Says who it is and what it was told; then does what the file `do` beside it says.
STAND_IN = """
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
said = {"pid": os.getpid(), "arguments": sys.argv[1:], "environ": dict(os.environ)}
(here / "said.new").write_text(json.dumps(said))
(here / "said.new").rename(here / "said")
with (here / "lives").open("a") as lives:
    lives.write("x")
print("a line of text", flush=True)
print(json.dumps({"level": "warning", "message": "a line of log"}), file=sys.stderr, flush=True)
exec((here / "do").read_text())
"""
WAIT = "while True: time.sleep(0.05)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
GRANDCHILD = "os.fork()\n" + WAIT
MISSING = "import pyod_that_is_not_there"


class Stage:
    """A folder with a stand-in module, and the exporter started in it."""

    def __init__(self, folder: Path) -> None:
        self.module = folder / "detectors"
        self.module.mkdir()
        (self.module / "__init__.py").touch()
        (self.module / "__main__.py").write_text(STAND_IN, encoding="utf-8")
        self.exporter = Exporter(
            folder=folder / "exporter", databases=[DARK], cwd=folder, settings={"detectors": True, "log_level": "debug"}
        )

    def will(self, do: str) -> None:
        """What the stand-in does from its next start."""
        (self.module / "do").write_text(do, encoding="utf-8")

    @property
    def lives(self) -> int:
        """How often it was started."""
        path = self.module / "lives"
        return len(path.read_text(encoding="utf-8")) if path.exists() else 0

    def said(self) -> dict[str, object]:
        """What it was told at its last start."""
        found: dict[str, object] = json.loads((self.module / "said").read_text(encoding="utf-8"))
        return found

    def pid(self) -> int:
        """Of its last start."""
        return int(str(self.said()["pid"]))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Nothing started yet."""
    made = Stage(tmp_path)
    try:
        yield made
    finally:
        made.exporter.__exit__()


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_it_is_told_where_to_read_and_post(stage: Stage) -> None:
    """It gets the state folder and the intake, can post with a token it makes there, and no secret of ours (R15)."""
    stage.will(WAIT)
    os.environ["ACME_SECRET"] = "c4n4ry"
    try:
        stage.exporter.start()
    finally:
        del os.environ["ACME_SECRET"]
    until(lambda: stage.lives == 1)
    arguments = stage.said()["arguments"]
    assert isinstance(arguments, list)
    told = dict(zip(arguments[::2], arguments[1::2], strict=True))
    secret = Tokens(Path(told["--state"])).make(DETECTORS, datetime.now(UTC), own=True).reveal()
    answer = requests.post(
        f"{told['--intake']}/v1/events", json=[], headers={"Authorization": f"Bearer {secret}"}, timeout=5
    )
    assert answer.status_code == 202
    assert "c4n4ry" not in json.dumps(stage.said())
    assert secret not in json.dumps(stage.said())
    until(lambda: any("a line of log" in line for line in stage.exporter.lines))
    by = {line["message"]: line for line in stage.exporter.logs()}  # every line is one JSON object (R16)
    assert (by["a line of log"]["level"], by["a line of text"]["level"]) == ("warning", "debug")
    assert by["a line of log"]["logger"] == "detectors"


def test_killed_it_is_started_again(stage: Stage) -> None:
    """R21, feature 73: another process soon runs, and the exporter never stopped answering."""
    stage.will(WAIT)
    stage.exporter.start()
    until(lambda: stage.lives == 1)
    first = stage.pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: stage.lives == 2 and stage.pid() != first, 10)
    assert is_running(stage.pid())
    assert stage.exporter.get("/healthz")[0] == 200
    assert stage.exporter.get("/metrics")[0] == 200


def test_sigterm_stops_both(stage: Stage) -> None:
    """R20: exit code 0 and nobody left within 10 s."""
    stage.will(WAIT)
    stage.exporter.start()
    until(lambda: stage.lives == 1)
    assert stage.exporter.stop() < 10
    until(lambda: not is_running(stage.pid()), 1)
    assert stage.lives == 1


def test_one_that_does_not_hear_is_killed(stage: Stage) -> None:
    """R20: a process that ignores SIGTERM does not hold us up, and does not stay."""
    stage.will(DEAF)
    stage.exporter.start()
    until(lambda: stage.lives == 1)
    time.sleep(0.2)  # until it is deaf
    assert stage.exporter.stop() < 10
    until(lambda: not is_running(stage.pid()), 1)


def test_everything_hanging_at_once_ends_in_time(stage: Stage) -> None:
    """R20: Odoo, the Collector, a deaf process and a half-sent body together: exit 0 in less than 10 s."""
    stage.will(DEAF)
    odoo = live_lab()
    with LiveServer(odoo) as server, FakeCollector(default=answers.hang(60)) as collector:
        stage.exporter.databases, stage.exporter.endpoint = [server.entry("acme")], collector.url
        stage.exporter.start()
        until(lambda: len(stage.exporter.reports("acme")) == len(COLLECTIONS) and stage.lives == 1)
        with odoo.transaction():
            live.done(odoo, live.job(odoo))
        until(lambda: collector.requests)
        asked = len(server.requests)
        server.trouble = server.hang
        until(lambda: len(server.requests) > asked)
        with socket.create_connection(("127.0.0.1", _port(stage.exporter)), timeout=5) as half:
            half.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[")
            assert stage.exporter.stop() < 10
    until(lambda: not is_running(stage.pid()), 1)


def _port(exporter: Exporter) -> int:
    """Of the intake."""
    taken = "events are taken on http://127.0.0.1:"
    return int(next(line for line in exporter.lines if taken in line).partition(taken)[2].partition('"')[0])


@pytest.mark.parametrize("do", [WAIT, DEAF, GRANDCHILD], ids=["honest", "deaf", "with a child of its own"])
def test_it_dies_with_us(stage: Stage, do: str) -> None:
    """SIGKILL gives us no chance to stop it: it ends by itself, with whatever it started."""
    stage.will(do)
    stage.exporter.start()
    until(lambda: stage.lives == 1)
    group = os.getpgid(stage.pid())
    stage.exporter.kill()
    until(lambda: not _members(group), 5, "its end")


def _members(group: int) -> list[int]:
    """The living processes of a group."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if is_running(pid) and _group(pid) == group]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_one_that_cannot_start_is_said_once(stage: Stage) -> None:
    """Without PyOD: one warning with the reason however often it is tried, and everything else works."""
    stage.will(MISSING)
    stage.exporter.start()
    until(lambda: stage.lives >= 3, 15)
    warnings = [line for line in stage.exporter.logs() if line["level"] == "warning" and "ended" in line["message"]]
    assert [line["message"] for line in warnings] == [
        "detectors ended: code 1, ModuleNotFoundError: No module named 'pyod_that_is_not_there'; it is started again"
    ]
    assert stage.exporter.get("/readyz")[0] == 200
    assert stage.exporter.stop() < 10


def test_switched_off_it_is_not_started(stage: Stage) -> None:
    """`detectors: false`: no process; the intake takes events of one that runs elsewhere on this machine."""
    stage.exporter.settings = {"detectors": False}
    stage.will(WAIT)
    stage.exporter.start()
    assert stage.exporter.get("/healthz")[0] == 200
    stage.exporter.stop()
    assert stage.lives == 0


def _child(folder: Path, do: str, **timing: float) -> tuple[Stage, Child]:
    stage = Stage(folder)
    stage.will(do)
    environ = {**spared(os.environ), "PYTHONPATH": f"{folder}:{ROOT}"}
    return stage, Child(name="detectors", command=("detectors",), clock=SystemClock(), environ=environ, **timing)


def test_tries_are_further_and_further_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait doubles up to the longest; one that has run for a while is started again at once."""
    monkeypatch.chdir(tmp_path)
    stage, child = _child(tmp_path, "sys.exit(3)", first=0.01, longest=5.0)
    child.start()
    try:
        until(lambda: stage.lives >= 5, 15)
        time.sleep(0.5)
        assert stage.lives < 9
    finally:
        assert child.stop(3)


def test_a_halt_between_two_lives_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping while it waits to be started again is quick, and nothing is started afterwards."""
    monkeypatch.chdir(tmp_path)
    stage, child = _child(tmp_path, "sys.exit(3)", first=30.0)
    child.start()
    until(lambda: stage.lives == 1 and child.pid is None, 15)
    began = time.monotonic()
    assert child.stop(3)
    assert time.monotonic() - began < 1
    assert stage.lives == 1


def test_stopping_a_deaf_one_leaves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R20: after its time it is killed, with whatever it started, while we go on."""
    monkeypatch.chdir(tmp_path)
    stage, child = _child(tmp_path, "os.fork()\n" + DEAF)
    child.start()
    until(lambda: stage.lives == 1 and len(_members(stage.pid())) == 2, 15)
    time.sleep(0.2)  # until both are deaf
    assert not child.stop(0.3)
    until(lambda: not _members(stage.pid()), 1)


def test_what_it_gets_of_the_environment() -> None:
    """Names that are known to be harmless, nothing else."""
    given = {"PATH": "/bin", "ODOO_API_KEY": "k", "OTEL_EXPORTER_OTLP_HEADERS": "k", "ODOO_OTEL_STATE": "s", "X": "k"}
    assert spared(given) == {"PATH": "/bin", "ODOO_OTEL_STATE": "s"}
