"""A terminal with progress bars at its foot: what is written meanwhile, our own log, goes by above them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from shutil import get_terminal_size
from threading import RLock
from typing import TextIO

from exporter.domain.redact import plain

MARK, EMPTY = "█", "·"
BAR = 28
MOST = 10  # bars at once


def bar(part: float, words: str) -> str:
    """How much is done (0 to 1), and of what."""
    done = MARK * int(part * BAR)
    return f"{done:{EMPTY}<{BAR}} {part:4.0%}  {plain(words)}"


def screen_on(stream: TextIO, environ: Mapping[str, str]) -> "Screen | None":
    """A screen on a stream that is a terminal which can erase lines; None elsewhere: no bar goes into a file."""
    return Screen(stream) if stream.isatty() and environ.get("TERM", "dumb") != "dumb" else None


@dataclass(slots=True)
class Screen:
    """What a log writes to while bars are shown; without bars it writes as the stream itself does.

    A terminal that is gone is nobody's fault: then nothing is shown.
    """

    stream: TextIO
    _shown: Sequence[str] = ()
    _lock: RLock = field(default_factory=RLock)

    def write(self, text: str) -> int:
        """Whole lines, above the bars."""
        with self._lock:
            self._put(self._erased() + text + self._drawn())
        return len(text)

    def flush(self) -> None:
        """All of it."""
        with self._lock, suppress(OSError, ValueError):
            self.stream.flush()

    def show(self, lines: Sequence[str]) -> None:
        """These bars, in the place of those that were shown."""
        with self._lock:
            columns = get_terminal_size().columns
            more = [f"and {len(lines) - MOST + 1} more"] if len(lines) > MOST else []
            fit = [line[: columns - 1] for line in (*lines[: MOST - len(more)], *more)]
            if fit == self._shown:
                return
            gone, self._shown = self._erased(), fit
            self._put(gone + self._drawn())
            self.flush()

    def _erased(self) -> str:
        return f"\x1b[{len(self._shown)}A\x1b[J" if self._shown else ""

    def _drawn(self) -> str:
        return "".join(f"{line}\n" for line in self._shown)

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self.stream.write(text)
