"""The one door to opentelemetry-proto: what we say as OTLP bytes, and back.

`spans`, `records` (logs, resources) and `points` (metrics) encode, `requests` joins encoded rows, `reading` decodes,
`log_request` takes log records of others.
"""

from exporter.telemetry.otlp.log_request import Sent, answer, decode_logs, encode_lines, rejected_logs
from exporter.telemetry.otlp.points import encode_metrics
from exporter.telemetry.otlp.reading import decode_request, decode_resource, decode_span, decode_spans, partial_success
from exporter.telemetry.otlp.records import VERSION, encode_log, own_resource, place, resource, scope
from exporter.telemetry.otlp.requests import Row, Signal, context, request, split
from exporter.telemetry.otlp.spans import encode_span

__all__ = [
    "VERSION",
    "Row",
    "Sent",
    "Signal",
    "answer",
    "context",
    "decode_logs",
    "decode_request",
    "decode_resource",
    "decode_span",
    "decode_spans",
    "encode_lines",
    "encode_log",
    "encode_metrics",
    "encode_span",
    "own_resource",
    "partial_success",
    "place",
    "rejected_logs",
    "request",
    "resource",
    "scope",
    "split",
]
