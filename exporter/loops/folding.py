"""The folding loop: Events in, one Commit out, for one tenant at a time.

A Source's mark is an Event in the tenant's order (`source.read`), so Timers fire in the fold when it passes them: a
backlog is folded as it would have been live, and a refold needs nothing but the Events.
"""

import gc
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from exporter.clock import Clock
from exporter.domain.bodies import SourceRead
from exporter.domain.events import Event
from exporter.domain.told import Measurement, Told
from exporter.errors import StoreError
from exporter.fold import choosing
from exporter.fold.advance import unheard
from exporter.fold.subjects import Flow, Subject
from exporter.loops.batching import Batch, due, gauges, load, owed
from exporter.loops.grouping import group, in_order, parts
from exporter.loops.linking import Linking
from exporter.store.encoded import Encoded
from exporter.store.entries import Commit, Quarantined, Stored, Unreadable
from exporter.store.protocols import FOLD, Ledger
from exporter.telemetry import logs, traces
from exporter.telemetry.metrics import Totals
from exporter.telemetry.otlp import resource

BATCH = 1000
TIMERS = 5000
CACHED_SUBJECTS = 20_000
QUARANTINE_SHARE = 0.2  # of a batch of at least QUARANTINE_LEAST Events: then the program is wrong, not the facts
QUARANTINE_LEAST = 100


def spare_the_collector() -> None:
    """Let Python's garbage collector run less often: the fold makes trees and no cycles.

    With its defaults it runs every 700 objects, about every sixth Run, and takes a sixth of the fold's time. Some
    300,000 are alive at once in a batch, and to look at those takes a tenth of a second.
    """
    gc.collect()
    gc.freeze()  # what is there at the start stays: modules, tables, classes
    gc.set_threshold(500_000, 50, 100)


def nobody_reads() -> None:
    """Nobody waits for reads that are owed."""


class TooManyRefused(StoreError):
    """The fold refused so many Events that this program must be wrong: it stops, nothing is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldingOptions:
    """How one tenant is folded.

    Attributes:
        host_id: `host.id` of the Resource.
        history_spans: whether Runs that ended before the first start become spans.
        label_cap: values one metric label may have.
        batch: Events read at once; a Commit folds those up to their last mark, at most three times as many.
        timers: Timers that fire at once; a mark at which more are due is passed in several Commits.
    """

    host_id: str
    history_spans: bool = True
    label_cap: int = 200
    batch: int = BATCH
    timers: int = TIMERS


@dataclass(slots=True)
class Folding:
    """One tenant's fold. `step` is everything; a thread only repeats it.

    Subjects and totals stay in memory between Commits and are dropped whenever a Commit was not written.

    Attributes:
        owing: called after a Commit owed reads, so that the polls need not wait.
    """

    ledger: Ledger
    flow: Flow
    clock: Clock
    options: FoldingOptions
    owing: Callable[[], None] = nobody_reads
    _subjects: OrderedDict[str, Subject] = field(default_factory=OrderedDict)
    _totals: Totals | None = None
    _offset: int | None = None
    _encoded: bytes = b""
    _links: Linking = field(init=False)
    _ahead: list[Stored | Unreadable] = field(default_factory=list)
    _unheard: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """What facts link is known to every cut."""
        self._links = Linking(
            find=lambda keys: self.ledger.links(self.tenant, keys),
            waiting=lambda keys: self.ledger.parked(self.tenant, keys),
        )
        self.flow = replace(self.flow, links=self._links.known)
        self._unheard = unheard(self.flow)

    @property
    def tenant(self) -> str:
        """Whose Events are folded."""
        return self.flow.tenant.name

    def step(self) -> bool:
        """Fold one batch; True if there may be more to do at once.

        Raises:
            TooManyRefused, StoreError: nothing of this batch was written.
        """
        try:
            return self._fold()
        except BaseException:
            self._forget()
            raise

    def _fold(self) -> bool:
        if self._offset is None:
            self._offset = self.ledger.offset(self.tenant, FOLD)
        stored = self._next(self._offset)
        if not stored:
            return False
        batch, mark = self._advance([one.event for one in stored if isinstance(one, Stored)])
        if mark is not None:
            stored = self._put_back(stored, mark)
        batch.quarantine += [
            _unreadable(one) for one in (*stored, *self._links.unreadable) if isinstance(one, Unreadable)
        ]
        _limit(batch.quarantine, len(stored))
        self._commit(batch, stored)
        return True

    def _next(self, offset: int) -> list[Stored | Unreadable]:
        """The next Events up to the last mark among them; what stands behind it is read, and folded with its own mark.

        A Subject is cut once for all its facts between two marks, however polls and batches lie to one another.
        """
        found, self._ahead = self._ahead, []
        size = self.options.batch
        whole, full = _whole(found), True
        while full and not whole and len(found) < 2 * size:
            read = self.ledger.read(self.tenant, found[-1].seq if found else offset, size)
            full = len(read) == size
            found = [*found, *read]
            whole = _whole(found)
        if whole:
            found, self._ahead = found[:whole], found[whole:]
        return found

    def _put_back(self, stored: list[Stored | Unreadable], mark: Event) -> list[Stored | Unreadable]:
        """What stands before a mark that is to be passed once more; it and what follows come next."""
        place = next(n for n, one in enumerate(stored) if isinstance(one, Stored) and one.event is mark)
        self._ahead = [*stored[place:], *self._ahead]
        return stored[:place]

    def _advance(self, events: Sequence[Event]) -> tuple[Batch, Event | None]:
        """What the Events change, and the mark at which more Timers fall due than fire at once: nothing behind it.

        A mark is passed when all that is due by it has fired: there may be no other one for long.
        """
        self._links.begin()
        batch = Batch(flow=self.flow, before=self._subjects)
        again: Event | None = None
        for whole, marks in parts(events):
            batch.marks = self._with_unheard(marks)
            timers = self.ledger.due(self.tenant, batch.marks, self.options.timers) if batch.marks else []
            part = self._links.placed(whole)
            woken: dict[str, Sequence[Event]] = dict.fromkeys((*due(timers, batch), *batch.due()), ())
            groups = in_order(woken | group(part, self._links.known, self.flow))
            self._load(groups)
            self._links.look_up(link for key, mine in groups.items() for link in batch.asks(key, mine))
            for key, mine in groups.items():
                batch.fold(key, mine)
            claims = batch.claims()
            self._load(claims)
            for key, claimed in claims.items():
                batch.fold(key, claimed)
            if len(timers) == self.options.timers and batch.is_done_with_any(timers):
                again = next(event for event in whole if isinstance(event.body, SourceRead))
                break
        batch.correct(
            lambda run: self.ledger.run(self.tenant, run),
            lambda subject, began: self.ledger.runs_near(self.tenant, subject, began),
        )
        return batch, again

    def _with_unheard(self, marks: Mapping[str, datetime]) -> Mapping[str, datetime]:
        """What waits for a Source that is read no more goes by how far the others were read."""
        return {**dict.fromkeys(self._unheard, max(marks.values())), **marks} if marks else marks

    def _load(self, keys: Iterable[str]) -> None:
        missing = [key for key in keys if key not in self._subjects]
        for key, row in self.ledger.subjects(self.tenant, missing).items():
            self._subjects[key] = load(row)

    def _commit(self, batch: Batch, stored: Sequence[Stored | Unreadable]) -> None:
        events = [one.event for one in stored if isinstance(one, Stored)]
        facts = gauges(events)
        if self._totals is None:
            self._totals = Totals(self.ledger.totals(self.tenant), cap=self.options.label_cap)
        said = [*batch.told, *batch.history]
        counted = [*choosing.counted(facts.measurements, self.flow.choice)]
        counted += [m for told in batch.told for m in told.measurements]
        counted += [m for told in batch.history for m in told.measurements if not m.value]  # they open counters
        counted += [_quarantined(self.clock.now(), len(batch.quarantine))] if batch.quarantine else []
        moved, gone = batch.timers()
        reads = owed(events, self.flow.witnesses)
        commit = Commit(
            tenant=self.tenant,
            consumer=FOLD,
            expected_offset=self._offset or 0,
            offset=stored[-1].seq if stored else self._offset or 0,
            subjects=batch.rows(),
            runs=batch.runs,
            links=self._links.made,
            parked=self._links.places(stored),
            released=self._links.released,
            timers=moved,
            cleared=gone,
            totals=self._totals.add(counted),
            observations=[one for told in said for one in told.observations],
            outbox=self._rows(batch, facts),
            owed=reads,
            quarantine=batch.quarantine,
        )
        self.ledger.commit(commit)
        self._offset = commit.offset
        self._remember(batch)
        if reads:
            self.owing()

    def _rows(self, batch: Batch, facts: Told) -> list[Encoded]:
        sent = [*batch.told, *(batch.history if self.options.history_spans else ())]
        spans = traces.rows((span for told in sent for span in told.spans), self._resource())
        return [*spans, *logs.rows((log for told in (facts, *sent) for log in told.logs), self._resource())]

    def _resource(self) -> bytes:
        if not self._encoded:
            self._encoded = resource(self.flow.tenant, self.options.host_id)
        return self._encoded

    def _remember(self, batch: Batch) -> None:
        for key, subject in batch.subjects.items():
            self._subjects[key] = subject
            self._subjects.move_to_end(key)
        while len(self._subjects) > CACHED_SUBJECTS:
            self._subjects.popitem(last=False)

    def _forget(self) -> None:
        """Nothing in memory can be trusted after a Commit that was not written: read it again."""
        self._subjects.clear()
        self._links.forget()
        self._totals = None
        self._offset = None
        self._ahead = []


def _whole(found: Sequence[Stored | Unreadable]) -> int:
    """How many there are up to the last mark, and with it."""
    return next((place for place in range(len(found), 0, -1) if _is_mark(found[place - 1])), 0)


def _is_mark(one: Stored | Unreadable) -> bool:
    return isinstance(one, Stored) and isinstance(one.event.body, SourceRead)


def _unreadable(one: Unreadable) -> Quarantined:
    return Quarantined(origin="events", key=str(one.seq), reason=one.reason, head=one.name)


def _limit(refused: Sequence[Quarantined], events: int) -> None:
    if len(refused) >= QUARANTINE_LEAST and len(refused) > QUARANTINE_SHARE * events:
        message = (
            f"The fold refused {len(refused)} of {events} Events ({refused[0].reason}): it stops here and nothing is "
            "lost; start the version that ran before, or report this."
        )
        raise TooManyRefused(message)


def _quarantined(at: datetime, number: int) -> Measurement:
    return Measurement(name="odoo_otel_quarantined_total", labels=(), value=number, at=at)
