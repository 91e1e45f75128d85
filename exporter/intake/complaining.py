"""Who was refused, where and why, in our log: bounded, for whoever floods us writes it, too."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any

log = logging.getLogger(__name__)
EVERY = 60.0  # seconds between two lines of one place and reason


def _nobody(environ: Mapping[str, Any]) -> str:
    del environ
    return ""


@dataclass(slots=True, kw_only=True)
class Complaints:
    """Takes refusals of several threads at once; of each place and reason a line a minute says how many there were.

    Attributes:
        sender: the address that a request (its WSGI environ) comes from, "" where it has none.
        monotonic: seconds that never go back.
    """

    sender: Callable[[Mapping[str, Any]], str] = _nobody
    monotonic: Callable[[], float] = monotonic
    _said: dict[tuple[str, str], float] = field(default_factory=dict)
    _more: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def refused(self, place: str, reason: str, sender: str) -> None:
        """Log it, unless a line of its kind is younger than a minute. `place` and `reason` are our own few words."""
        kind, now = (place, reason), self.monotonic()
        with self._lock:
            last = self._said.get(kind)
            if last is not None and now - last < EVERY:
                self._more[kind] = self._more.get(kind, 0) + 1
                return
            self._said[kind] = now
            more = self._more.pop(kind, 0)
        beside = f"; {more} more since the last line" if more else ""
        log.warning("refused: a request to %s from %s: %s%s", place, sender or "this machine", reason, beside)
