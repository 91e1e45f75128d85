"""The lines about webhooks that Odoo receives, sorted, and which of them belong together: found without reading all.

A rule's calls may come by the thousand (its sender tries again and again), so nothing here looks at every line for
every line.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from exporter.domain.bodies import LogWritten
from exporter.domain.events import Event
from exporter.fold.cron_lines import ROWS

TRIGGERED, FAILED, ANSWERED = "inbound.triggered", "inbound.failed", "inbound.answered"
LONGEST = timedelta(seconds=60)  # a request takes no longer
PRECISION = timedelta(seconds=1)  # of rows; those of one request may be a second later than its line
_when = attrgetter("at")


def body_of(event: Event) -> LogWritten:
    """What a line says."""
    assert isinstance(event.body, LogWritten)  # noqa: S101 - route sends no others
    return event.body


def says_of(event: Event) -> str:
    """Which of the three it is."""
    return body_of(event).says


class Lines:
    """What no call has taken yet."""

    def __init__(self, facts: Sequence[Event]) -> None:
        self._left = {id(one): one for one in facts}
        self._failed = [one for one in facts if says_of(one) == FAILED]
        self._triggered: dict[int | None, list[Event]] = {}
        self._waiting: dict[int, Event] = {}  # rules that were triggered, by identity: what `fine` looks through
        for one in facts:
            if says_of(one) == TRIGGERED:
                self._triggered.setdefault(body_of(one).rule, []).append(one)
                self._waiting[id(one)] = one
        self._claims: dict[int, list[Event]] = {}  # by what triggered a rule: the failures that would take it
        self._claim(self._failed)

    def due(self, says: str, until: datetime) -> list[Event]:
        """Those of one kind that happened up to then."""
        return [one for one in self._left.values() if one.at <= until and says_of(one) == says]

    def left(self) -> list[Event]:
        """All that is left, sorted."""
        return list(self._left.values())

    def take(self, event: Event | None) -> Event | None:
        """It belongs to a call now, and to no other."""
        if event is not None:
            del self._left[id(event)]
            self._waiting.pop(id(event), None)
            self._claim(self._claims.pop(id(event), ()))
        return event

    def began(self, failed: Event | None) -> Event | None:
        """What triggered a rule that failed: the last of the rule before."""
        if failed is None:
            return None
        return self._last(self._triggered.get(body_of(failed).rule, ()), failed, pid=0)

    def failure(self, answer: Event) -> Event | None:
        """The last failure before an answer, of its process where both say theirs."""
        return self._last(self._failed, answer, pid=body_of(answer).pid)

    def fine(self, answer: Event) -> Event | None:
        """The first rule that was triggered before an answer and did not fail."""
        found = (one for one in self._waiting.values() if _is_before(one, answer) and id(one) not in self._claims)
        return next(found, None)

    def _claim(self, failures: Iterable[Event]) -> None:
        for failed in failures:
            began = self.began(failed) if id(failed) in self._left else None
            if began is not None:
                self._claims.setdefault(id(began), []).append(failed)

    def _last(self, of: Sequence[Event], other: Event, *, pid: int) -> Event | None:
        first = bisect_left(of, other.at - LONGEST, key=_when)
        for place in range(bisect_right(of, other.at + PRECISION, key=_when) - 1, first - 1, -1):
            one = of[place]
            if id(one) in self._left and _is_before(one, other) and body_of(one).pid in {0, pid or body_of(one).pid}:
                return one
        return None


def _is_before(one: Event, other: Event) -> bool:
    return other.at - LONGEST <= one.at <= other.at + (PRECISION if one.source == ROWS else timedelta(0))
