"""R3, R4, R6: the way from the outbox to the Sink, with a scripted Sink and a clock that is moved by hand."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import StepClock, SystemClock
from exporter.errors import StoreBroken, StoreFull
from exporter.loops.lane import Lane, LaneOptions
from exporter.loops.limits import Backoff
from exporter.loops.sending import Sending, SendingOptions
from exporter.sinks import Bisect, Delivered, ExportResult, Misconfigured, Rejected, Retry, Row, Sink
from exporter.store.encoded import Signal
from exporter.store.entries import OutboxRow
from tests.fakes.outbox import MemoryOutbox
from tests.fakes.rows import START, log_row, span_row, span_rows
from tests.searching import searching


@dataclass
class ScriptedSink:
    """Answers by a function of the bodies; keeps what it was given and what it "stored"."""

    verdict: Callable[[Sequence[bytes]], ExportResult] = lambda _: Delivered()
    asked: list[list[bytes]] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    closed: bool = False

    def export(self, signal: Signal, rows: Sequence[Row]) -> ExportResult:
        """Note, judge, store."""
        del signal
        bodies = [body for _, body in rows]
        self.asked.append(bodies)
        result = self.verdict(bodies)
        if isinstance(result, Delivered):
            self.stored += bodies
        return result

    def close(self) -> None:
        """Note it."""
        self.closed = True


@dataclass
class Bench:
    """A lane for traces with everything around it in hand."""

    sink: ScriptedSink | None = field(default_factory=ScriptedSink)
    options: LaneOptions = field(default_factory=LaneOptions)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    clock: StepClock = field(default_factory=lambda: StepClock(START))

    def __post_init__(self) -> None:
        """Build the lane; jitter is the whole of its ceiling."""
        sink: Sink | None = self.sink
        backoff = Backoff(random=lambda: 1.0)
        self.lane = Lane("traces", self.outbox, sink, clock=self.clock, options=self.options, backoff=backoff)

    def add(self, count: int, first: int = 1) -> list[bytes]:
        """Put spans into the outbox; their bodies."""
        rows = span_rows(count, first)
        self.outbox.add(rows)
        return [row.body for row in rows]

    def condition(self) -> str:
        """The lane's condition now."""
        return self.lane.state.condition

    def until_empty(self, steps: int = 10_000) -> None:
        """Step, waiting on the clock, until nothing is left."""
        for _ in range(steps):
            pause = self.lane.step()
            self.clock.step(pause.seconds)
            if not self.outbox.rows:
                return
        pytest.fail("the outbox did not drain")


def refuse(bad: set[bytes], result: type[Bisect] = Bisect) -> Callable[[Sequence[bytes]], ExportResult]:
    """A server that refuses any request with a bad row in it."""

    def verdict(bodies: Sequence[bytes]) -> ExportResult:
        if bad.isdisjoint(bodies):
            return Delivered()
        return result(reason="http_400") if len(bodies) > 1 else Rejected(reason="http_400", detail="bad span")

    return verdict


def test_rows_leave_in_order_and_only_once() -> None:
    """What was delivered is settled; the order is the outbox's."""
    bench = Bench(options=LaneOptions(rows=7))
    bodies = bench.add(50)
    bench.until_empty()
    assert bench.sink is not None
    assert bench.sink.stored == bodies
    assert bench.outbox.counts["traces", "accepted"] == 50
    assert bench.lane.state.delivered == 50
    assert bench.lane.state.last_success == START


def test_a_request_is_bounded_in_rows_and_bytes() -> None:
    """No request has more than 2,000 rows or 4 MiB, contexts counted once; a row that is too large goes alone."""
    bench = Bench()
    rows = [span_row(n, 1_000) for n in range(1, 5_001)]
    rows[100] = span_row(101, 5 * 2**20)
    bench.outbox.add(rows)
    bench.until_empty()
    assert bench.sink is not None
    sizes = [sum(map(len, bodies)) for bodies in bench.sink.asked]
    assert max(len(bodies) for bodies in bench.sink.asked) <= 2_000
    assert all(size <= 4 * 2**20 or len(bodies) == 1 for size, bodies in zip(sizes, bench.sink.asked, strict=True))
    assert len(bench.sink.stored) == 5_000


def test_half_an_hour_of_outage_loses_nothing_and_keeps_the_order() -> None:
    """R3, R4: the server is away for 30 minutes while 10 rows/s come in; then all arrive, in order, bytes unchanged."""
    bench = Bench()
    bodies: list[bytes] = []
    away = START + timedelta(minutes=30)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Delivered() if bench.clock.now() >= away else Retry(reason="refused")
    bodies += bench.add(10)
    while bench.clock.now() < away:
        pause = bench.lane.step()
        bodies += bench.add(int(10 * pause.seconds), len(bodies) + 1)
        bench.clock.step(pause.seconds)
    attempts = len(bench.sink.asked)
    assert len(bench.outbox.rows) == len(bodies) >= 18_000
    bench.until_empty()
    assert bench.sink.stored == bodies
    assert max(len(sent) for sent in bench.sink.asked) <= 2_000, "memory grew with the outage"
    assert attempts <= 40, "the server was hammered"
    assert bench.lane.state.errors["refused"] == attempts


@searching()
@given(st.sets(st.integers(0, 1_999), max_size=60), st.sampled_from([1, 2, 3, 500, 2_000]))
def test_exactly_the_poisoned_rows_are_set_aside(bad: set[int], rows: int) -> None:
    """R6: bad rows at random places are quarantined exactly, the others arrive once and in order."""
    bench = Bench(options=LaneOptions(rows=rows))
    bodies = bench.add(2_000)
    assert bench.sink is not None
    bench.sink.verdict = refuse({bodies[n] for n in bad})
    bench.until_empty()
    assert bench.sink.stored == [body for n, body in enumerate(bodies) if n not in bad]
    assert set(bench.outbox.quarantine) == {n + 1 for n in bad}
    assert set(bench.outbox.quarantine.values()) <= {"http_400 bad span"}


def test_a_sink_that_always_bisects_cannot_trap_the_loop() -> None:
    """A refusal of one row is final, whatever the Sink calls it."""
    bench = Bench()
    bench.add(3)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Bisect(reason="http_413")
    bench.lane.step()
    assert len(bench.outbox.quarantine) == 3


def test_a_bad_deploy_does_not_quarantine_everything() -> None:
    """R6: a server that refuses every row stops us after the floor; a day later no more are gone; then all arrive."""
    bench = Bench()
    bodies = bench.add(10_000)
    assert bench.sink is not None
    bench.sink.verdict = refuse(set(bodies))
    bench.lane.step()
    assert bench.condition() == "halted"
    assert len(bench.outbox.quarantine) == 20
    until = bench.clock.now() + timedelta(days=1)
    while bench.clock.now() < until:
        bench.clock.step(bench.lane.step().seconds)
    assert len(bench.outbox.quarantine) == 20
    assert len(bench.sink.asked) <= 24 * 60 * 20, "the server was hammered"
    bench.sink.verdict = lambda _: Delivered()
    bench.until_empty()
    assert bench.condition() == "sending"
    assert len(bench.sink.stored) + len(bench.outbox.quarantine) == 10_000


def test_many_bad_rows_at_the_head_do_not_block_for_ever() -> None:
    """R6: more bad rows than the floor with good ones behind: the newest is tried, and by it the server is known."""
    bench = Bench()
    bodies = bench.add(150)
    assert bench.sink is not None
    bench.sink.verdict = refuse(set(bodies[:50]))
    bench.until_empty()
    assert set(bench.outbox.quarantine) == set(range(1, 51))
    assert sorted(bench.sink.stored) == sorted(bodies[50:])


def test_partial_success_is_settled_and_counted() -> None:
    """Rows the server threw away inside a 200 are counted and never sent again (decision 21)."""
    bench = Bench()
    bench.add(10)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Delivered(rejected=3, message="too old")
    bench.until_empty()
    assert len(bench.sink.asked) == 1
    assert bench.outbox.counts == {("traces", "accepted"): 7, ("traces", "rejected"): 3}
    assert bench.lane.state.partial == 3


def test_a_misconfiguration_keeps_everything() -> None:
    """401, 404 and redirects throw nothing away: the state says so, and a look a minute finds out when it is cured."""
    bench = Bench()
    bench.add(10)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Misconfigured(reason="http_401", detail="who are you")
    pauses = [bench.lane.step().seconds for _ in range(9)]
    assert len(bench.outbox.rows) == 10
    assert (bench.lane.state.condition, bench.lane.state.reason) == ("misconfigured", "http_401")
    assert pauses[-1] == 60
    bench.sink.verdict = lambda _: Delivered()
    bench.until_empty()
    assert bench.lane.state.condition == "sending"


def test_trouble_in_the_middle_of_halving_keeps_what_was_delivered() -> None:
    """A Retry while searching for a bad row settles what already went, and only the rest is sent again."""
    bench = Bench()
    bodies = bench.add(8)
    assert bench.sink is not None
    script = iter(list[ExportResult]([Bisect(reason="http_413"), Delivered(), Retry(reason="timeout")]))
    bench.sink.verdict = lambda _: next(script, Delivered())
    bench.lane.step()
    assert sorted(bench.outbox.rows) == [5, 6, 7, 8]
    bench.until_empty()
    assert bench.sink.stored == bodies


def test_retry_after_is_kept() -> None:
    """A server that asks for 120 s of quiet gets them."""
    bench = Bench()
    bench.add(1)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Retry(reason="http_429", after=120.0)
    assert bench.lane.step().seconds == 120


def test_only_a_change_of_state_is_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand failures in a row are one line, the recovery another."""
    bench = Bench()
    bench.add(1)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Retry(reason="refused", detail="ECONNREFUSED")
    with caplog.at_level(logging.INFO):
        for _ in range(1_000):
            bench.lane.step()
        bench.sink.verdict = lambda _: Delivered()
        bench.until_empty()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "refused" in caplog.records[0].getMessage()


def test_without_a_sink_the_newest_rows_are_kept() -> None:
    """No endpoint: rows are pruned by budget, and counted (decision 21)."""
    bench = Bench(sink=None, options=LaneOptions(budget=100))
    bench.add(250)
    assert bench.lane.step().seconds == 30
    assert min(bench.outbox.rows) == 151
    assert bench.lane.state.pruned == 150
    assert bench.outbox.counts["traces", "pruned"] == 150
    assert bench.lane.state.condition == "keeping"


class FullOutbox(MemoryOutbox):
    """A store without room, then with."""

    full = True

    def settle(self, *args: object, **kwargs: object) -> None:
        """Refuse while full."""
        if self.full:
            raise StoreFull("no room left")
        super().settle(*args, **kwargs)  # type: ignore[arg-type]


def test_a_full_store_is_waited_for() -> None:
    """R9: if the settling finds no room, the rows stay and go again with the same bytes."""
    outbox = FullOutbox()
    bench = Bench(outbox=outbox)
    bodies = bench.add(2)
    bench.lane.step()
    assert (bench.lane.state.condition, bench.lane.state.reason) == ("retrying", "store_full")
    outbox.full = False
    bench.until_empty()
    assert bench.sink is not None
    assert bench.sink.asked == [bodies, bodies]


class BrokenOutbox(MemoryOutbox):
    """A store whose disk failed."""

    def pending(self, *_: object, **__: object) -> list[OutboxRow]:
        """Fail."""
        raise StoreBroken("disk I/O error")


def test_a_broken_store_ends_the_lane_and_says_so() -> None:
    """R10: the lane does not go on after an I/O error; the service sees the fault and exits."""
    sending = Sending(BrokenOutbox(), ScriptedSink(), StepClock(START), SendingOptions(signals=("traces",)))
    sending.start()
    assert sending.stop()
    assert isinstance(sending.fault, StoreBroken)
    assert sending.state()[0].condition == "broken"
    assert not sending.alive()


def test_what_the_server_takes_leaves_before_the_end() -> None:
    """R20: `drain` is back when everything has left, at once when nobody takes it or nothing is sent anywhere."""
    refuse = ScriptedSink(lambda _: Retry(reason="http_503"))
    for sink, left in ((ScriptedSink(), 0), (refuse, 3), (None, 3)):
        outbox = MemoryOutbox()
        outbox.add(span_rows(3))
        sending = Sending(outbox, sink, SystemClock(), SendingOptions(signals=("traces",)))
        sending.start()
        sending.drain(30)
        assert len(outbox.rows) == left
        assert sending.stop()


def test_signals_are_independent() -> None:
    """A signal that is misconfigured does not stop the others."""
    outbox = MemoryOutbox()
    outbox.add([span_row(1), log_row(1)])
    bodies = {log_row(1).body}
    sink = ScriptedSink(lambda sent: Delivered() if bodies >= set(sent) else Misconfigured(reason="http_404"))
    sending = Sending(outbox, sink, StepClock(START))
    for lane in sending.lanes:
        lane.step()
    assert {state.signal: state.condition for state in sending.state()} == {
        "traces": "misconfigured",
        "logs": "sending",
        "metrics": "sending",
    }
    assert [row.signal for row in outbox.rows.values()] == ["traces"]


def test_a_signal_without_an_endpoint_is_kept_by_budget() -> None:
    """Traces are sent, logs (switched off) are pruned."""
    outbox = MemoryOutbox()
    outbox.add([log_row(n) for n in range(1, 11)])
    options = SendingOptions(sent=frozenset({"traces"}), lane=LaneOptions(budget=3))
    sending = Sending(outbox, ScriptedSink(), StepClock(START), options)
    for lane in sending.lanes:
        lane.step()
    assert len(outbox.rows) == 3


def test_an_abandoned_request_is_not_settled() -> None:
    """R20: what a request brings after we stopped waiting for it is not written; the rows are sent again later."""
    bench = Bench()
    bench.add(1)

    def verdict(_: Sequence[bytes]) -> ExportResult:
        bench.lane.abandon()
        return Delivered()

    assert bench.sink is not None
    bench.sink.verdict = verdict
    bench.lane.step()
    assert len(bench.outbox.rows) == 1
