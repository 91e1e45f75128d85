"""The sending loop: a lane and a thread for each signal, from the outbox to the Sink; or, without one, a budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from threading import Thread
from time import monotonic, sleep

from exporter.clock import Clock
from exporter.loops.lane import Lane, LaneOptions, LaneState
from exporter.loops.limits import Backoff
from exporter.sinks import Sink
from exporter.store.encoded import Signal
from exporter.store.protocols import Outbox

GRACE = 4.0
LOOK = 0.02  # seconds between two looks at what drains


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingOptions:
    """Which signals are sent, and how; a signal not in `sent` is kept by budget, as all are without a Sink."""

    signals: Sequence[Signal] = ("traces", "logs", "metrics")
    sent: frozenset[Signal] = frozenset({"traces", "logs", "metrics"})
    lane: LaneOptions = field(default_factory=LaneOptions)
    random: Callable[[], float] = SystemRandom().random  # the jitter of the backoff: a number in [0, 1)


class Sending:
    """Start, wake, look at and stop the lanes. A lane that ended with a fault is seen in `fault`."""

    def __init__(self, outbox: Outbox, sink: Sink | None, clock: Clock, options: SendingOptions | None = None) -> None:
        chosen = options or SendingOptions()
        self._sink = sink
        self.lanes = tuple(
            Lane(
                signal,
                outbox,
                sink if signal in chosen.sent else None,
                clock=clock,
                options=chosen.lane,
                backoff=Backoff(chosen.random),
            )
            for signal in chosen.signals
        )
        # Daemons: a server that hangs may not keep the process alive; what was not settled is sent again.
        self._threads = tuple(
            Thread(target=lane.run, name=f"sending-{lane.state.signal}", daemon=True) for lane in self.lanes
        )

    def start(self) -> None:
        """Begin sending."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """New rows are in the outbox."""
        for lane in self.lanes:
            lane.wake()

    def state(self) -> tuple[LaneState, ...]:
        """How each signal is doing, for the service's own telemetry."""
        return tuple(lane.state for lane in self.lanes)

    def alive(self) -> bool:
        """Whether every lane is still at work."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def fault(self) -> BaseException | None:
        """What ended a lane, if something did: StoreBroken means the process must exit with 70."""
        return next((lane.fault for lane in self.lanes if lane.fault), None)

    def drain(self, grace: float = GRACE) -> None:
        """Let go what can: back when nothing waits, when a server does not take it, or after `grace` seconds."""
        until = monotonic() + grace
        while monotonic() < until and self.alive() and any(lane.flows() for lane in self.lanes):
            self.wake()
            sleep(LOOK)

    def stop(self, grace: float = GRACE) -> bool:
        """Finish the requests in flight, within `grace` seconds; what did not end is not settled. True if all did."""
        for lane in self.lanes:
            lane.stop()
        until = monotonic() + grace  # real seconds: it waits for real threads, whatever clock the lanes live by
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - monotonic()))
        for lane in self.lanes:
            lane.abandon()
        if self._sink is not None:
            self._sink.close()
        return not any(thread.is_alive() for thread in self._threads)
