"""n8n beside Odoo, over real sockets: executions in the trace of the record, through nudges, crashes and outages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.n8n import KEY, FakeN8n, N8nServer, sample, when
from tests.fakes.odoo_http import Canned
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

TOKEN = "c4n4ry-token-0123456789abcdef"
HOOKS = {"n8n": {"scheme": "token", "secrets": "${env:HOOK_TOKEN}"}}
SOURCE = "n8n/executions"


class Stage:
    """A fake Odoo and a fake n8n, the service that reads both, a Collector."""

    def __init__(
        self, odoo: LiveOdoo, sources: tuple[LiveServer, N8nServer], exporter: Exporter, collector: FakeCollector
    ) -> None:
        self.odoo, self.exporter, self.collector = odoo, exporter, collector
        self.servers = sources
        self.n8n = sources[1].n8n

    def runs(self, name: str, number: int, **about: object) -> None:
        """An execution that has just ended, or parked."""
        row = sample(name)
        took = when(row["stoppedAt"]) - when(row["startedAt"])
        self.n8n.put(name, number, at=datetime.now(UTC) - took, **about)

    def spans(self) -> dict[bytes, Span]:
        """Every span that arrived, by id."""
        return {span.span_id: span for span in self.collector.spans()}

    def named(self, name: str) -> list[Span]:
        """Those of a name."""
        return [span for span in self.spans().values() if span.name == name]

    def nudge(self, number: int) -> int:
        """As the error workflow does."""
        said = {"execution": {"id": str(number), "at": time.time()}}
        return requests.post(f"{intake(self.exporter)}/hooks/n8n/{TOKEN}", json=said, timeout=2).status_code


@contextmanager
def _stage(folder: Path, poll: float, **n8n_about: object) -> Iterator[Stage]:
    odoo, n8n = live_lab(running=True), FakeN8n()
    with LiveServer(odoo) as server, N8nServer(n8n, running=True) as other, FakeCollector() as collector:
        entry = server.entry("acme", hooks=HOOKS, poll_seconds=poll, n8n=other.entry(**n8n_about))
        with Exporter(folder, [entry], endpoint=collector.url, settings={"log_level": "debug"}) as exporter:
            until(lambda: exporter.value("odoo_source_success", source=SOURCE) == 1, what="the first poll of n8n")
            yield Stage(odoo, (server, other), exporter, collector)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Make a stage that polls every so many seconds."""
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    return lambda poll, **about: _stage(tmp_path, poll, **about)


def test_an_execution_stands_with_its_nodes_in_the_trace_of_its_record(line: Callable[..., object]) -> None:
    """By the name in its custom data; with a node's failure, HTTP status and cause (features 7, 77)."""
    with line(1) as stage:  # type: ignore[attr-defined]
        order = live.order(stage.odoo)
        stage.odoo.write("purchase.order", order, name="P00099")
        stage.runs("error401", 5, customData={"odoo_ref": "P00099"}, tracingContext=None)
        with stage.odoo.transaction():
            live.confirmed(stage.odoo, order)
        until(lambda: stage.named("n8n Order sync"), 10, "the execution told")
        until(lambda: stage.named("workflow purchase"), 10, "the order told")
        (root,), (record,) = stage.named("n8n Order sync"), stage.named("workflow purchase")
        assert (root.trace_id, root.parent_span_id) == (record.trace_id, record.span_id)
        nodes = [span for span in stage.spans().values() if span.parent_span_id == root.span_id]
        assert {span.name for span in nodes} == {"node Webhook", "node Tag", "node HTTP Request"}
        (failed,) = stage.named("node HTTP Request")
        words = {one.key: one.value for one in failed.attributes}
        assert words["http.response.status_code"].int_value == 401
        assert words["odoo.failure.cause"].string_value == "auth"
        assert stage.exporter.value("odoo_n8n_executions_total", workflow="Order sync", result="failure") == 1
        assert all(method == "GET" for method, _, _ in stage.servers[1].requests)


def test_a_parked_execution_is_shown_while_it_waits_and_told_when_it_goes_on(line: Callable[..., object]) -> None:
    """The gauges say that somebody is waited for, and since when; then the wait is a span (feature 33)."""
    with line(1) as stage:  # type: ignore[attr-defined]
        stage.runs("waiting", 27)
        waits = {"workflow": "Approval", "state": "waiting"}
        until(lambda: stage.exporter.value("odoo_n8n_open_executions", **waits) == 1, 10, "the wait shown")
        assert stage.exporter.value("odoo_n8n_oldest_waiting_timestamp_seconds", workflow="Approval") > time.time() - 60
        stage.runs("resumed", 27)
        until(lambda: stage.named("wait Wait"), 10, "the wait told")
        assert stage.exporter.value("odoo_n8n_open_executions", **waits) == 0
        assert stage.exporter.value("odoo_n8n_wait_duration_seconds_count", wait="human") == 1


def test_a_nudge_is_looked_at_though_polls_are_rare(line: Callable[..., object]) -> None:
    """With a poll an hour; what the nudge says beside the id is not believed, and a wrong id does no harm."""
    with line(3600) as stage:  # type: ignore[attr-defined]
        stage.runs("success", 8)
        assert stage.nudge(8) == 202
        until(lambda: stage.named("n8n Order sync"), 5, "the execution told")
        assert stage.nudge(999) == 202
        url = f"{intake(stage.exporter)}/hooks/n8n/{TOKEN}"
        assert requests.post(url, json={"execution": {"id": ["x"]}}, timeout=2).status_code == 202
        stage.runs("loop", 9)
        assert stage.nudge(9) == 202
        until(lambda: stage.named("n8n Branch and loop"), 5, "the next one told")
        assert stage.exporter.value("odoo_n8n_executions_total") == 2


def test_killed_between_any_two_polls_everything_is_told_once(line: Callable[..., object]) -> None:
    """kill -9 while executions run, park and end: no execution is lost or counted twice, no span differs (R3)."""
    with line(1) as stage:  # type: ignore[attr-defined]
        for number in range(1, 31):
            stage.runs("success" if number % 3 else "continued", number)
            if number == 12:
                stage.runs("waiting", 40)
            if number % 10 == 0:
                stage.exporter.kill()
                stage.exporter.start()
        stage.runs("resumed", 40)
        until(lambda: stage.exporter.value("odoo_n8n_executions_total") == 31, 20, "all counted")
        until(lambda: stage.exporter.settled("acme"), 20, "all sent")
        time.sleep(1.5)
        assert stage.exporter.value("odoo_n8n_executions_total") == 31
        names = [span.name for span in stage.spans().values()]
        assert sum(name.startswith("n8n ") and not name.endswith(" started") for name in names) == 31
        assert stage.collector.differing() == []
        assert stage.exporter.value("odoo_n8n_node_errors_total", continued="true") == 10


def test_an_n8n_that_is_down_is_no_word_about_odoo(line: Callable[..., object]) -> None:
    """Its own source says so, Odoo stays up and is read; what happened meanwhile is told when it is back (R8)."""
    with line(1) as stage:  # type: ignore[attr-defined]
        stage.servers[1].trouble = lambda _path, _real: Canned(status=503)
        until(lambda: stage.exporter.value("odoo_source_success", source=SOURCE) == 0, 10, "the outage seen")
        assert stage.exporter.value("odoo_up") == 1
        stage.runs("success", 8)
        stage.servers[1].trouble = None
        until(lambda: stage.named("n8n Order sync"), 10, "the execution told")


def test_nothing_that_may_not_leave_is_anywhere(line: Callable[..., object]) -> None:
    """R15: key, resume tokens, signatures, items, requests, parameters, stacks: in no span, log, page or file."""
    with line(1) as stage:  # type: ignore[attr-defined]
        for number, name in enumerate(("success", "error401", "continued", "waiting", "crashed", "retry", "child"), 50):
            stage.runs(name, number)
        until(lambda: stage.exporter.value("odoo_n8n_executions_total") == 6, 15, "all told")
        until(lambda: stage.exporter.settled("acme"), 15, "all sent")
        pages = stage.exporter.get("/")[1] + stage.exporter.get("/metrics")[1]
        stage.exporter.stop()
        sent = b"".join(request.body for request in stage.collector.requests)
        kept = b"".join(path.read_bytes() for path in stage.exporter.state.iterdir() if path.is_file())
        said = "\n".join(stage.exporter.lines)
        for place in (sent, kept, pages.encode(), said.encode()):
            assert b"canary" not in place.lower()
            assert KEY.encode() not in place
