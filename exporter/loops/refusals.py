"""Who refuses us is asked ever more seldom: Odoo locks a login after ten refusals a minute, and a proxy may ban us."""

from dataclasses import dataclass, field

from exporter.loops.limits import Backoff

LONGEST = 600.0  # seconds between two tries, at most


def whole() -> float:
    """All of the wait: there is one of us, nobody else comes at the same moment."""
    return 1.0


@dataclass(slots=True)
class Refusals:
    """The systems (`odoo`, `n8n`) that refused us when they were asked last, and until when they are left alone.

    Attributes:
        first: seconds until the second try; each further one takes twice as long.
    """

    first: float
    _until: dict[str, float] = field(default_factory=dict)
    _waits: dict[str, Backoff] = field(default_factory=dict)

    def refused(self, system: str, now: float) -> None:
        """It did so once more."""
        wait = self._waits.setdefault(system, Backoff(random=whole, first=self.first, longest=LONGEST)).wait()
        self._until[system] = now + wait

    def answered(self, system: str) -> None:
        """It knows us, or did not answer at all: then nothing was refused."""
        self._until.pop(system, None)
        self._waits.pop(system, None)

    def until(self, system: str) -> float:
        """The moment from which it may be asked."""
        return self._until.get(system, 0.0)

    def __bool__(self) -> bool:
        """Whether any of them refuses us."""
        return bool(self._until)
