"""One signal's way from the outbox to the Sink: take, export, settle, and wait when it does not work.

A row leaves the outbox only after the server's answer was read and says so. Lanes share nothing, so the trouble of one
signal (a hang, a missing endpoint, a poisoned row) never holds up another.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event as Flag
from threading import Lock
from types import MappingProxyType
from typing import Literal, assert_never

from exporter.clock import Clock
from exporter.errors import StoreBroken, StoreError, StoreFull
from exporter.loops.limits import Backoff, RejectLimit
from exporter.sinks import Bisect, Delivered, ExportResult, Misconfigured, Rejected, Retry, Sink
from exporter.store.encoded import Signal
from exporter.store.entries import OutboxRow
from exporter.store.protocols import Outbox

log = logging.getLogger(__name__)

Condition = Literal["sending", "retrying", "misconfigured", "halted", "keeping", "broken", "stopped"]
_SEVERITY: Mapping[Condition, int] = {
    "sending": logging.INFO,
    "stopped": logging.INFO,
    "keeping": logging.INFO,
    "broken": logging.CRITICAL,
}
HALTED = "bad_deploy"
STORE_FULL, STORE = "store_full", "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """How one signal is doing; replaced as a whole, so any thread may read it.

    Attributes:
        condition: `retrying` (the server's trouble), `misconfigured` (ours), `halted` (too much was rejected),
            `keeping` (no Sink), `broken` (the store or a bug ended the lane).
        reason: why, of few values ("" while sending); `detail`: the same in one line for people.
        errors: failed requests by reason, since start.
        delivered, rejected, partial: rows settled since start; `partial` were thrown away by the server.
        halts: how often the limit on rejected rows stopped us.
    """

    signal: Signal
    condition: Condition = "sending"
    reason: str = ""
    detail: str = ""
    since: datetime | None = None
    last_success: datetime | None = None
    errors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    requests: int = 0
    delivered: int = 0
    rejected: int = 0
    partial: int = 0
    pruned: int = 0
    halts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOptions:
    """The sizes and times of a lane: rows and bytes of one request, seconds between looks, rows kept without a Sink."""

    rows: int = 2_000
    size: int = 4 * 1024 * 1024
    idle: float = 1.0
    halted: float = 60.0
    prune: float = 30.0
    budget: int = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """What to do after a step: wait `seconds`; `idle` waits end early when new rows are announced."""

    seconds: float = 0.0
    idle: bool = False


@dataclass(slots=True)
class _Tally:
    """What one pass over a batch found out, not settled yet."""

    delivered: list[int] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)
    partial: int = 0


@dataclass(frozen=True, slots=True)
class _Halt:
    """The limit on rejected rows was reached at this refusal."""

    refusal: Rejected | Bisect


class Lane:
    """One signal. `step` does one round and returns how long to wait; `run` repeats it until `stop`."""

    def __init__(
        self, signal: Signal, outbox: Outbox, sink: Sink | None, *, clock: Clock, options: LaneOptions, backoff: Backoff
    ) -> None:
        self.state = LaneState(signal=signal, since=clock.now())
        self.fault: BaseException | None = None
        self._signal: Signal = signal
        self._outbox, self._sink, self._clock, self._options = outbox, sink, clock, options
        self._backoff, self._limit = backoff, RejectLimit()
        self._stopping, self._fresh, self._settling = Flag(), Flag(), Lock()
        self._abandoned = False

    def run(self) -> None:
        """Step until stopped. A broken store (or a bug) ends the lane; `fault` says what it was."""
        try:
            while not self._stopping.is_set():
                self._fresh.clear()
                pause = self.step()
                self._clock.wait(self._fresh if pause.idle else self._stopping, pause.seconds)
        except Exception as error:  # the service watches `fault`: a thread that dies in silence would be the worst
            self.fault = error
            self._become("broken", type(error).__name__, str(error))
            log.debug("sending %s ended", self._signal, exc_info=True)
        else:
            self._become("stopped")

    def wake(self) -> None:
        """New rows are there; a lane that backs off is not disturbed."""
        self._fresh.set()

    def flows(self) -> bool:
        """Whether rows wait that the server takes, as far as is known."""
        if self._sink is None or self.state.condition != "sending":
            return False
        try:
            return bool(self._outbox.pending(self._signal, 1))
        except StoreError:
            return False

    def stop(self) -> None:
        """End after the request in flight."""
        self._stopping.set()
        self._fresh.set()

    def abandon(self) -> None:
        """A request in flight did not end in time: whatever it brings is not settled any more, the rows stay."""
        with self._settling:
            self._abandoned = True

    def step(self) -> Pause:
        """One round: prune, or send one batch. Raises StoreBroken; other trouble of the store is waited for."""
        try:
            return self._round()
        except StoreBroken:
            raise
        except StoreError as error:  # what was sent but not settled goes again, as the same bytes
            reason = STORE_FULL if isinstance(error, StoreFull) else STORE
            return self._after(Retry(reason=reason, detail=str(error)))

    def _round(self) -> Pause:
        if self._sink is None:
            return self._prune()
        batch = self._batch()
        if not batch:
            return Pause(seconds=self._options.idle, idle=True)
        tally = _Tally()
        outcome = self._pass(self._sink, batch, tally)
        if isinstance(outcome, _Halt) and len(batch) > 1 and not tally.delivered:
            self._probe(self._sink, batch[-1:], tally)
        self._settle(tally)
        return self._after(outcome)

    def _probe(self, sink: Sink, newest: Sequence[OutboxRow], tally: _Tally) -> None:
        """Does the server refuse everything, or only these rows? One that it takes says so (see RejectLimit)."""
        result = self._export(sink, newest)
        if isinstance(result, Delivered):
            self._judge(result, newest, tally)

    def _prune(self) -> Pause:
        gone = self._outbox.prune(self._signal, self._options.budget)
        self.state = replace(self.state, pruned=self.state.pruned + gone)
        self._become("keeping", "no_sink", f"the newest {self._options.budget} rows are kept")
        return Pause(seconds=self._options.prune)

    def _batch(self) -> list[OutboxRow]:
        """As many rows as fit into one request; one that is too large alone goes alone."""
        rows = self._outbox.pending(self._signal, self._options.rows)
        size, contexts = 0, set[bytes]()
        for n, row in enumerate(rows):
            size += len(row.body) + (0 if row.context in contexts else len(row.context))
            contexts.add(row.context)
            if n and size > self._options.size:
                return rows[:n]
        return rows

    def _pass(self, sink: Sink, batch: Sequence[OutboxRow], tally: _Tally) -> ExportResult | _Halt:
        """Send the batch, by halves where the server refuses: the earlier half first, so that order is kept."""
        waiting = [batch]
        outcome: ExportResult | _Halt = Delivered()
        while waiting and not self._stopping.is_set():
            rows = waiting.pop()
            outcome = self._judge(self._export(sink, rows), rows, tally)
            match outcome:
                case Bisect():
                    middle = len(rows) // 2
                    waiting += (rows[middle:], rows[:middle])
                case Retry() | Misconfigured() | _Halt():
                    return outcome
                case Delivered() | Rejected():
                    pass
                case _:
                    assert_never(outcome)
        return outcome

    def _export(self, sink: Sink, rows: Sequence[OutboxRow]) -> ExportResult:
        result = sink.export(self._signal, [(row.context, row.body) for row in rows])
        errors = Counter(self.state.errors)
        if not isinstance(result, Delivered):
            errors[result.reason] += 1
        self.state = replace(self.state, requests=self.state.requests + 1, errors=MappingProxyType(errors))
        return result

    def _judge(self, result: ExportResult, rows: Sequence[OutboxRow], tally: _Tally) -> ExportResult | _Halt:
        """Note what became of the rows; a single row that is refused is set aside if the limit allows."""
        if isinstance(result, Delivered):
            tally.delivered += (row.id for row in rows)
            tally.partial += result.rejected
        if isinstance(result, Rejected) or (isinstance(result, Bisect) and len(rows) == 1):
            done = len(tally.delivered), len(tally.rejected)
            if not self._limit.allows(self._clock.monotonic(), len(rows), *done):
                return _Halt(result)
            tally.rejected |= dict.fromkeys((row.id for row in rows), f"{result.reason} {result.detail}".strip())
            return Rejected(reason=result.reason, detail=result.detail)
        return result

    def _settle(self, tally: _Tally) -> None:
        if not tally.delivered and not tally.rejected:
            return
        with self._settling:
            if self._abandoned:
                return
            self._outbox.settle(self._signal, tally.delivered, tally.rejected, tally.partial)
        self._limit.count(self._clock.monotonic(), len(tally.delivered), len(tally.rejected))
        self.state = replace(
            self.state,
            delivered=self.state.delivered + len(tally.delivered),
            rejected=self.state.rejected + len(tally.rejected),
            partial=self.state.partial + tally.partial,
            last_success=self._clock.now() if tally.delivered else self.state.last_success,
        )

    def _after(self, outcome: ExportResult | _Halt) -> Pause:
        """The condition an outcome puts us into, and the wait that follows."""
        match outcome:
            case Delivered() | Rejected() | Bisect():
                self._backoff.clear()
                self._become("sending")
                return Pause()
            case Retry():
                self._become("retrying", outcome.reason, outcome.detail)
                return Pause(seconds=self._backoff.wait(outcome.after))
            case Misconfigured():
                self._become("misconfigured", outcome.reason, outcome.detail)
                return Pause(seconds=self._backoff.wait())
            case _Halt():
                if self.state.condition != "halted":
                    self.state = replace(self.state, halts=self.state.halts + 1)
                self._become("halted", HALTED, f"more than a fifth was refused: {outcome.refusal.reason}")
                return Pause(seconds=self._options.halted)
            case _:
                assert_never(outcome)

    def _become(self, condition: Condition, reason: str = "", detail: str = "") -> None:
        """Take on a condition; only a change of it is a line in the log."""
        changed = condition != self.state.condition
        since = self._clock.now() if changed else self.state.since
        self.state = replace(self.state, condition=condition, reason=reason, detail=detail, since=since)
        if changed:
            level = _SEVERITY.get(condition, logging.WARNING)
            log.log(level, "sending %s: %s %s %s", self._signal, condition, reason, detail)
