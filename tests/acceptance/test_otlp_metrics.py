"""Metrics over OTLP from the real process: the same numbers as its page, cumulative across its lives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint

from exporter.domain.times import micros
from exporter.store import open_reader
from tests.fakes import collector as answers
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector, Received
from tests.fakes.exporter import Exporter, Sample, until
from tests.fakes.grpc_collector import GrpcCollector
from tests.fakes.odoo_live import LiveOdoo, LiveServer

ENVIRON = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "200"}
JOBS = "odoo_job_runs_total"
Point = NumberDataPoint | HistogramDataPoint


def points(request: Received) -> Iterator[tuple[str, dict[str, str], Point]]:
    """(name as Prometheus has it, attributes, point) of one request."""
    for resource in ExportMetricsServiceRequest.FromString(request.body).resource_metrics:
        for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
            kind = metric.WhichOneof("data")
            ends = {"s": "_seconds", "By": "_bytes"}.get(metric.unit, "") + ("_total" if kind == "sum" else "")
            for point in getattr(metric, str(kind)).data_points:
                labels = {pair.key: pair.value.string_value for pair in point.attributes}
                yield metric.name.replace(".", "_") + ends, labels, point


def reports(collector: FakeCollector) -> list[Received]:
    """Requests of metrics."""
    return [one for one in collector.requests if one.signal == "metrics"]


def numbers(request: Received) -> dict[Sample, float]:
    """Every number of a request by name and sorted labels."""
    return {
        (name, tuple(sorted(labels.items()))): point.as_double if point.HasField("as_double") else point.as_int
        for name, labels, point in points(request)
        if isinstance(point, NumberDataPoint)
    }


def jobs(collector: FakeCollector) -> float:
    """How many jobs the last report says succeeded."""
    last = reports(collector)[-1:]
    return sum(
        n for one in last for (name, labels), n in numbers(one).items() if name == JOBS and labels[-1][1] == "success"
    )


def work(odoo: LiveOdoo, count: int) -> None:
    """So many jobs."""
    with odoo.transaction():
        for _ in range(count):
            live.done(odoo, live.job(odoo))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_what_is_sent_is_what_is_scraped(tmp_path: Path, odoo: LiveOdoo, server: LiveServer, protocol: str) -> None:
    """Every name, label and number of the page is in the report, over either protocol (features 75, 110)."""
    kind = GrpcCollector if protocol == "grpc" else FakeCollector
    with kind() as collector:
        url = f"http://{collector.url}" if protocol == "grpc" else collector.url
        environ = {**ENVIRON, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        with Exporter(tmp_path, [server.entry("acme")], endpoint=url, environ=environ) as exporter:
            until(lambda: exporter.reads("acme"))
            work(odoo, 3)
            until(lambda: jobs(collector) == 3, what="three jobs in a report")
            until(lambda: exporter.settled("acme"))
            count = len(reports(collector))
            until(lambda: len(reports(collector)) > count + 1)
            sent, page = numbers(reports(collector)[-1]), exporter.samples()
    histograms = ("_bucket", "_count", "_sum", "_created")
    shown = {key: n for key, n in page.items() if not key[0].endswith(histograms)}
    assert sent.keys() == shown.keys()
    still = [key for key in sent if key[0].endswith("_total") and not key[0].startswith("odoo_otel_export")]
    assert {key: sent[key] for key in still} == {key: shown[key] for key in still}


def test_sums_go_on_across_lives(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """R3: after a SIGKILL the same start and a sum that never falls: nothing is counted twice by whoever adds up."""
    with FakeCollector() as collector:
        exporter = Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url, environ=ENVIRON)
        with exporter:
            until(lambda: exporter.reads("acme"))
            work(odoo, 2)
            until(lambda: jobs(collector) == 2, what="two jobs in a report")
            exporter.kill()
            work(odoo, 3)
            exporter.start()
            until(lambda: jobs(collector) == 5, what="five jobs in a report")
        each = [said for one in reports(collector) for said in points(one)]
        found = [point for name, labels, point in each if name == JOBS and labels["result"] == "success"]
        values = [point.as_int for point in found if isinstance(point, NumberDataPoint)]
        reader = open_reader(exporter.store)
        known = reader.tenant("acme")
        reader.close()
    assert known is not None
    assert known.first_start is not None
    assert {point.start_time_unix_nano for point in found} == {micros(known.first_start) * 1000}
    assert values == sorted(values)
    assert {2, 5} <= {*values}


@pytest.mark.parametrize("is_away", [False, True])
def test_the_end_is_reported_too(tmp_path: Path, odoo: LiveOdoo, server: LiveServer, *, is_away: bool) -> None:
    """R20: SIGTERM long before the next report sends what was counted until then; a server away does not hold it up."""
    environ = {**ENVIRON, "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
    trouble = answers.status(503) if is_away else answers.ok()
    with (
        FakeCollector(default=trouble) as collector,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url, environ=environ) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        work(odoo, 3)
        until(lambda: exporter.value(JOBS, result="success") == 3, what="three jobs on the page")
        assert len(reports(collector)) == 1
        assert exporter.stop() < 5
    assert (len(reports(collector)), jobs(collector)) == ((1, 0) if is_away else (2, 3))


def test_a_server_in_trouble_costs_nothing(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """R5: reports that failed are counted and the next one says as much; traces are not held up."""
    with (
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url, environ=ENVIRON) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        collector.default = answers.status(503)
        work(odoo, 2)
        until(lambda: exporter.value("odoo_otel_export_errors_total", signal="metrics", error_type="http_503") > 1)
        collector.default = answers.ok()
        until(lambda: jobs(collector) == 2, what="two jobs in a report")
        assert exporter.stop() < 5


def test_a_bad_interval_is_said_at_the_start(tmp_path: Path, server: LiveServer) -> None:
    """Exit 78 and one sentence that names the variable."""
    environ = {**ENVIRON, "OTEL_METRIC_EXPORT_INTERVAL": "soon"}
    exporter = Exporter(tmp_path, [server.entry("acme")], endpoint="http://127.0.0.1:1", environ=environ)
    exporter.launch()
    assert exporter.ended() == 78
    assert any("OTEL_METRIC_EXPORT_INTERVAL=soon cannot be used" in line for line in exporter.lines)
