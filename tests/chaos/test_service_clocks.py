"""Clocks lie: the server's jumps between two polls or is a day off from the beginning, or our own jumps (R14)."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from exporter.sources.odoo.registry import COLLECTIONS, SELDOM
from tests.fakes import collector as answers
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

DAY, HOUR = 86_400.0, 3600.0
JUMPS = (-DAY, DAY, -HOUR, HOUR)


@dataclass(slots=True)
class Stage:
    """One database and its exporter."""

    server: LiveServer
    exporter: Exporter
    collector: FakeCollector

    def polled(self, times: int = 1) -> None:
        """Wait for so many whole rounds of polls, begun from now on."""
        wanted = self._asked() + times + 1
        until(lambda: self._asked() >= wanted, what="a round of polls")

    def _asked(self) -> int:
        return sum(path == "/json/2/tier.review/search_read" for _, path in list(self.server.asked))


@pytest.fixture
def shift() -> float:
    """Seconds by which the server's clock is off from the beginning."""
    return 0.0


@pytest.fixture
def stage(tmp_path: Path, shift: float) -> Iterator[Stage]:
    """One database that was polled once."""
    with ExitStack() as stack:
        odoo = live_lab()
        odoo.step(shift)
        for number in range(3):
            live.cron(odoo, f"LAB {number}")
        server = stack.enter_context(LiveServer(odoo))
        collector = stack.enter_context(FakeCollector())
        entries = [server.entry("acme")]
        exporter = stack.enter_context(Exporter(tmp_path, entries, endpoint=collector.url))
        until(lambda: exporter.value("odoo_up", odoo_database="acme") == 1)
        yield Stage(server, exporter, collector)


def _no_negative(stage: Stage) -> None:
    """No span ends before it starts or its parent does; no sum, no bucket is below zero."""
    spans = {span.span_id: span for span in stage.collector.spans()}
    assert spans
    for span in spans.values():
        assert span.end_time_unix_nano >= span.start_time_unix_nano > 0, span.name
        parent = spans.get(span.parent_span_id)
        assert parent is None or span.end_time_unix_nano >= parent.start_time_unix_nano, span.name
    wrong = {key: n for key, n in stage.exporter.samples().items() if n < 0}
    assert not wrong


def _roots(stage: Stage) -> list[Span]:
    """The root spans of queue jobs, each once."""
    spans = {span.span_id: span for span in stage.collector.spans()}
    return [span for span in spans.values() if span.name.startswith("process ") and not span.parent_span_id]


@pytest.mark.parametrize("shift", [-DAY, DAY], ids=["a day behind", "a day ahead"])
def test_a_clock_that_is_off_costs_nothing(stage: Stage) -> None:
    """R14: whatever day it is on the server, its Runs are live, counted and told, and staleness is by our own clock."""
    odoo, exporter = stage.server.odoo, stage.exporter
    live.ran(odoo, 1, seconds=0)
    one = live.job(odoo)
    stage.polled()
    live.started(odoo, one)
    stage.polled()
    live.failed(odoo, one)
    until(lambda: exporter.value("odoo_job_runs_total", result="failure") == 1)
    until(lambda: exporter.value("odoo_cron_runs_total", result="success") == 1)
    until(lambda: any(b"odoo.job.failed" in copies[0] for copies in stage.collector.stored.values()))
    assert exporter.value("odoo_jobs") == 0
    for source in ("odoo/crons", "odoo/jobs", "odoo/approvals"):
        assert exporter.value("odoo_source_stale", source=source) == 0
        last = exporter.value("odoo_source_last_success_timestamp_seconds", source=source)
        assert abs(last - datetime.now(UTC).timestamp()) < 60
    _no_negative(stage)
    exporter.stop()


def test_a_clock_that_jumps_costs_nothing(stage: Stage) -> None:
    """R14: jumps by an hour and a day, back and forth, in the middle of everything: no crash, nothing negative."""
    odoo, exporter = stage.server.odoo, stage.exporter
    jobs = 0
    for jump in JUMPS:
        one, order = live.job(odoo), live.order(odoo)
        stage.polled()
        live.started(odoo, one)
        review = live.submitted(odoo, order)
        stage.polled()
        odoo.step(jump)
        live.ran(odoo, 1 + jobs % 3, seconds=0)
        live.done(odoo, one)
        live.approved(odoo, order, review)
        stage.polled()
        jobs += 1
    odoo.step(2 * DAY)
    stage.polled(2)
    until(lambda: len(_roots(stage)) == jobs)
    history = sum(any(one.value.string_value == "history" for one in span.attributes) for span in _roots(stage))
    assert 0 < history < jobs  # what ended, by the server's clock, before the first start
    until(lambda: exporter.settled("acme"))
    assert exporter.value("odoo_job_runs_total") == jobs - history
    assert exporter.value("odoo_jobs") == 0
    assert exporter.value("odoo_up", odoo_database="acme") == 1
    assert exporter.get("/readyz")[0] == 200
    _no_negative(stage)
    exporter.stop()


@pytest.mark.parametrize("jump", [-HOUR, HOUR, -DAY, DAY], ids=["an hour back", "an hour on", "a day back", "a day on"])
def test_our_own_clock_that_jumps_costs_nothing(tmp_path: Path, jump: float) -> None:
    """R4, R14: in the middle of an outage and of Runs: polls and backoff go on, all is told once, nothing is found."""
    odoo, clock = live_lab(), tmp_path / "jump"
    for number in range(3):
        live.cron(odoo, f"LAB {number}")
    program = ("-m", "tests.fakes.own_clock", str(clock))
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme")], collector.url, program=program) as exporter,
    ):
        stage = Stage(server, exporter, collector)
        stage.polled()
        collector.default = answers.status(503)
        over, one = live.job(odoo), live.job(odoo)
        live.started(odoo, one)
        live.done(odoo, over)
        until(lambda: len(collector.requests) > 1, what="a second try")
        clock.write_text(str(jump), encoding="ascii")
        live.done(odoo, one)
        live.ran(odoo, 1, seconds=0)
        stage.polled(2)
        collector.default = answers.ok()
        until(lambda: exporter.settled("acme") and len(_roots(stage)) == 2, 30, "the drain")
        until(lambda: exporter.value("odoo_cron_runs_total", result="success") == 1)
        success = exporter.value("odoo_source_last_success_timestamp_seconds", source="odoo/jobs")
        assert abs(success - datetime.now(UTC).timestamp() - jump) < 60, "the jump did not arrive: the test is blind"
        # After a jump ahead what is polled seldom looks old, and is called stale, until its next poll.
        stale = {source: exporter.value("odoo_source_stale", source=source) for source in COLLECTIONS}
        assert [source for source in stale if stale[source] and source not in SELDOM] == []
        assert exporter.value("odoo_job_runs_total", result="success") == 2
        assert exporter.value("odoo_anomalies_total") == 0
        assert exporter.get("/readyz")[0] == 200
        _no_negative(stage)
        assert collector.differing() == []
        exporter.stop()
    assert not [line for line in exporter.logs() if line["level"] in {"error", "critical"}]
