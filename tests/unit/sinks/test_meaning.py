"""What a server's answer means: the table, without a server."""

import gzip
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import assert_never

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from exporter.sinks import Bisect, Delivered, ExportResult, Misconfigured, Rejected, Retry
from exporter.sinks.faults import fault
from exporter.sinks.meaning import LONGEST_AFTER, Asked
from exporter.sinks.over_http import _COMPRESS, ANSWERS, Answer, meaning, retry_after

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PROTOBUF = "application/x-protobuf"


def said(status: int, *, rows: int = 10, body: bytes = b"", kind: str = PROTOBUF, after: str = "") -> ExportResult:
    """The meaning of an answer to a request of some rows."""
    answer = Answer(status=status, body=body, content_type=kind, retry_after=after)
    return meaning(answer, Asked(signal="traces", rows=rows, at=NOW))


TABLE: dict[int, type[ExportResult]] = {
    200: Delivered,
    201: Misconfigured,
    202: Delivered,
    203: Misconfigured,
    204: Delivered,
    206: Misconfigured,
    207: Misconfigured,
    301: Misconfigured,
    302: Misconfigured,
    304: Misconfigured,
    307: Misconfigured,
    308: Misconfigured,
    400: Bisect,
    401: Misconfigured,
    402: Misconfigured,
    403: Misconfigured,
    404: Misconfigured,
    405: Misconfigured,
    407: Misconfigured,
    408: Retry,
    413: Bisect,
    415: Misconfigured,
    422: Misconfigured,
    425: Retry,
    429: Retry,
    431: Misconfigured,
    500: Retry,
    501: Retry,
    502: Retry,
    503: Retry,
    504: Retry,
    599: Retry,
    600: Misconfigured,
    999: Misconfigured,
}


@pytest.mark.parametrize(("status", "expected"), TABLE.items())
def test_every_status_has_its_meaning(status: int, expected: type[ExportResult]) -> None:
    """R5: each status means what decision 21 says, and its reason names it."""
    result = said(status)
    assert type(result) is expected
    if not isinstance(result, Delivered):
        assert result.reason == f"http_{status}"


@given(st.integers(100, 999).filter(lambda status: status not in {200, 202, 204}), st.binary(max_size=50), st.text())
def test_nothing_but_three_statuses_is_ever_delivered(status: int, body: bytes, kind: str) -> None:
    """R5: whatever else the answer holds, no other status counts as delivered."""
    assert not isinstance(said(status, body=body, kind=kind), Delivered)


@pytest.mark.parametrize("status", [400, 413])
def test_a_single_row_that_is_refused_is_rejected(status: int) -> None:
    """R6: halving ends at one row, which is then refused for good."""
    assert said(status, rows=1, body=b"bad \x1b[31mspan\r\n") == Rejected(
        reason=f"http_{status}", detail="bad [31mspan"
    )


def test_partial_success_is_delivered_and_counted() -> None:
    """The rejected spans of a partial success are counted with the server's words; nothing is to be sent again."""
    body = ExportTraceServiceResponse(partial_success={"rejected_spans": 3, "error_message": "too\nold"})  # type: ignore[arg-type]
    assert said(200, body=body.SerializeToString()) == Delivered(rejected=3, message="too old")


@pytest.mark.parametrize(("claimed", "counted"), [(999, 10), (-5, 0)])
def test_a_count_of_rejected_that_cannot_be_is_bounded(claimed: int, counted: int) -> None:
    """A server cannot have rejected more than it got, nor less than nothing."""
    body = ExportTraceServiceResponse(partial_success={"rejected_spans": claimed})  # type: ignore[arg-type]
    assert said(200, body=body.SerializeToString()) == Delivered(rejected=counted)


@pytest.mark.parametrize("kind", ["text/html", "", "application/json", "text/plain; charset=utf-8"])
def test_200_with_a_body_of_another_kind_is_not_delivered(kind: str) -> None:
    """A login page that answers 200 is no Collector, even if its body happened to parse."""
    result = said(200, body=b"\n\x00", kind=kind)
    assert isinstance(result, Retry)
    assert result.reason == "garbage"


@given(st.binary(min_size=1, max_size=40))
def test_a_body_is_read_or_refused(body: bytes) -> None:
    """Any bytes in a 200 are a response or garbage, never an exception (R13)."""
    result = said(200, body=body)
    match result:
        case Delivered():
            ExportTraceServiceResponse.FromString(body)
        case Retry():
            assert result.reason == "garbage"
        case Bisect() | Rejected() | Misconfigured():
            pytest.fail(f"a 200 is never {result}")
        case _:
            assert_never(result)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        ("999999", LONGEST_AFTER),
        ("9" * 5000, LONGEST_AFTER),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        (format_datetime(NOW + timedelta(seconds=42), usegmt=True), 42.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=30), usegmt=True), LONGEST_AFTER),
        ("Sun, 22 Nov 2026 08:00:05 -0000", 5.0),
        ("Sun, 99 Foo 2026 08:00:05 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(header: str, seconds: float | None) -> None:
    """Retry-After is honoured in both forms, and never for more than five minutes."""
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_is_a_bounded_number_or_nothing(header: str) -> None:
    """A hostile header neither raises nor stops us for long (R13)."""
    seconds = retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_AFTER


def test_retry_after_reaches_the_loop() -> None:
    """429 and 503 carry the server's wish."""
    assert said(429, after="11") == Retry(reason="http_429", after=11.0)
    assert said(503, after="12") == Retry(reason="http_503", after=12.0)


def test_a_fault_never_shows_the_address() -> None:
    """R15: what goes wrong is told without the URL, whose path may be a vendor's token."""
    told = fault(requests.ConnectionError("Max retries exceeded with url: /v1/canary-8", OSError(111, "canary-9")))
    assert isinstance(told, Retry)
    assert "canary" not in f"{told!r}"
    assert told.detail == "ConnectionRefusedError ECONNREFUSED"


@pytest.mark.parametrize("error", [requests.exceptions.InvalidURL("x"), requests.exceptions.InvalidHeader("x")])
def test_our_own_wrong_settings_are_a_misconfiguration(error: Exception) -> None:
    """A header or address that cannot be sent is our fault, and nothing is thrown away for it."""
    assert isinstance(fault(error), Misconfigured)


def test_the_table_names_only_what_differs_from_its_class() -> None:
    """The exact lines of the table are exceptions to the classes, not repetitions."""
    assert set(ANSWERS) == {200, 202, 204, 400, 408, 413, 425, 429}


def test_compressed_requests_do_not_depend_on_the_clock() -> None:
    """R3: the same rows are the same bytes on the wire whenever they are sent: gzip's time stamp is left out."""
    packed = _COMPRESS[Compression.Gzip](b"spans")
    assert packed[4:8] == bytes(4)
    assert gzip.decompress(packed) == b"spans"
