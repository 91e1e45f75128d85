"""The folding loop: Events in, one Commit out, for one tenant at a time.

A Source's mark is an Event in the tenant's order (`source.read`), so Timers fire in the fold when it passes them: a
backlog is folded as it would have been live, and a refold needs nothing but the Events.
"""

import gc
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from exporter.clock import Clock
from exporter.domain.bodies import SourceRead
from exporter.domain.events import Event
from exporter.domain.told import Measurement, Told
from exporter.errors import StoreError
from exporter.fold.subjects import Flow, Subject
from exporter.loops.batching import Batch, due, gauges, group, in_order, load, parts
from exporter.store.encoded import Encoded
from exporter.store.protocols import (
    FOLD,
    Commit,
    Ledger,
    Quarantined,
    Stored,
    Unreadable,
)
from exporter.telemetry import logs, traces
from exporter.telemetry.metrics import Totals
from exporter.telemetry.otlp import resource

BATCH = 1000
TIMERS_AT_ONCE = 5000
CACHED_SUBJECTS = 20_000
QUARANTINE_SHARE = 0.2  # of a batch of at least QUARANTINE_LEAST Events: then the program is wrong, not the facts
QUARANTINE_LEAST = 100


def spare_the_collector() -> None:
    """Let Python's garbage collector run less often: the fold makes trees and no cycles.

    With its defaults it runs every 700 objects, about every sixth Run, and takes a sixth of the fold's time.
    """
    gc.collect()
    gc.freeze()  # what is there at the start stays: modules, tables, classes
    gc.set_threshold(200_000, 50, 100)


class TooManyRefused(StoreError):
    """The fold refused so many Events that this program must be wrong: it stops, nothing is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldingOptions:
    """How one tenant is folded.

    Attributes:
        host_id: `host.id` of the Resource.
        history_spans: whether Runs that ended before the first start become spans.
        label_cap: values one metric label may have.
        batch: Events a Commit.
    """

    host_id: str
    history_spans: bool = True
    label_cap: int = 200
    batch: int = BATCH


@dataclass(slots=True)
class Folding:
    """One tenant's fold. `step` is everything; a thread only repeats it.

    Subjects and totals stay in memory between Commits and are dropped whenever a Commit was not written.
    """

    ledger: Ledger
    flow: Flow
    clock: Clock
    options: FoldingOptions
    _subjects: OrderedDict[str, Subject] = field(default_factory=OrderedDict)
    _totals: Totals | None = None
    _offset: int | None = None
    _encoded: bytes = b""

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
        stored = self.ledger.read(self.tenant, self._offset, self.options.batch)
        if not stored:
            return False
        events = [one.event for one in stored if isinstance(one, Stored)]
        batch = self._advance(events)
        batch.quarantine += [_unreadable(one) for one in stored if isinstance(one, Unreadable)]
        _limit(batch.quarantine, len(stored))
        self._commit(batch, gauges(events), stored[-1].seq)
        return True

    def _advance(self, events: Sequence[Event]) -> Batch:
        batch = Batch(flow=self.flow, before=self._subjects)
        marked = any(isinstance(event.body, SourceRead) for event in events)
        timers = self.ledger.due(self.tenant, TIMERS_AT_ONCE) if marked else []
        for part, batch.marks in parts(events):
            woken: dict[str, Sequence[Event]] = dict.fromkeys((*due(timers, batch), *batch.due()), ())
            groups = in_order(woken | group(part))
            self._load(groups)
            for key, mine in groups.items():
                batch.fold(key, mine)
            claims = batch.claims()
            self._load(claims)
            for key, claimed in claims.items():
                batch.fold(key, claimed)
        batch.correct(lambda run: self.ledger.run(self.tenant, run))
        return batch

    def _load(self, keys: Iterable[str]) -> None:
        missing = [key for key in keys if key not in self._subjects]
        for key, row in self.ledger.subjects(self.tenant, missing).items():
            self._subjects[key] = load(row)

    def _commit(self, batch: Batch, facts: Told, offset: int) -> None:
        if self._totals is None:
            self._totals = Totals(self.ledger.totals(self.tenant), cap=self.options.label_cap)
        said = [*batch.told, *batch.history]
        counted = [m for told in (facts, *batch.told) for m in told.measurements]
        counted += [_quarantined(self.clock.now(), len(batch.quarantine))] if batch.quarantine else []
        moved, gone = batch.timers()
        commit = Commit(
            tenant=self.tenant,
            consumer=FOLD,
            expected_offset=self._offset or 0,
            offset=offset,
            subjects=batch.rows(),
            runs=batch.runs,
            timers=moved,
            cleared=gone,
            totals=self._totals.add(counted),
            observations=[one for told in said for one in told.observations],
            outbox=self._rows(batch),
            quarantine=batch.quarantine,
        )
        self.ledger.commit(commit)
        self._offset = offset
        self._remember(batch)

    def _rows(self, batch: Batch) -> list[Encoded]:
        sent = [*batch.told, *(batch.history if self.options.history_spans else ())]
        spans = traces.rows((span for told in sent for span in told.spans), self._resource())
        return [*spans, *logs.rows((log for told in sent for log in told.logs), self._resource())]

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
        self._totals = None
        self._offset = None


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
