from datetime import UTC, datetime, timedelta

from opentelemetry.proto.logs.v1 import logs_pb2

from exporter.domain.times import micros
from exporter.domain.told import LogRecord
from exporter.telemetry import logs, otlp

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LOG = LogRecord(
    event_name="odoo.cron.failed",
    scope="odoo/crons",
    at=AT,
    observed_at=AT + timedelta(seconds=15),
    severity="error",
    body="Vacuum failed.",
    attributes=(("exception.type", "ValueError"), ("odoo.cron.id", 7)),
    trace_id=b"\x01" * 16,
    span_id=b"\x02" * 8,
)


def test_a_log_record_is_an_event_with_its_trace() -> None:
    """Name, severity, sentence, both times and the trace it belongs to are there (features 36, 66)."""
    found = logs_pb2.LogRecord.FromString(otlp.encode_log(LOG))
    assert (found.event_name, found.severity_text, found.severity_number) == ("odoo.cron.failed", "ERROR", 17)
    assert (found.time_unix_nano, found.observed_time_unix_nano) == (
        micros(AT) * 1000,
        (micros(AT) + 15_000_000) * 1000,
    )
    assert (found.trace_id, found.span_id, found.flags) == (b"\x01" * 16, b"\x02" * 8, 1)
    assert found.body.string_value == "Vacuum failed."
    assert {pair.key for pair in found.attributes} == {"exception.type", "odoo.cron.id"}


def test_rows_bear_the_scope_and_the_time_of_the_fact() -> None:
    """A row has the context of its Source and the record's own time."""
    (row,) = logs.rows([LOG], b"resource")
    assert (row.signal, row.at) == ("logs", AT)
    assert row.context == otlp.context(b"resource", otlp.scope("odoo/crons"))
