"""The lines about webhooks that Odoo receives, sorted, and which of them belong together: found without reading all.

A rule's calls may come by the thousand (its sender tries again and again), so nothing here looks at every line for
every line: what belongs to a line lies within a minute of it, and is looked for there alone.
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
        self._began = [one for one in facts if says_of(one) == TRIGGERED]  # whatever the rule
        self._places = {id(one): place for place, one in enumerate(self._began)}
        self._fine = list(range(len(self._began)))  # places of those that no call has taken and no failure would take
        for one in self._began:
            self._triggered.setdefault(body_of(one).rule, []).append(one)
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
            self._not_fine(event)
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
        first = bisect_left(self._began, answer.at - LONGEST, key=_when)
        last = bisect_right(self._began, answer.at + PRECISION, key=_when)
        near = range(bisect_left(self._fine, first), bisect_left(self._fine, last))
        found = (self._began[self._fine[place]] for place in near)
        return next((one for one in found if _is_before(one, answer)), None)

    def _not_fine(self, event: Event) -> None:
        """It is taken, or a failure would take it."""
        place = self._places.get(id(event))
        at = len(self._fine) if place is None else bisect_left(self._fine, place)
        if at < len(self._fine) and self._fine[at] == place:
            del self._fine[at]

    def _claim(self, failures: Iterable[Event]) -> None:
        for failed in failures:
            began = self.began(failed) if id(failed) in self._left else None
            if began is not None:
                self._claims.setdefault(id(began), []).append(failed)
                self._not_fine(began)

    def _last(self, of: Sequence[Event], other: Event, *, pid: int) -> Event | None:
        first = bisect_left(of, other.at - LONGEST, key=_when)
        for place in range(bisect_right(of, other.at + PRECISION, key=_when) - 1, first - 1, -1):
            one = of[place]
            if id(one) in self._left and _is_before(one, other) and body_of(one).pid in {0, pid or body_of(one).pid}:
                return one
        return None


def _is_before(one: Event, other: Event) -> bool:
    return other.at - LONGEST <= one.at <= other.at + (PRECISION if one.source == ROWS else timedelta(0))
