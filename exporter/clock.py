"""Time as an argument: the real clock, and one that tests and the demo move by hand."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The wall-clock time, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back, for intervals."""

    def wait(self, flag: Flag, seconds: float) -> bool:
        """Sleep until the flag is set or the seconds are over; True when the flag is set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The wall-clock time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wait(self, flag: Flag, seconds: float) -> bool:
        """Sleep until the flag is set or the seconds are over."""
        return flag.wait(seconds)


@dataclass(slots=True)
class StepClock:
    """A clock that stands still until it is moved; waiting moves it, so nothing ever sleeps."""

    time: datetime
    elapsed: float = 0.0

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    def monotonic(self) -> float:
        """The seconds it was moved by."""
        return self.elapsed

    def step(self, seconds: float) -> None:
        """Move on."""
        self.time += timedelta(seconds=seconds)
        self.elapsed += max(seconds, 0.0)

    def wait(self, flag: Flag, seconds: float) -> bool:
        """Move on by the seconds instead of sleeping."""
        self.step(seconds)
        return flag.is_set()
