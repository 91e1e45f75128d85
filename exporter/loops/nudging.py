"""When a Source is asked before its time: because a read is owed, and again when what was then read has settled.

Bounded whatever comes in: a read that is owed waits until the Source was left alone for LEAST, and what settles does so
at whole seconds (over RPC a second is all there is). So a flood of webhooks makes about one poll a second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.domain import links
from exporter.store.entries import OwedRead
from exporter.store.protocols import Ledger

LEAST = 1.0  # seconds between the beginnings of two polls of one Source, but for what settles between them
AGAIN = 1.05  # seconds after which a read is repeated once: it may have come from a replica that lagged behind
LATER = 0.02  # seconds behind the moment a Timer is due, so that the mark of the poll is not just short of it
SOON = timedelta(seconds=3)  # a Timer that is due later waits for the ordinary polls
FOLLOWED = 5.0  # seconds for which a Subject is followed
MOST = 500  # Subjects that are followed at once: of more than that some settle with the others
LOOK = 0.1  # seconds between two looks at the Timers of those that are followed: the fold sets them a moment later


@dataclass(slots=True)
class Nudges:
    """The reads that are owed to one Source, and the Subjects that were read for them and settle soon.

    Times are the seconds of a monotonic clock.
    """

    ledger: Ledger
    tenant: str
    source: str
    _asked: float = 0.0
    _mark: datetime | None = None
    _since: dict[str, float] = field(default_factory=dict)

    def owed(self) -> list[OwedRead]:
        """What is owed to the Source now; a poll that begins behind this pays it."""
        return [one for one in self.ledger.owed(self.tenant) if one.source == self.source]

    def polled(self, began: float, paid: Iterable[OwedRead], mark: datetime | None) -> None:
        """A poll that began then went well: it paid these, and everything up to the mark was read."""
        self._asked, self._mark = began, mark
        fresh = [links.direct(one.key) or one.key for one in paid]  # what is no Subject is only looked at once more
        kept = {key: since for key, since in self._since.items() if began < since + FOLLOWED}
        self._since = dict(list((kept | dict.fromkeys(fresh, began)).items())[-MOST:])

    def failed(self) -> None:
        """A poll failed: the ordinary ones go on, and whoever waits for something waits for them."""
        self._mark = None
        self._since.clear()

    def moment(self) -> float | None:
        """When the Source is to be asked before its time; None: not at all."""
        if self._mark is None:
            return None  # it never went well, or reads a backlog: it is asked anyway
        return min([*self._settling(self._mark), *([self._asked + LEAST] if self.owed() else [])], default=None)

    def follows(self, now: float) -> bool:
        """Whether the moment may come nearer when the fold has seen what was read."""
        return any(now < since + FOLLOWED for since in self._since.values())

    def _settling(self, mark: datetime) -> Iterator[float]:
        """When what is followed is settled, and when it is looked at a second time."""
        for timer in self.ledger.timers_of(self.tenant, [*self._since]) if self._since else ():
            if timer.source == self.source and mark < timer.due <= mark + SOON:
                yield self._asked + (timer.due - mark).total_seconds() + LATER
        yield from (since + AGAIN for since in self._since.values() if since == self._asked)
