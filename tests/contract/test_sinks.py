"""The Sinks we have, held against the contract."""

import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.clock import SystemClock
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.otlp import OtlpSink
from exporter.store import open_store
from exporter.store.protocols import Commit, Outbox
from tests.contract.sinks_contract import Mode, Subjects, check_sink
from tests.fakes.collector import FakeCollector
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
def test_otlp_keeps_the_contract(mode: Mode, seed: int, outbox: Outbox) -> None:
    """R24: delivered and rejected together are what was sent, with no doubles beyond re-sends."""
    with FakeCollector() as server:
        sink = OtlpSink({"traces": Endpoint(url=f"{server.url}/v1/traces", timeout=2)}, SystemClock())
        check_sink(Subjects(sink=sink, server=server, outbox=outbox, rows=ROWS), mode, seed)
        sink.close()
