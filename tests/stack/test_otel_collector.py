"""otel-collector.yaml, run by the real Collector between our Sink, a real Jaeger and a real Prometheus."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.sinks import Bisect, Delivered, Misconfigured, Retry, Row, Sink
from exporter.sinks.endpoints import Endpoint, endpoints
from exporter.sinks.opening import open_sink
from exporter.sinks.over_http import HttpSink
from exporter.telemetry import otlp
from exporter.telemetry.instruments import INSTRUMENTS
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.state import State
from tests.fakes.rows import log_row, span_rows
from tests.stack.made_up import FACTS, Company
from tests.stack.servers.collector import Collector, Targets, validate
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.process import wait_until
from tests.stack.servers.prometheus import Prometheus

CONFIG = Path(__file__).parents[2] / "otel-collector.yaml"
STATE: State = {"version": "0.1.0", "store": "", "loops": {}, "sources": [], "signals": []}
LABELS = {"odoo_database"}.union(*(instrument.labels for instrument in INSTRUMENTS.values()))
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
OPENMETRICS = f"""# HELP odoo_cron_runs Runs of scheduled actions.
# TYPE odoo_cron_runs counter
odoo_cron_runs_total{{odoo_database="prod",cron="base.autovacuum",result="success"}} 7
# HELP odoo_cron_run_duration_seconds How long they ran.
# TYPE odoo_cron_run_duration_seconds histogram
# UNIT odoo_cron_run_duration_seconds seconds
odoo_cron_run_duration_seconds_bucket{{odoo_database="prod",le="1.0"}} 6
odoo_cron_run_duration_seconds_bucket{{odoo_database="prod",le="+Inf"}} 7 # {{trace_id="{TRACE}",span_id="{SPAN}"}} 4.2
odoo_cron_run_duration_seconds_sum{{odoo_database="prod"}} 6.5
odoo_cron_run_duration_seconds_count{{odoo_database="prod"}} 7
# HELP odoo_up Whether Odoo answers.
# TYPE odoo_up gauge
odoo_up{{odoo_database="prod"}} 1
# EOF
""".encode()


def fresh(count: int, first: int) -> list[Row]:
    """Some spans as a Sink takes them."""
    return [(row.context, row.body) for row in span_rows(count, first)]


def arrived(jaeger: Jaeger) -> list[dict[str, Any]]:
    """Every trace in Jaeger of the time our numbered spans bear."""
    return jaeger.traces("odoo", limit=1_000, start=1_699_999_999_000_000, end=1_700_000_001_000_000)


@pytest.fixture(scope="module")
def page() -> Iterator[WebServer]:
    """Our /metrics; what it says in the text format would betray a scraper that did not ask for OpenMetrics."""
    server = WebServer(create_app(lambda openmetrics: OPENMETRICS if openmetrics else b"", lambda: STATE), port=0)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, page: WebServer) -> Iterator[tuple[Jaeger, Prometheus, Collector]]:
    """The three servers, with the shipped configuration and only addresses changed."""
    with ExitStack() as running:
        jaeger = running.enter_context(Jaeger(tmp_path_factory.mktemp("jaeger")))
        prometheus = running.enter_context(Prometheus(tmp_path_factory.mktemp("prometheus")))
        folder = tmp_path_factory.mktemp("otelcol")
        # Only so that the test need not wait 15 s for the first scrape.
        config = CONFIG.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s")
        targets = Targets(jaeger=jaeger.otlp_grpc, prometheus=prometheus.otlp, exporter=f"127.0.0.1:{page.port}")
        yield jaeger, prometheus, running.enter_context(Collector(folder, config, targets))


def sink_to(collector: Collector) -> HttpSink:
    """Our Sink, configured by nothing but the standard variable."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    return HttpSink(endpoints(environ), SystemClock())


def test_the_shipped_file_is_valid(tmp_path: Path) -> None:
    """`otelcol validate` finds no fault in otel-collector.yaml with its defaults."""
    result = validate(CONFIG, tmp_path)
    assert result.returncode == 0, result.stderr


def test_spans_reach_jaeger(stack: tuple[Jaeger, Prometheus, Collector]) -> None:
    """What our Sink calls delivered is in Jaeger, each span once."""
    jaeger, _, collector = stack
    sink = sink_to(collector)
    assert sink.export("traces", fresh(100, 1)) == Delivered()
    sink.close()
    wait_until(lambda: len(arrived(jaeger)) == 100, "100 traces in Jaeger")
    assert {span["operationName"] for trace in arrived(jaeger) for span in trace["spans"]} == {"process root"}


def test_logs_reach_the_file(stack: tuple[Jaeger, Prometheus, Collector]) -> None:
    """Log records are written as OTLP JSON lines."""
    *_, collector = stack
    sink = sink_to(collector)
    assert sink.export("logs", [(log_row(1).context, log_row(1).body)]) == Delivered()
    sink.close()
    wait_until(collector.logs, "a line in the logs file")
    assert "job 1 failed" in json.dumps(collector.logs())


def test_metrics_reach_prometheus_with_names_and_exemplars(stack: tuple[Jaeger, Prometheus, Collector]) -> None:
    """Our scraped series stand in Prometheus once, under their own names, with their exemplars."""
    _, prometheus, _ = stack
    (counter,) = wait_until(lambda: prometheus.query("odoo_cron_runs_total"), "the counter in Prometheus")
    assert counter[1] == 7
    assert counter[0]["job"] == "odoo-otel"
    assert counter[0]["cron"] == "base.autovacuum"
    assert [value for _, value in prometheus.query("odoo_cron_run_duration_seconds_count")] == [7]
    assert [value for _, value in prometheus.query("odoo_up")] == [1]
    now = time.time()
    found = wait_until(
        lambda: prometheus.exemplars("odoo_cron_run_duration_seconds_bucket", now - 60, now + 60), "exemplars"
    )
    assert found[0]["exemplars"][0]["labels"]["trace_id"] == TRACE


def test_metrics_over_otlp_are_refused_while_they_are_scraped(stack: tuple[Jaeger, Prometheus, Collector]) -> None:
    """One way for metrics: pushing them too is answered with 404, and our Sink says misconfigured and keeps them."""
    *_, collector = stack
    sink = HttpSink({"metrics": Endpoint(url=f"{collector.url}/v1/metrics")}, SystemClock())
    result = sink.export("metrics", [(log_row(1).context, b"")])
    sink.close()
    assert isinstance(result, Misconfigured)
    assert result.reason == "http_404"


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Jaeger, Prometheus, Collector]]:
    """The same servers, the one line of the configuration changed by whoever wants metrics pushed."""
    with ExitStack() as running:
        jaeger = running.enter_context(Jaeger(tmp_path_factory.mktemp("jaeger-pushed")))
        prometheus = running.enter_context(Prometheus(tmp_path_factory.mktemp("prometheus-pushed")))
        config = CONFIG.read_text().replace("receivers: [prometheus]", "receivers: [otlp]")
        targets = Targets(jaeger=jaeger.otlp_grpc, prometheus=prometheus.otlp)
        folder = tmp_path_factory.mktemp("otelcol-pushed")
        yield jaeger, prometheus, running.enter_context(Collector(folder, config, targets))


def over_grpc(collector: Collector) -> Sink:
    """Our Sink over gRPC for every signal, configured by nothing but the standard variables."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc_port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_METRICS_EXPORTER": "otlp",
    }
    return open_sink(endpoints(environ), SystemClock())


def test_spans_and_logs_arrive_over_grpc(pushed: tuple[Jaeger, Prometheus, Collector]) -> None:
    """The real Collector takes both over gRPC; a request beyond its 4 MiB is refused as one to be halved (R5)."""
    jaeger, _, collector = pushed
    sink = over_grpc(collector)
    assert sink.export("traces", fresh(100, 1)) == Delivered()
    assert sink.export("logs", [(log_row(1).context, log_row(1).body)]) == Delivered()
    too_large = sink.export("traces", fresh(60_000, 1001))
    sink.close()
    assert isinstance(too_large, Bisect)
    assert too_large.reason == "grpc_resource_exhausted"
    wait_until(lambda: len(arrived(jaeger)) == 100, "100 traces in Jaeger")
    wait_until(collector.logs, "a line in the logs file")


def test_pushed_metrics_have_the_names_of_scraped_ones(pushed: tuple[Jaeger, Prometheus, Collector]) -> None:
    """Every series of a made-up company, pushed over gRPC, stands in Prometheus with name and labels of a scrape."""
    _, prometheus, collector = pushed
    began, now = datetime.now(UTC), datetime.now(UTC)
    rows = [
        (log_row(1).context, raw)
        for labels, series in Company().groups()
        for raw in otlp.encode_metrics(series, labels, start=began, at=now)
    ]
    sink = over_grpc(collector)
    assert sink.export("metrics", rows) == Delivered()
    sink.close()
    wait_until(lambda: prometheus.query("odoo_up"), "the first series")
    for name, instrument in INSTRUMENTS.items():
        answer = prometheus.query(name + ("_count" if instrument.kind == "histogram" else ""))
        kept = [sorted((key, value) for key, value in labels.items() if key in LABELS) for labels, _ in answer]
        assert sorted(kept) == sorted(sorted(fact.shown.items()) for fact in FACTS if fact.name == name), name


def test_what_was_delivered_survives_a_killed_collector(
    stack: tuple[Jaeger, Prometheus, Collector], tmp_path: Path
) -> None:
    """A 200 of this Collector means "on disk": killed with Jaeger away, started again, it delivers what it accepted."""
    jaeger, _, _ = stack
    nowhere = Targets(jaeger="127.0.0.1:9", prometheus="http://127.0.0.1:9", exporter="127.0.0.1:9")
    with Collector(tmp_path, CONFIG, nowhere) as collector:
        sink = sink_to(collector)
        assert sink.export("traces", fresh(50, 1001)) == Delivered()
        collector.kill()
        assert isinstance(sink.export("traces", fresh(1, 2001)), Retry)
        sink.close()
    folder = tmp_path / "second"
    folder.mkdir()
    storage = {"COLLECTOR_STORAGE": str(collector.storage)}
    with Collector(folder, CONFIG, Targets(jaeger=jaeger.otlp_grpc), **storage):
        wait_until(lambda: len(arrived(jaeger)) == 150, "the 50 traces of the killed Collector")
