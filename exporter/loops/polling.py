"""The polling loop: ask one Source, make what it saw and how far it read durable in one transaction, report on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from logging import getLogger
from traceback import extract_tb

from exporter.clock import Clock
from exporter.domain.bodies import SourceRead
from exporter.domain.events import Event
from exporter.domain.times import EPOCH, MICRO
from exporter.errors import SourceError, SourceRefused
from exporter.loops.nudging import Nudges
from exporter.loops.restoring import RESTORED, restored
from exporter.sources.polling import Poll, Source
from exporter.store.entries import OwedRead, PollReport
from exporter.store.protocols import Inbox, Ledger

log = getLogger(__name__)
KEEPER = "service"  # marks that belong to no Source


@dataclass(slots=True)
class Polling:
    """Polls one Source of one tenant. `step` is everything; a thread only repeats it.

    Attributes:
        appended: called after something new was appended, so that the fold need not wait.
        refused: why it does not know us, where the last poll was refused.
        doubtful: whether the last poll saw that its database was restored: it may be another one in other ways, too.
    """

    tenant: str
    source: Source
    inbox: Inbox
    ledger: Ledger
    clock: Clock
    appended: Callable[[], None]
    nudges: Nudges = field(init=False)
    refused: str = ""
    doubtful: bool = False
    _failing: str = field(default="")
    _seen: datetime | None = None

    def __post_init__(self) -> None:
        """Nothing is owed to a Source but what the ledger says."""
        self.nudges = Nudges(self.ledger, self.tenant, self.source.name)

    @property
    def failing(self) -> bool:
        """Whether the last poll failed."""
        return bool(self._failing)

    def step(self) -> bool:
        """Poll once; True if there is more to read at once.

        A source that is down changes nothing but its report: marks and Events stay as they were. What was owed when the
        poll began is paid in its transaction.

        Raises:
            StoreError: the store could not keep what was seen; the marks stand, it will be read again.
        """
        began, started = self.clock.now(), self.clock.monotonic()
        marks, owed = self.inbox.marks(self.tenant, self.source.name), self.nudges.owed()
        self.refused, self.doubtful = "", False
        try:
            poll = self.source.poll(marks)
        except SourceError as error:
            failed = str(error)
            self.refused = failed if isinstance(error, SourceRefused) else ""
        except Exception as error:  # noqa: BLE001 - whatever an answer breaks in us is this Source's trouble, not the others'
            failed = f"Its answer broke the reading of it ({where(error)}): report this."
        else:
            self._failed(poll.failed) if poll.failed else self._answered()
            self._keep(poll, self.clock.monotonic() - started, (began, () if poll.failed else owed))
            self.nudges.failed() if poll.failed else self.nudges.polled(started, owed, poll.read_until)
            return poll.more
        self._failed(failed)
        self.nudges.failed()
        seconds = self.clock.monotonic() - started
        report = PollReport(source=self.source.name, began_at=began, seconds=seconds, ok=False, error=failed)
        self.inbox.append(self.tenant, (), None, report)
        return False

    def _keep(self, poll: Poll, seconds: float, at: tuple[datetime, Sequence[OwedRead]]) -> None:
        """Events, marks, report and what the poll pays in one transaction; `at`: when it began, what was owed then."""
        name, (began, owed) = self.source.name, at
        events, seen = self._in_order(poll)
        marks = {(name, key): mark for key, mark in poll.mark_changes.items()}
        report = PollReport(
            source=name,
            began_at=began,  # by our own clock: what is stale is measured by it, and the server's may be a day off
            seconds=seconds,
            ok=not poll.failed,
            events=len(poll.events),
            error=poll.failed,
            read_until=poll.read_until,
            refused=len(poll.refused),
            missing=poll.missing,
        )
        mark = _read(name, poll, began) if events else ()
        marks |= {(KEEPER, f"seen/{name}"): seen.isoformat()} if events else {}
        back = self._restored(poll)
        marks |= {(KEEPER, RESTORED): back.at.isoformat()} if back else {}
        found = self.inbox.append(self.tenant, [*events, *([back] if back else []), *mark], marks, report, paid=owed)
        self._seen = seen
        if not mark and self._is_due(poll.read_until):
            found = self.inbox.append(self.tenant, _read(name, poll, began))
        for row in poll.refused:
            log.warning("A row was left out: %s", row.reason, extra={"source": name, "row": row.row})
        if found.appended:
            self.appended()

    def _restored(self, poll: Poll) -> Event | None:
        """That the database was restored, if this poll is the first to see it."""
        if poll.restored_after is None:
            return None
        self.doubtful = True
        found = restored(poll, self.inbox.marks(self.tenant, KEEPER))
        if found is not None:
            log.warning("%s was restored: what it did up to %s is gone from it", self.tenant, poll.restored_after)
        return found

    def _in_order(self, poll: Poll) -> tuple[list[Event], datetime]:
        """The Events, each seen later than those of every poll before, and when the last of them was seen.

        Versions of a row are told apart by when they were seen (fold/job_rows.py), and a server's clock may go back: by
        a second, as its Date header is cut to one, or by a day.
        """
        before = self._seen or self._remembered()
        events = [one if one.seen > before else replace(one, seen=before + MICRO) for one in poll.events]
        return events, max([before, *(one.seen for one in events)])

    def _remembered(self) -> datetime:
        """When this Source's last Event was seen, in an earlier life of this process too."""
        mark = self.inbox.marks(self.tenant, KEEPER).get(f"seen/{self.source.name}")
        return datetime.fromisoformat(mark) if mark else EPOCH

    def _is_due(self, until: datetime | None) -> bool:
        """Whether a Timer waits for this Source's mark: an idle poll says how far it read only to whom it concerns."""
        return until is not None and bool(self.ledger.due(self.tenant, {self.source.name: until}, 1))

    def _failed(self, error: str) -> None:
        """One line when a source begins to fail or fails otherwise, none for every try."""
        if error != self._failing:
            log.warning("%s of %s cannot be read: %s", self.source.name, self.tenant, error)
            self._failing = error

    def _answered(self) -> None:
        if self._failing:
            log.info("%s of %s is read again", self.source.name, self.tenant)
            self._failing = ""


def where(error: Exception) -> str:
    """Which error and where, without its words: they may be anybody's."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, line {frame.lineno}"


def _read(source: str, poll: Poll, seen: datetime) -> tuple[Event, ...]:
    """The Source's mark as the last Event of its poll; none while a backlog is read in another order than time's."""
    until = poll.read_until
    if until is None:
        return ()
    return (
        Event(
            source=source,
            key=f"0/{source}/read/{until.isoformat()}",
            name="source.read",
            at=until,
            seen=seen,
            precision=1,
            body=SourceRead(until=until),
        ),
    )
