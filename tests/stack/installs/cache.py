"""Where installs live, how a finished one is recognised, and how two runs keep out of each other's way."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

STAMP = "installed.json"
TAIL = 40


class InstallError(Exception):
    """An install cannot be made; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """One thing to install: `build` fills an empty folder and returns notes for the stamp."""

    name: str
    version: str
    build: Callable[[Path], Mapping[str, str]]
    needs: Sequence[str] = ()
    chain: str = "odoo"
    present: Callable[[], bool] | None = field(default=None)

    @property
    def place(self) -> Path:
        """The folder of this install; it may not exist yet."""
        return root() / f"{self.name}-{self.version}"

    @property
    def done(self) -> bool:
        """Whether nothing is left to do: the stamp is the last file written, before the rename into place."""
        return self.present() if self.present else (self.place / STAMP).is_file()


def root() -> Path:
    """The cache folder of all installs."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "odoo-otel" / "stack"


def digest(*parts: str) -> str:
    """A short name for inputs that decide what an install contains."""
    return sha256("\0".join(parts).encode()).hexdigest()[:8]


def stamp(install: Install) -> dict[str, str]:
    """What was written down when `install` was made."""
    notes: dict[str, str] = json.loads((install.place / STAMP).read_text())
    return notes


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name` of the cache; other processes and threads wait."""
    folder = root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure(install: Install) -> None:
    """Make `install` unless it is there; an interrupted one is made again from nothing."""
    with locked(install.name):
        if install.done:
            say(install.name, f"there already ({install.version})")
            return
        started = time.monotonic()
        _make(install, started)
        say(install.name, f"installed {install.version}", started)


def _make(install: Install, started: float) -> None:
    for leftover in root().glob(f"{install.place.name}.partial-*"):
        shutil.rmtree(leftover)
    partial = Path(tempfile.mkdtemp(prefix=f"{install.place.name}.partial-", dir=root()))
    partial.chmod(0o755)
    notes = {"name": install.name, "version": install.version, **install.build(partial)}
    notes["seconds"] = f"{time.monotonic() - started:.0f}"
    (partial / STAMP).write_text(json.dumps(notes, indent=1) + "\n")
    shutil.rmtree(install.place, ignore_errors=True)
    partial.rename(install.place)


def say(name: str, text: str, since: float | None = None) -> None:
    """Print one line about the install `name`, with the wall time since `since`."""
    took = "" if since is None else f"  {time.monotonic() - since:.1f} s"
    print(f"[{name}] {text}{took}", flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Runs the commands of one install: timed, printed, their output kept in the cache's log folder."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, step: str, *command: str | Path, cwd: Path | None = None) -> str:
        """Run `command` and return what it printed; a failure shows the end of its output."""
        started = time.monotonic()
        ended = _call([str(word) for word in command], {**os.environ, **self.env}, cwd)
        _keep(self.name, step, ended)
        if ended.returncode:
            tail = "\n".join((ended.stdout + ended.stderr).splitlines()[-TAIL:])
            raise InstallError(f"{self.name}: {step} failed (exit {ended.returncode}):\n{tail}")
        say(self.name, step, started)
        return ended.stdout


def _call(command: list[str], env: Mapping[str, str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)


def _keep(name: str, step: str, ended: subprocess.CompletedProcess[str]) -> None:
    folder = root() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("a") as log:
        log.write(f"== {step}\n{ended.stdout}{ended.stderr}\n")


def need(tool: str, reason: str) -> str:
    """The path of `tool`, or one clear sentence why it is needed."""
    found = shutil.which(tool)
    if found is None:
        raise InstallError(f"`{tool}` is not on PATH; it is needed {reason}.")
    return found
