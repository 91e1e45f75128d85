"""The polling loop: ask one Source, make what it saw and how far it read durable in one transaction, report on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from logging import getLogger

from exporter.clock import Clock
from exporter.errors import SourceError
from exporter.sources.polling import Poll, Source
from exporter.store.protocols import Inbox, PollReport

log = getLogger(__name__)


@dataclass(slots=True)
class Polling:
    """Polls one Source of one tenant. `step` is everything; a thread only repeats it.

    Attributes:
        appended: called after something new was appended, so that the fold need not wait.
    """

    tenant: str
    source: Source
    inbox: Inbox
    clock: Clock
    appended: Callable[[], None]
    _failing: str = field(default="")

    def step(self) -> bool:
        """Poll once; True if there is more to read at once.

        A source that is down changes nothing but its report: marks and Events stay as they were.

        Raises:
            StoreError: the store could not keep what was seen; the marks stand, it will be read again.
        """
        began, started = self.clock.now(), self.clock.monotonic()
        try:
            poll = self.source.poll(self.inbox.marks(self.tenant, self.source.name))
        except SourceError as error:
            self._failed(str(error))
            seconds = self.clock.monotonic() - started
            report = PollReport(source=self.source.name, began_at=began, seconds=seconds, ok=False, error=str(error))
            self.inbox.append(self.tenant, (), None, report)
            return False
        self._answered()
        return self._keep(poll, self.clock.monotonic() - started)

    def _keep(self, poll: Poll, seconds: float) -> bool:
        """Events, marks and report in one transaction."""
        name = self.source.name
        marks = {(name, key): mark for key, mark in poll.mark_changes.items()}
        report = PollReport(
            source=name,
            began_at=poll.began_at,
            seconds=seconds,
            ok=True,
            events=len(poll.events),
            read_until=poll.read_until,
            refused=len(poll.refused),
            missing=poll.missing,
        )
        found = self.inbox.append(self.tenant, poll.events, marks, report)
        for row in poll.refused:
            log.warning("A row was left out: %s", row.reason, extra={"source": name, "row": row.row})
        if found.appended or report.read_until is not None:
            self.appended()
        return poll.more

    def _failed(self, error: str) -> None:
        """One line when a source begins to fail or fails otherwise, none for every try."""
        if error != self._failing:
            log.warning("%s of %s cannot be read: %s", self.source.name, self.tenant, error)
            self._failing = error

    def _answered(self) -> None:
        if self._failing:
            log.info("%s of %s is read again", self.source.name, self.tenant)
            self._failing = ""
