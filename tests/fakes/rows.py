"""Outbox rows to send: spans and log records with numbered ids, two Resources, built with opentelemetry-proto."""

from datetime import UTC, datetime

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from exporter.store.entries import OutboxRow
from exporter.telemetry import otlp

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def span_id(n: int) -> bytes:
    """The id of the n-th span."""
    return n.to_bytes(8, "big")


def _context(n: int) -> bytes:
    resource = Resource()
    resource.attributes.add(key="service.name").value.string_value = "odoo"
    resource.attributes.add(key="odoo.database.name").value.string_value = f"db{n % 2}"
    scope = InstrumentationScope(name="odoo_otel.odoo/jobs")
    return otlp.context(resource.SerializeToString(), scope.SerializeToString())


_CONTEXTS = (_context(0), _context(1))


def span_row(n: int, size: int = 0) -> OutboxRow:
    """The n-th span (n >= 1) as the outbox holds it; `size` bytes more if wanted."""
    span = Span(trace_id=n.to_bytes(16, "big"), span_id=span_id(n), name="process root", kind=Span.SPAN_KIND_CONSUMER)
    span.start_time_unix_nano = 1_700_000_000_000_000_000 + n
    span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000
    span.attributes.add(key="odoo.job").value.string_value = "x" * size
    return OutboxRow(signal="traces", context=_CONTEXTS[n % 2], body=span.SerializeToString(), at=START)


def log_row(n: int) -> OutboxRow:
    """The n-th log record as the outbox holds it."""
    record = LogRecord(time_unix_nano=1_700_000_000_000_000_000 + n, event_name="odoo.job.failed")
    record.body.string_value = f"job {n} failed"
    return OutboxRow(signal="logs", context=_CONTEXTS[n % 2], body=record.SerializeToString(), at=START)


def span_rows(count: int, first: int = 1) -> list[OutboxRow]:
    """Spans `first`, `first` + 1, ..."""
    return [span_row(n) for n in range(first, first + count)]
