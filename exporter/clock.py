"""Time as an argument: the real clock, and one that tests and the demo move by hand."""

import time
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class ScaledClock:
    """A clock that starts behind the real one, runs `speed` times as fast, and keeps step once it has caught up.

    Only `now` and `wait` are scaled: `monotonic` measures work, and work takes as long as it takes.

    Attributes:
        real: the clock underneath.
        start: what it shows at first (aware UTC, not later than `real` does).
        speed: simulated seconds a real one; above 1 until it has caught up.
    """

    real: Clock
    start: datetime
    speed: float
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to run; raise ValueError for a speed below 1, at which it would never catch up."""
        if self.speed < 1:
            raise ValueError(f"The speed must be 1 or more, not {self.speed}.")
        self._began = self.real.monotonic()

    def now(self) -> datetime:
        """The simulated time; the real one from the moment it is reached."""
        return min(self.start + timedelta(seconds=self.real.monotonic() - self._began) * self.speed, self.real.now())

    def monotonic(self) -> float:
        """Real seconds that never go back."""
        return self.real.monotonic()

    def wait(self, flag: Flag, seconds: float) -> bool:
        """Sleep until the flag is set or so many simulated seconds are over."""
        return self.real.wait(flag, self._real_seconds(seconds))

    def _real_seconds(self, seconds: float) -> float:
        """Fast while it is behind, then at the real pace."""
        behind = (self.real.now() - self.now()).total_seconds()
        fast = behind / (self.speed - 1) if self.speed > 1 else 0.0  # real seconds until it has caught up
        return seconds / self.speed if seconds <= fast * self.speed else fast + (seconds - fast * self.speed)
