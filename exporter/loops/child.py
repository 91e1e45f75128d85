"""A process beside us: started, started again when it ends, ended with us; whatever it does, we go on."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock, Thread, Timer
from typing import IO

from exporter.clock import Clock

log = logging.getLogger(__name__)
TETHER = (sys.executable, "-m", "exporter.loops.tether")
LINE = 8_000  # characters of a line that are kept
# What a process of ours needs of the environment: none of Odoo's or the Collector's secrets.
KEPT = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
KEPT_PREFIXES = ("LC_", "PYTHON", "ODOO_OTEL_", "OMP_", "OPENBLAS_", "MKL_", "NUMBA_", "COVERAGE_")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


def spared(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that a process beside us gets."""
    return {name: value for name, value in environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}


@dataclass(slots=True, kw_only=True)
class Child:
    """Keeps a module running in a process of its own, watched by a thread.

    What it writes becomes lines of our log: a line that is a JSON object with `level` and `message` at that level,
    anything else at debug. An end is logged with its last line, once: until it ends differently, or has run for
    `steady` seconds; in between its own lines are logged at debug, too.

    Attributes:
        name: what it is called in the log; the logger of its lines.
        command: the module and its arguments.
        environ: all of its environment.
        first: seconds until it is started again; doubled after each try, up to `longest`.
    """

    name: str
    command: Sequence[str]
    clock: Clock
    environ: Mapping[str, str]
    first: float = 1.0
    longest: float = 60.0
    steady: float = 30.0
    _process: "subprocess.Popen[bytes] | None" = None
    _stopping: Flag = field(default_factory=Flag)
    _lock: Lock = field(default_factory=Lock)
    _thread: Thread | None = None
    _ended: str = ""
    _last: str = ""

    def start(self) -> None:
        """Begin."""
        self._thread = Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one now."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def halt(self) -> None:
        """Ask it to end, and do not start it again."""
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                self._process.terminate()

    def stop(self, seconds: float) -> bool:
        """Halt it and wait; what has not ended by then is killed. True if it went by itself."""
        self.halt()
        if self._thread is None:
            return True
        self._thread.join(seconds)
        went = not self._thread.is_alive()
        if not went and (pid := self.pid):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # with what it may have started
            self._thread.join(1.0)
        return went

    def _run(self) -> None:
        wait = self.first
        while not self._stopping.is_set():
            began = self.clock.monotonic()
            reason = self._life()
            if self._stopping.is_set():
                return
            wait = self.first if self.clock.monotonic() - began >= self.steady else wait
            if reason != self._ended:
                log.warning("%s ended: %s; it is started again", self.name, reason)
                self._ended = reason
            self.clock.wait(self._stopping, wait)
            wait = min(2 * wait, self.longest)

    def _life(self) -> str:
        """From its start to its end; why it ended."""
        self._last = ""
        try:
            process = self._launched()
        except OSError as error:
            return str(error.strerror)
        if process is None or process.stdout is None or process.stdin is None:
            return ""
        steady = Timer(self.steady, self._is_steady)
        steady.daemon = True
        steady.start()
        with process.stdin, process.stdout:
            self._listen(process.stdout)
            code = process.wait()
        steady.cancel()
        return f"code {code}" + (f", {self._last}" if self._last else "")

    def _launched(self) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*TETHER, *self.command],
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, we tell it
            )
        log.log(self._level(logging.INFO), "%s started as process %d", self.name, self._process.pid)
        return self._process

    def _is_steady(self) -> None:
        if self._ended:
            log.info("%s: running again", self.name)
            self._ended = ""

    def _listen(self, said: IO[bytes]) -> None:
        while line := said.readline(LINE):
            text = line.decode(errors="replace").strip()
            level, message = _read(text)
            if message:
                self._last = message
                logging.getLogger(self.name).log(self._level(level), "%s", message)

    def _level(self, level: int) -> int:
        return logging.DEBUG if self._ended else level


def _read(line: str) -> tuple[int, str]:
    """Level and message of a line that it wrote."""
    try:
        found = json.loads(line)
        return _LEVELS[found["level"]], str(found["message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return logging.DEBUG, line
