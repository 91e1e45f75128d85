"""The Sinks we have, held against the contract."""

import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.clock import SystemClock
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.opening import open_sink
from exporter.sinks.over_grpc import GrpcSink
from exporter.sinks.over_http import HttpSink
from exporter.store import open_store
from exporter.store.entries import Commit
from exporter.store.protocols import Outbox
from tests.contract.sinks_contract import HALF, TROUBLES, Mode, Subjects, check_sink
from tests.fakes.collector import FakeCollector
from tests.fakes.grpc_collector import GrpcCollector
from tests.fakes.outbox import MemoryOutbox
from tests.fakes.rows import span_rows

MODES: tuple[Mode, ...] = typing.get_args(Mode)


ROWS = span_rows(400)


@pytest.fixture(params=["memory", "sqlite"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    """An outbox that holds ROWS: the twin of the unit tests, and the real one."""
    if request.param == "memory":
        memory = MemoryOutbox()
        memory.add(ROWS)
        yield memory
        return
    store = open_store(tmp_path / "store.db")
    store.commit(Commit(tenant="acme", consumer="fold", expected_offset=0, offset=1, outbox=ROWS))
    yield store
    store.close()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", MODES)
def test_http_keeps_the_contract(mode: Mode, seed: int, outbox: Outbox) -> None:
    """R24: delivered and rejected together are what was sent, with no doubles beyond re-sends."""
    with FakeCollector() as server:
        sink = HttpSink({"traces": Endpoint(url=f"{server.url}/v1/traces", timeout=2)}, SystemClock())
        subjects = Subjects(sink=sink, server=server, outbox=outbox, rows=ROWS, troubles=(*TROUBLES, HALF))
        check_sink(subjects, mode, seed)
        sink.close()


@pytest.mark.parametrize("kind", [FakeCollector, GrpcCollector])
def test_what_is_too_large_is_halved_until_it_fits(kind: type[FakeCollector], outbox: Outbox) -> None:
    """R24: a server with little room gets everything in smaller requests; only what fits in none is set aside."""
    room = 4_000
    with kind(room=room) as server:
        over_grpc = kind is GrpcCollector
        url = server.url if over_grpc else f"{server.url}/v1/traces"
        endpoint = Endpoint(url=url, protocol="grpc" if over_grpc else "http/protobuf", insecure=over_grpc, timeout=5)
        sink = open_sink({"traces": endpoint}, SystemClock())
        check_sink(Subjects(sink=sink, server=server, outbox=outbox, rows=ROWS, troubles=()), "ok", 0)
        sink.close()
        taken = [request for request in server.requests if len(request.body) <= room]
    assert len(taken) > len(ROWS) // 50, "nothing had to be halved: the test is blind"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", MODES)
def test_grpc_keeps_the_contract(mode: Mode, seed: int, outbox: Outbox) -> None:
    """R24: the same over gRPC."""
    with GrpcCollector() as server:
        endpoint = Endpoint(url=server.url, protocol="grpc", insecure=True, timeout=2)
        sink = GrpcSink({"traces": endpoint}, SystemClock())
        check_sink(Subjects(sink=sink, server=server, outbox=outbox, rows=ROWS, troubles=TROUBLES), mode, seed)
        sink.close()
