"""The loop of the detectors: read, detect, decide, report; until it is told to stop. Nothing it does is lost work."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path
from threading import Event as Flag
from typing import Protocol

from detectors import claims, outliers
from detectors.outliers import Score
from detectors.watching import Watching
from exporter.clock import Clock
from exporter.domain.events import Event
from exporter.errors import OdooOtelError, Refused, SourceDown, StoreError
from exporter.store.reading import SqliteReader

log = getLogger(__name__)
BATCH = 500  # Events of one request
REREAD = 60.0  # seconds between two readings of everything
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Exit(Protocol):
    """Where Events go: reporting.Intake."""

    def post(self, tenant: str, events: Sequence[Event]) -> int:
        """Make them durable; how many were new. Raises SourceDown, Refused."""


@dataclass(slots=True, kw_only=True)
class Detecting:
    """Rounds over every tenant of a store.

    Attributes:
        store: the file; it may come into being later.
        every: seconds between two rounds.
        refused: Events the intake will never take; they are logged, too.
    """

    store: Path
    intake: Exit
    clock: Clock
    stopping: Flag
    every: float = 10.0
    score: Score = field(default_factory=lambda: outliers.scores)
    refused: int = 0
    _reader: SqliteReader | None = None
    _tenants: dict[str, Watching] = field(default_factory=dict)
    _known: int = 0
    _reread: float = 0.0
    _again: bool = False
    _waiting: str = ""

    def run(self) -> None:
        """Rounds until it is told to stop; a store that cannot be read is tried again."""
        while not self.stopping.is_set():
            try:
                self.round()
                self._waiting = ""
            except StoreError as error:
                self._tenants = {}  # what was read and not reported is found again
                self._say(error)
            self.clock.wait(self.stopping, self.every)
        self._forget()

    def round(self) -> None:
        """Read what is new, report what it means, and say that this was done.

        Raises:
            StoreError: the store cannot be read.
        """
        reader = self._opened()
        total = reader.counts()["observations"]
        if self._missed(total):
            self._tenants, self._again = {}, False
        if not self._tenants:
            self._reread = self.clock.monotonic()
        is_whole = not self._tenants
        for tenant in reader.tenants():
            self._look(reader, tenant)
        seen = sum(one.rows for one in self._tenants.values())
        # Of a long series only the newest numbers are read, so after reading everything the store's count is ours.
        self._known = reader.counts()["observations"] - seen if is_whole else self._known

    def _look(self, reader: SqliteReader, tenant: str) -> None:
        began = self.clock.monotonic()
        watching = self._tenants.setdefault(tenant, Watching(tenant, reader, self.score, self.stopping))
        found = watching.events(self.clock.now())
        beat = watching.beat(round(self.clock.monotonic() - began, 3))
        self._report(tenant, [*found, claims.beat(beat, self.clock.now())])

    def _missed(self, total: int) -> bool:
        """Whether everything is to be read again, at most once in REREAD.

        Events were refused (a tenant not known yet, for instance), or numbers came that lie so far back that nobody
        looks there, as while history is read.
        """
        seen = self._known + sum(one.rows for one in self._tenants.values())
        return (total > seen or self._again) and self.clock.monotonic() - self._reread >= REREAD

    def _report(self, tenant: str, events: Sequence[Event]) -> None:
        """Hand the Events over, a batch at a time; wait for the exporter as long as it is away."""
        for begin in range(0, len(events), BATCH):
            batch, pause = events[begin : begin + BATCH], FIRST_PAUSE
            while not self.stopping.is_set() and not self._delivered(tenant, batch):
                self.clock.wait(self.stopping, pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _delivered(self, tenant: str, batch: Sequence[Event]) -> bool:
        try:
            new = self.intake.post(tenant, batch)
        except SourceDown as error:
            self._say(error)
            return False
        except Refused as error:
            self.refused += len(batch)
            self._again = True
            self._say(error)
            return True
        self._waiting = ""
        for one in batch if new else ():
            if one.name != "detectors.series.judged":
                log.info("%s %s", one.name, one.key, extra={"tenant": tenant})
        return True

    def _opened(self) -> SqliteReader:
        if self._reader is None:
            self._reader = SqliteReader(self.store)
        return self._reader

    def _say(self, error: OdooOtelError) -> None:
        """Once, not every round."""
        if str(error) != self._waiting:
            log.warning("%s: %s", "refused" if isinstance(error, Refused) else "waiting", error)
            self._waiting = str(error)

    def _forget(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
