import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from exporter.domain.tenants import Tenant
from exporter.domain.told import LogRecord, Span
from exporter.telemetry import logs, otlp, traces
from exporter.telemetry.otlp.wire import varint

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
TENANT = Tenant(name="shop", database="shop_prod", uuid="6f2c", url="https://odoo.example.com:8069/x")
RESOURCE = otlp.resource(TENANT, "host-1")
SOURCES = ("odoo/crons", "odoo/jobs", "odoo/approvals")


def span(number: int, scope: str = "odoo/jobs") -> Span:
    """A span among many."""
    ids = number.to_bytes(16, "big")
    return Span(trace_id=ids, span_id=ids[8:], name=f"span {number}", scope=scope, started_at=AT, ended_at=AT)


@given(found=st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from(SOURCES), st.booleans()), max_size=30))
def test_a_request_is_what_opentelemetry_reads(found: list[tuple[int, str, bool]]) -> None:
    """Concatenated rows parse as one request: grouped by context, every span in it, the schema named."""
    other = otlp.resource(TENANT, "host-2")
    rows = [(row.context, row.body) for n, s, o in found for row in traces.rows([span(n, s)], other if o else RESOURCE)]
    message = ExportTraceServiceRequest.FromString(otlp.request("traces", rows))
    assert message.SerializeToString(deterministic=True) == otlp.request("traces", rows)
    assert len(message.resource_spans) == len({place for place, _ in rows})
    assert {one.schema_url for one in message.resource_spans} <= {"https://opentelemetry.io/schemas/1.44.0"}
    assert sorted(otlp.decode_request("traces", otlp.request("traces", rows))) == sorted(rows)


def test_spans_are_read_back_from_a_request() -> None:
    """decode_spans gives the spans of a request again, with their scopes."""
    found = [span(1), span(2), span(3, "odoo/crons")]
    rows = [(row.context, row.body) for row in traces.rows(found, RESOURCE)]
    assert otlp.decode_spans(otlp.request("traces", rows)) == found


def test_logs_and_metrics_requests_have_the_same_frame() -> None:
    """A log record survives a request: the frame's field numbers are the same in all signals."""
    log = LogRecord(event_name="odoo.cron.failed", scope="odoo/crons", at=AT, observed_at=AT, body="It failed.")
    (row,) = logs.rows([log], RESOURCE)
    for signal in ("logs", "metrics"):
        assert len(otlp.decode_request(signal, otlp.request(signal, [(row.context, b"")]))) == 1
    assert otlp.decode_request("logs", otlp.request("logs", [(row.context, row.body)])) == [(row.context, row.body)]


@given(resource=st.binary(max_size=300), scope=st.binary(max_size=300))
def test_a_context_splits_into_its_parts(resource: bytes, scope: bytes) -> None:
    """Splitting a context gives resource and scope again, whatever their bytes."""
    assert otlp.split(otlp.context(resource, scope)) == (resource, scope)


@pytest.mark.parametrize(("number", "raw"), [(0, "00"), (127, "7f"), (128, "8001"), (2047, "ff0f"), (2048, "8010")])
def test_varints(number: int, raw: str) -> None:
    """Seven bits a byte, the lowest first, across the end of the table too."""
    assert varint(number).hex() == raw


def test_the_resource_names_the_database_and_nothing_of_a_run() -> None:
    """The Resource is constant for a database (Jaeger compares it); its instance id is a UUIDv5 of the uuid."""
    assert otlp.decode_resource(otlp.context(RESOURCE, b"")) == (
        ("service.name", "odoo"),
        ("service.namespace", "shop"),
        ("service.instance.id", "f370d237-a1aa-5f7b-b216-0ff832aaa9be"),
        ("deployment.environment.name", "production"),
        ("host.id", "host-1"),
        ("host.name", "odoo.example.com"),
        ("odoo.database.name", "shop_prod"),
    )


def test_a_database_without_address_is_on_our_host() -> None:
    """host.name is never empty: Jaeger would comment on every child span."""
    found = otlp.resource(Tenant(name="a", database="a", uuid="u"), "host-1")
    assert dict(otlp.decode_resource(otlp.context(found, b"")))["host.name"] == "host-1"


def test_the_scope_version_is_that_of_the_program() -> None:
    """The instrumentation scope bears the version of pyproject.toml."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == otlp.VERSION


def test_partial_success_is_read_in_every_signal() -> None:
    """How many were rejected, and why, in the three signals' own words (R5)."""
    spans, records = ExportTraceServiceResponse(), ExportLogsServiceResponse()
    points = ExportMetricsServiceResponse()
    spans.partial_success.rejected_spans, spans.partial_success.error_message = 3, "too old"
    records.partial_success.rejected_log_records = 4
    points.partial_success.rejected_data_points = 5
    assert otlp.partial_success("traces", spans.SerializeToString()) == (3, "too old")
    assert otlp.partial_success("logs", records.SerializeToString()) == (4, "")
    assert otlp.partial_success("metrics", points.SerializeToString()) == (5, "")


def test_an_empty_answer_is_full_success() -> None:
    """No bytes at all are a valid response that rejects nothing."""
    assert otlp.partial_success("traces", b"") == (0, "")


@pytest.mark.parametrize(
    "raw", [b"<html>sign in</html>", b"{}", b'{"partialSuccess":{}}', b"accepted\n", b"ok", b"\x0a\xff"]
)
def test_garbage_is_no_success(raw: bytes) -> None:
    """What is no OTLP response raises, also text that happens to parse as unknown fields (R5)."""
    with pytest.raises(ValueError, match="not"):
        otlp.partial_success("traces", raw)


@given(raw=st.binary(max_size=60))
def test_any_answer_is_read_or_refused(raw: bytes) -> None:
    """No answer a server can give raises anything but ValueError."""
    try:
        rejected, message = otlp.partial_success("logs", raw)
    except ValueError:
        return
    assert isinstance(rejected, int)
    assert isinstance(message, str)


def test_a_request_that_is_none_is_refused() -> None:
    """decode_request raises ValueError for bytes that are no request."""
    with pytest.raises(ValueError, match="not OTLP"):
        otlp.decode_request("traces", b"<html>")
