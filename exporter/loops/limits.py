"""Two brakes of the sending loop: how long to wait after trouble, and how much may be set aside."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Full jitter: a random share of 1, 2, 4 ... 60 s, but never sooner than the server asked for.

    Attributes:
        random: a number in [0, 1); injected, so that a test can say which.
    """

    random: Callable[[], float]
    first: float = 1.0
    longest: float = 60.0
    failures: int = 0

    def wait(self, after: float | None = None) -> float:
        """Count one more failure; the seconds to wait."""
        ceiling = min(self.longest, self.first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return max(self.random() * ceiling, after or 0.0)

    def clear(self) -> None:
        """It worked: start small again."""
        self.failures = 0


@dataclass(slots=True)
class RejectLimit:
    """At most max(floor, share of what was judged) rows per window are set aside.

    A server that suddenly refuses everything (a bad deploy, a proxy's 400) must not empty the outbox into quarantine;
    the floor keeps a few bad rows at the head of a quiet outbox from blocking all that is behind. A floor is not given
    twice: until the server has accepted something again, no more rows than that leave, however many windows pass.
    """

    share: float = 0.2
    floor: int = 20
    window: float = 300.0
    _judged: deque[tuple[float, int, int]] = field(default_factory=deque)
    _unproven: int = 0  # rejected since something was accepted

    def allows(self, now: float, rows: int, delivered: int, rejected: int) -> bool:
        """Whether `rows` more may be set aside, given what the current pass has judged but not yet counted."""
        self._forget(now)
        good = delivered + sum(each[1] for each in self._judged)
        bad = rejected + rows + sum(each[2] for each in self._judged)
        if not good and self._unproven + rejected + rows > self.floor:
            return False
        return bad <= max(self.floor, self.share * (good + bad))

    def count(self, now: float, delivered: int, rejected: int) -> None:
        """Remember a pass; those of one second are kept as one, so memory is bounded by the window."""
        self._forget(now)
        self._unproven = 0 if delivered else self._unproven + rejected
        if self._judged and now - self._judged[-1][0] < 1.0:
            at, good, bad = self._judged.pop()
            self._judged.append((at, good + delivered, bad + rejected))
        else:
            self._judged.append((now, delivered, rejected))

    def _forget(self, now: float) -> None:
        while self._judged and now - self._judged[0][0] > self.window:
            self._judged.popleft()
