"""The sending loop with its threads, the real store and a real server."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.clock import SystemClock
from exporter.loops.sending import Sending, SendingOptions
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.over_http import HttpSink
from exporter.store import open_reader, open_store
from exporter.store.encoded import Signal
from exporter.store.entries import Commit, OutboxRow
from exporter.store.sqlite import SqliteStore
from tests.fakes import collector as answers
from tests.fakes.collector import FakeCollector
from tests.fakes.rows import log_row, span_id, span_rows

QUICK = SendingOptions(random=lambda: 0.01)  # a hundredth of every wait: the same doubling, in a test's time


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """The real store."""
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


def tell(store: SqliteStore, rows: list[OutboxRow]) -> None:
    """What the fold does: a Commit with rows for the outbox."""
    offset = store.offset("acme", "fold")
    store.commit(Commit(tenant="acme", consumer="fold", expected_offset=offset, offset=offset + 1, outbox=rows))


def sending(store: SqliteStore, server: FakeCollector, *, timeout: float = 5.0) -> Sending:
    """The loop for traces and logs, started."""
    signals: tuple[Signal, ...] = ("traces", "logs")
    targets = {signal: Endpoint(url=f"{server.url}/v1/{signal}", timeout=timeout) for signal in signals}
    loop = Sending(store, HttpSink(targets, SystemClock()), SystemClock(), QUICK)
    loop.start()
    return loop


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what other threads do."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_an_outage_loses_nothing_and_doubles_are_identical(store: SqliteStore, tmp_path: Path) -> None:
    """R3, R4: a Collector that refuses, stores in silence, cuts and comes back has every span, bytes unchanged."""
    rows = span_rows(3_000)
    with FakeCollector(default=answers.status(503)) as server:
        server.will(answers.half(stores=True), answers.reset(stores=True), answers.status(503), answers.redirect())
        loop = sending(store, server)
        for begin in range(0, 3_000, 500):
            tell(store, rows[begin : begin + 500])
            loop.wake()
        until(lambda: len(server.requests) >= 8)
        server.default = answers.ok()
        until(lambda: not store.pending("traces", 1))
        assert loop.stop()
        for first in (1, 2):  # spans of one Resource keep their order; a request groups them by Resource
            mine = [span_id(n) for n in range(first, 3_001, 2)]
            assert [key for key in server.order if key[-1] % 2 == first % 2] == mine
        assert set(server.stored) == {span_id(n) for n in range(1, 3_001)}
        assert any(len(copies) > 1 for copies in server.stored.values()), "nothing was sent twice: the test is blind"
        assert server.differing() == []
    assert open_reader(tmp_path / "store.db").sent()["traces", "accepted"] == 3_000


def test_traces_in_trouble_leave_the_logs_alone(store: SqliteStore) -> None:
    """A traces endpoint that hangs does not hold up a single log record."""
    with FakeCollector() as server:
        server.will(answers.hang())
        loop = sending(store, server, timeout=15)
        tell(store, span_rows(1))
        until(lambda: len(server.requests) == 1)
        tell(store, [log_row(n) for n in range(1, 101)])
        loop.wake()
        until(lambda: not store.pending("logs", 1), seconds=3)
        assert len(server.stored) == 100
        assert len(store.pending("traces", 10)) == 1
        server.closing.set()
        assert loop.stop()


def test_it_stops_in_time_though_a_server_hangs(store: SqliteStore) -> None:
    """R20: with a request in flight to a server that never answers the loop is left in less than 5 s, the row kept."""
    with FakeCollector(default=answers.hang()) as server:
        loop = sending(store, server, timeout=60)
        tell(store, span_rows(1))
        loop.wake()
        until(lambda: len(server.requests) == 1)
        began = time.monotonic()
        assert not loop.stop(grace=0.5)
        assert time.monotonic() - began < 5
        assert len(store.pending("traces", 10)) == 1


def test_a_backlog_drains_quickly(store: SqliteStore) -> None:
    """R4: a backlog leaves at 1,000 spans/s or more, over a real socket, every answer read."""
    tell(store, span_rows(20_000))
    with FakeCollector() as server:
        began = time.monotonic()
        loop = sending(store, server)
        until(lambda: not store.pending("traces", 1), seconds=30)
        seconds = time.monotonic() - began
        assert loop.stop()
        assert len(server.stored) == 20_000
        assert all(len(request.entries()) <= 2_000 for request in server.requests)
    assert 20_000 / seconds >= 1_000, f"{20_000 / seconds:.0f} spans/s"
