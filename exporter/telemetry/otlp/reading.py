"""What came back: a server's answer to a request; and our own requests, for tests and to look into the outbox."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from exporter.domain.runs import Attributes
from exporter.domain.times import from_micros
from exporter.domain.told import Span, SpanKind, SpanLink
from exporter.telemetry.otlp.records import SCOPE_PREFIX
from exporter.telemetry.otlp.requests import Signal, context, split
from exporter.telemetry.otlp.spans import KINDS, NANOS

_KIND_NAMES: Mapping[int, SpanKind] = {number: name for name, number in KINDS.items()}
_REQUESTS: Mapping[Signal, tuple[type[Message], tuple[str, str, str]]] = {
    "traces": (trace_service_pb2.ExportTraceServiceRequest, ("resource_spans", "scope_spans", "spans")),
    "logs": (logs_service_pb2.ExportLogsServiceRequest, ("resource_logs", "scope_logs", "log_records")),
    "metrics": (metrics_service_pb2.ExportMetricsServiceRequest, ("resource_metrics", "scope_metrics", "metrics")),
}
_RESPONSES: Mapping[Signal, tuple[type[Message], str]] = {
    "traces": (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    "logs": (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (metrics_service_pb2.ExportMetricsServiceResponse, "rejected_data_points"),
}


def partial_success(signal: Signal, response: bytes) -> tuple[int, str]:
    """How many records the server rejected inside an accepted request, and why; (0, "") when it took all.

    A message with 0 rejected is the server's warning; an empty body is a full success.

    Raises:
        ValueError: not the answer of an OTLP server. Some text passes for protobuf with unknown fields (`accepted` and
            a line end do), so those are refused too.
    """
    kind, rejected = _RESPONSES[signal]
    message = _parsed(kind, response)
    if len(UnknownFieldSet(message)):
        raise ValueError("not an OTLP response: it has fields that OTLP does not define")
    found = getattr(message, "partial_success")  # noqa: B009  the three classes share no declared base
    return getattr(found, rejected), found.error_message


def decode_request(signal: Signal, raw: bytes) -> list[tuple[bytes, bytes]]:
    """The (context, encoded record) rows of a request: the inverse of `request`.

    Raises:
        ValueError: not a protobuf request of this signal.
    """
    kind, (entries, scopes, records) = _REQUESTS[signal]
    return [
        (
            context(entry.resource.SerializeToString(), scoped.scope.SerializeToString()),
            record.SerializeToString(),
        )
        for entry in getattr(_parsed(kind, raw), entries)
        for scoped in getattr(entry, scopes)
        for record in getattr(scoped, records)
    ]


def _parsed(kind: type[Message], raw: bytes) -> Message:
    message = kind()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise ValueError(f"not OTLP: {error}") from error
    return message


def decode_spans(raw: bytes) -> list[Span]:
    """The spans of a trace request. Raises ValueError as `decode_request` does."""
    return [decode_span(place, body) for place, body in decode_request("traces", raw)]


def decode_span(place: bytes, body: bytes) -> Span:
    """One Span as it was before it was encoded, times to the microsecond; `place` is its context."""
    message = trace_pb2.Span.FromString(body)
    return Span(
        trace_id=message.trace_id,
        span_id=message.span_id,
        parent_id=message.parent_span_id,
        name=message.name,
        kind=_KIND_NAMES[message.kind],
        scope=InstrumentationScope.FromString(split(place)[1]).name.removeprefix(SCOPE_PREFIX),
        started_at=from_micros(message.start_time_unix_nano // NANOS),
        ended_at=from_micros(message.end_time_unix_nano // NANOS),
        is_error=message.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        error=message.status.message,
        attributes=_read(message.attributes),
        links=tuple(
            SpanLink(trace_id=link.trace_id, span_id=link.span_id, attributes=_read(link.attributes))
            for link in message.links
        ),
    )


def decode_resource(place: bytes) -> Attributes:
    """The attributes of a context's resource."""
    return _read(Resource.FromString(split(place)[0]).attributes)


def _read(pairs: Iterable[KeyValue]) -> Attributes:
    return tuple((pair.key, getattr(pair.value, pair.value.WhichOneof("value") or "string_value")) for pair in pairs)
