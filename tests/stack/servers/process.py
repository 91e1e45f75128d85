"""A server process of a test: started in its own process group, logged to a file, waited for, stopped or killed."""

import atexit
import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

Value = TypeVar("Value")

HOST = "127.0.0.1"
TAIL = 40
# Below the range from which the kernel takes ports of outgoing connections: a killed server finds its port free again.
PORTS = range(15_000, 32_000)
_given: set[int] = set()
_running: set[subprocess.Popen[bytes]] = set()


class ServerError(RuntimeError):
    """A server did not start, or a tool of it failed; the message ends with the tail of its log."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on and that was not given out before in this process."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port
    raise ServerError("no free port on 127.0.0.1")


def answers(port: int, path: str) -> bool:
    """Whether a GET of `path` on `port` is answered with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until(check: Callable[[], Value], what: str, *, within: float = 30, every: float = 0.05) -> Value:
    """Call `check` until it returns something true, and return that; raise after `within` seconds."""
    deadline = time.monotonic() + within
    while not (seen := check()):
        if time.monotonic() > deadline:
            raise ServerError(f"not within {within:g} s: {what}; last seen: {seen!r}")
        time.sleep(every)
    return seen


def tail(log: Path, lines: int = TAIL) -> str:
    """The last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to execute, and as whom."""

    command: tuple[str | Path, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own, writing to the end of `log`."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(word) for word in self.command],
                env={**os.environ, **self.env},
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
            )


class Server:
    """Base of all servers: subclasses say what to launch and when it is ready."""

    name = "server"
    start_within = 60.0
    stop_within = 15.0
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        """Keep everything of this server under `folder`; nothing is started."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> Launch:
        """What to execute."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether the server answers."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerError(f"{self.name} is not started")
        return self._process.pid

    def start(self) -> Self:
        """Start (again, on the same ports and data) and wait until ready."""
        if self.running:
            raise ServerError(f"{self.name} runs already")
        self._process = self.launch().start(self.log)
        _running.add(self._process)
        try:
            wait_until(self._up, f"{self.name} ready", within=self.start_within)
        except ServerError as error:
            self.kill()
            raise ServerError(f"{error}\n{tail(self.log)}") from None
        return self

    def stop(self) -> None:
        """Ask politely, then kill; a stopped server may be started again."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.stop_within)
        self.kill()

    def kill(self) -> None:
        """SIGKILL the whole process group: nothing is flushed, nothing is said goodbye to."""
        if self._process is None:
            return
        _kill(self._process)
        self._process = None

    def restart(self) -> None:
        """Stop and start on the same ports and data."""
        self.stop()
        self.start()

    def _up(self) -> bool:
        if not self.running:
            raise ServerError(f"{self.name} ended by itself")
        return self.ready()

    def __enter__(self) -> Self:
        """Start; a server that runs already is taken as it is."""
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _running.discard(process)


@atexit.register
def _kill_all() -> None:
    """An interrupted pytest must not leave servers behind."""
    for process in tuple(_running):
        _kill(process)
