from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from opentelemetry.proto.metrics.v1 import metrics_pb2

from exporter.domain.times import SECOND, micros
from exporter.domain.told import Exemplar, Labels, Measurement
from exporter.telemetry import metrics, otlp
from exporter.telemetry.instruments import INSTRUMENTS
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import Series

START = datetime(2026, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SHOP: Labels = (("odoo_database", "shop"),)
EXEMPLAR = Exemplar(trace_id="01" * 16, span_id="02" * 8)


def series(*found: tuple[str, Labels, int]) -> list[Series]:
    """Totals of (name, labels, value)."""
    totals = Totals()
    totals.add(Measurement(name=n, labels=labels, value=value, at=AT, exemplar=EXEMPLAR) for n, labels, value in found)
    return totals.series()


def encoded(rows: list[Series]) -> Mapping[str, metrics_pb2.Metric]:
    """Metrics by name as opentelemetry-proto reads them."""
    found = [metrics_pb2.Metric.FromString(raw) for raw in otlp.encode_metrics(rows, SHOP, start=START, at=AT)]
    return {one.name: one for one in found}


def labels_of(point: metrics_pb2.NumberDataPoint | metrics_pb2.HistogramDataPoint) -> dict[str, str]:
    """A point's attributes."""
    return {pair.key: pair.value.string_value for pair in point.attributes}


def test_counters_are_cumulative_sums() -> None:
    """A counter becomes a monotonic cumulative sum since the totals began, zeros included (decision 20)."""
    found = encoded(series(("odoo_cron_runs_total", (("cron", "a"), ("result", "success")), 3)))["odoo.cron.runs"]
    assert found.sum.is_monotonic
    assert found.sum.aggregation_temporality == metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    shown = {labels_of(point)["result"]: point.as_int for point in found.sum.data_points}
    assert shown == {"success": 3, "failure": 0, "error": 0, "partial": 0, "timeout": 0, "unknown": 0}
    assert {labels_of(point)["odoo_database"] for point in found.sum.data_points} == {"shop"}
    assert {point.start_time_unix_nano for point in found.sum.data_points} == {micros(START) * 1000}
    assert found.unit == "{run}"


def test_histograms_have_bounds_and_exemplars() -> None:
    """A histogram keeps its bounds, counts per bucket, sum in seconds and the trace it came from."""
    labels = (("cron", "a"), ("result", "success"))
    metric = encoded(series(("odoo_cron_run_duration_seconds", labels, 1_500_000)))["odoo.cron.run_duration"]
    (point,) = metric.histogram.data_points
    bounds = [bound / SECOND for bound in INSTRUMENTS["odoo_cron_run_duration_seconds"].bounds]
    assert list(point.explicit_bounds) == bounds
    assert list(point.bucket_counts) == [int(bound == 5.0) for bound in bounds] + [0]
    assert (point.count, point.sum, metric.unit) == (1, 1.5, "s")
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id, exemplar.as_double, exemplar.time_unix_nano) == (b"\x01" * 16, 1.5, micros(AT) * 1000)


def test_gauges_and_infos() -> None:
    """A gauge is its newest value, an info is 1 with its description; neither has a start."""
    about = (("cron", "a"), ("name", "Vacuum"), ("model", "m"), ("interval", "1 days"))
    rows = series(("odoo_cron_next_run_timestamp_seconds", (("cron", "a"),), micros(AT)), ("odoo_cron_info", about, 1))
    found = encoded(rows)
    (point,) = found["odoo.cron.next_run.timestamp"].gauge.data_points
    assert (point.as_double, point.start_time_unix_nano) == (micros(AT) / SECOND, 0)
    (info,) = found["odoo.cron.info"].gauge.data_points
    assert (info.as_int, labels_of(info)) == (1, {**dict(SHOP), **dict(about)})


def test_large_families_are_cut_into_rows() -> None:
    """No row holds more than 500 points, and none is lost: a server that answers 413 can be given fewer."""
    totals = Totals(cap=2_000)
    totals.add(
        Measurement(name="odoo_cron_active", labels=(("cron", str(n)),), value=1, at=AT + timedelta(seconds=n))
        for n in range(1_201)
    )
    rows = metrics.rows(totals.series(), b"", SHOP, start=START, at=AT)
    sizes = [len(metrics_pb2.Metric.FromString(row.body).gauge.data_points) for row in rows]
    assert sizes == [500, 500, 201]
    assert {(row.signal, row.at) for row in rows} == {("metrics", AT)}
