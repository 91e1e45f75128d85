"""Stored series as OTLP metrics: the SDK cannot say them, OpenTelemetry has no observable histogram (decision 20)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from opentelemetry.proto.metrics.v1 import metrics_pb2

from exporter.domain.times import SECOND, micros
from exporter.domain.told import Labels
from exporter.telemetry.instruments import Instrument
from exporter.telemetry.otlp.records import fill
from exporter.telemetry.otlp.spans import NANOS
from exporter.telemetry.series import CounterState, GaugeState, HistogramState, Mark, State, StoredSeries, points

POINTS_PER_ROW = 500  # so that a server which answers 413 can be given fewer
_Point = metrics_pb2.NumberDataPoint | metrics_pb2.HistogramDataPoint


def encode_metrics(rows: Iterable[StoredSeries], tenant: Labels, *, start: datetime, at: datetime) -> list[bytes]:
    """Metrics with at most POINTS_PER_ROW points each; sums and histograms are cumulative since `start`.

    `tenant` are the labels that every point carries besides its own (`odoo_database`), so that what a Collector makes
    of them for Prometheus bears the names and labels of our own scrape.
    """
    families: dict[str, list[tuple[Instrument, Labels, State]]] = {}
    for instrument, labels, state in points(rows):
        families.setdefault(instrument.name, []).append((instrument, tenant + labels, state))
    times = micros(start) * NANOS, micros(at) * NANOS
    return [
        _metric(family[begin : begin + POINTS_PER_ROW], times)
        for family in families.values()
        for begin in range(0, len(family), POINTS_PER_ROW)
    ]


def _metric(family: Sequence[tuple[Instrument, Labels, State]], times: tuple[int, int]) -> bytes:
    instrument = family[0][0]
    message = metrics_pb2.Metric(name=instrument.otlp, description=instrument.help, unit=instrument.unit)
    if instrument.kind == "counter":
        message.sum.is_monotonic = True
        message.sum.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    if instrument.kind == "histogram":
        message.histogram.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    for _, labels, state in family:
        point = _add(message, instrument, state)
        fill(point, labels)
        point.time_unix_nano = times[1]
        if instrument.kind in {"counter", "histogram"}:
            point.start_time_unix_nano = times[0]
    return message.SerializeToString()


def _add(message: metrics_pb2.Metric, instrument: Instrument, state: State) -> _Point:
    match state:
        case HistogramState():
            return _histogram(message.histogram.data_points.add(), instrument, state)
        case CounterState():
            point = message.sum.data_points.add()
            _set(point, instrument, state.value)
            _add_exemplars(point, instrument, [state.exemplar])
            return point
        case _:
            point = message.gauge.data_points.add()
            _set(point, instrument, state.value if isinstance(state, GaugeState) else 1)
            return point


def _histogram(
    point: metrics_pb2.HistogramDataPoint, instrument: Instrument, state: HistogramState
) -> metrics_pb2.HistogramDataPoint:
    point.count, point.sum = sum(state.counts), state.sum / SECOND
    point.bucket_counts.extend(state.counts)
    point.explicit_bounds.extend([bound / SECOND for bound in instrument.bounds])
    _add_exemplars(point, instrument, state.exemplars)
    return point


def _set(point: metrics_pb2.NumberDataPoint | metrics_pb2.Exemplar, instrument: Instrument, value: int) -> None:
    if instrument.in_millionths:
        point.as_double = value / SECOND
    else:
        point.as_int = value


def _add_exemplars(point: _Point, instrument: Instrument, marks: Iterable[Mark | None]) -> None:
    for at, trace, span, value in filter(None, marks):
        exemplar = point.exemplars.add(trace_id=bytes.fromhex(trace), span_id=bytes.fromhex(span))
        exemplar.time_unix_nano = at * NANOS
        _set(exemplar, instrument, value)
