"""The one door to opentelemetry-proto: what we say as OTLP bytes, and back.

`spans`, `records` (logs, resources) and `points` (metrics) encode, `requests` joins encoded rows, `reading` decodes.
"""

from exporter.telemetry.otlp.points import encode_metrics
from exporter.telemetry.otlp.reading import decode_request, decode_resource, decode_span, decode_spans, partial_success
from exporter.telemetry.otlp.records import VERSION, encode_log, place, resource, scope
from exporter.telemetry.otlp.requests import Row, Signal, context, request, split
from exporter.telemetry.otlp.spans import encode_span

__all__ = [
    "VERSION",
    "Row",
    "Signal",
    "context",
    "decode_request",
    "decode_resource",
    "decode_span",
    "decode_spans",
    "encode_log",
    "encode_metrics",
    "encode_span",
    "partial_success",
    "place",
    "request",
    "resource",
    "scope",
    "split",
]
