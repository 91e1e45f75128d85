"""R5: what a real server answers on a real socket, and what the Sink makes of it."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from exporter.clock import SystemClock
from exporter.sinks import Bisect, Delivered, ExportResult, Misconfigured, Rejected, Retry, Row
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.meaning import BODY_LIMIT
from exporter.sinks.over_http import HttpSink
from tests.fakes import collector as answers
from tests.fakes.collector import Behaviour, FakeCollector
from tests.fakes.rows import log_row, span_id, span_rows


def rows(count: int = 3) -> list[Row]:
    """Some spans as a Sink takes them."""
    return [(row.context, row.body) for row in span_rows(count)]


def ask(url: str, *, count: int = 3, timeout: float = 5.0, certificate: str = "") -> ExportResult:
    """One export to an address."""
    endpoint = Endpoint(url=f"{url}/v1/traces", timeout=timeout, certificate=certificate)
    sink = HttpSink({"traces": endpoint}, SystemClock())
    try:
        return sink.export("traces", rows(count))
    finally:
        sink.close()


Case = tuple[Behaviour, ExportResult]
CASES: dict[str, Case] = {
    "200": (answers.ok(), Delivered()),
    "202": (answers.ok(202), Delivered()),
    "204": (answers.ok(204), Delivered()),
    "partial": (answers.partial(2, "too old"), Delivered(rejected=2, message="too old")),
    "partial, a warning only": (answers.partial(0, "old schema"), Delivered(message="old schema")),
    "201": (answers.status(201), Misconfigured(reason="http_201")),
    "301": (answers.redirect(code=301), Misconfigured(reason="http_301")),
    "302": (answers.redirect(), Misconfigured(reason="http_302")),
    "307": (answers.redirect(code=307), Misconfigured(reason="http_307")),
    "400": (answers.status(400, b"no"), Bisect(reason="http_400", detail="no")),
    "401": (answers.status(401), Misconfigured(reason="http_401")),
    "403": (answers.status(403), Misconfigured(reason="http_403")),
    "404": (answers.status(404), Misconfigured(reason="http_404")),
    "405": (answers.status(405), Misconfigured(reason="http_405")),
    "408": (answers.status(408), Retry(reason="http_408")),
    "413": (answers.status(413), Bisect(reason="http_413")),
    "429": (answers.status(429), Retry(reason="http_429")),
    "429 with seconds": (answers.status(429, Retry_After="17"), Retry(reason="http_429", after=17.0)),
    "500": (answers.status(500), Retry(reason="http_500")),
    "501": (answers.status(501), Retry(reason="http_501")),
    "502": (answers.status(502), Retry(reason="http_502")),
    "503 with too many seconds": (answers.status(503, Retry_After="86400"), Retry(reason="http_503", after=300.0)),
    "504": (answers.status(504), Retry(reason="http_504")),
    "200 and html": (answers.html(), Retry(reason="garbage", detail="200 with text/html, not an OTLP answer")),
    "200 and garbage": (
        answers.garbage(),
        Retry(reason="garbage", detail="200 with a body that is not an OTLP answer"),
    ),
    "200 without end": (
        answers.endless(),
        Retry(reason="garbage", detail="200 with application/x-protobuf, not an OTLP answer"),
    ),
    "half an answer": (answers.half(), Retry(reason="half", detail="IncompleteRead")),
}


@pytest.mark.parametrize(("behaviour", "expected"), CASES.values(), ids=CASES.keys())
def test_every_answer_means_what_it_says(
    collector: FakeCollector, behaviour: Behaviour, expected: ExportResult
) -> None:
    """R5: each answer becomes the right value, and none is taken for delivered that is not."""
    collector.will(behaviour)
    assert ask(collector.url) == expected
    assert collector.gets == 0, "a redirect was followed"
    assert len(collector.requests) == 1, "the Sink retried by itself"


@pytest.mark.parametrize("code", [400, 413])
def test_one_row_alone_is_rejected(collector: FakeCollector, code: int) -> None:
    """R6: a request of a single row that is refused names the poisoned row."""
    collector.will(answers.status(code))
    assert ask(collector.url, count=1) == Rejected(reason=f"http_{code}")


def test_a_server_that_hangs_is_left_in_time(collector: FakeCollector) -> None:
    """R5: no answer within the timeout is Retry, and costs no more than the timeout."""
    collector.will(answers.hang())
    began = time.monotonic()
    result = ask(collector.url, timeout=0.3)
    assert isinstance(result, Retry)
    assert result.reason == "timeout"
    assert time.monotonic() - began < 2


def test_a_server_that_drips_is_left_in_time(collector: FakeCollector) -> None:
    """R5: an answer that comes byte by byte is bounded by the same timeout, though every byte comes in time."""
    collector.will(answers.drip(seconds=0.05))
    began = time.monotonic()
    result = ask(collector.url, timeout=0.4)
    assert isinstance(result, Retry)
    assert result.reason == "timeout"
    assert time.monotonic() - began < 2


def test_a_connection_that_is_cut_is_retried(collector: FakeCollector) -> None:
    """R5: a TCP reset instead of an answer is Retry, even if the server had stored the rows."""
    collector.will(answers.reset(stores=True))
    result = ask(collector.url)
    assert isinstance(result, Retry)
    assert result.reason == "reset"


def test_nobody_there_is_retried() -> None:
    """R5: a refused connection and an unknown host are Retry, told apart."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        refused = ask(f"http://127.0.0.1:{taken.getsockname()[1]}")
    unknown = ask("http://nowhere.invalid:4318")
    assert isinstance(refused, Retry)
    assert isinstance(unknown, Retry)
    assert (refused.reason, unknown.reason) == ("refused", "dns")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of localhost, made on the spot."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    extension = ("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert))
    subprocess.run([*command.split(), *extension], check=True, capture_output=True)
    return cert, key


def test_tls_is_verified(certificate: tuple[Path, Path]) -> None:
    """R5: an unknown certificate is Retry (`tls`); with OTEL_EXPORTER_OTLP_CERTIFICATE it is delivered."""
    with FakeCollector(tls=certificate) as secure:
        unknown = ask(secure.url)
        assert secure.requests == []
        assert ask(secure.url, certificate=str(certificate[0])) == Delivered()
    assert isinstance(unknown, Retry)
    assert unknown.reason == "tls"


def test_tls_to_a_plain_port_is_retried(collector: FakeCollector) -> None:
    """R5: https spoken to a server that does not is a TLS error, not a success and not a crash."""
    result = ask(collector.url.replace("http:", "https:"))
    assert isinstance(result, Retry)
    assert result.reason == "tls"


@pytest.mark.parametrize("compression", list(Compression))
def test_what_arrives_is_what_was_in_the_outbox(collector: FakeCollector, compression: Compression) -> None:
    """The server decodes every span with its stored bytes, under every compression, with the configured headers."""
    endpoint = Endpoint(
        url=f"{collector.url}/v1/traces", compression=compression, headers={"authorization": "Bearer canary"}
    )
    sink = HttpSink({"traces": endpoint}, SystemClock())
    assert sink.export("traces", rows(50)) == Delivered()
    sink.close()
    assert [span.span_id for span in collector.spans()] == [span_id(n) for n in collector_order(50)]
    assert {raw for copies in collector.seen.values() for raw in copies} == {body for _, body in rows(50)}
    assert collector.requests[0].headers["authorization"] == "Bearer canary"
    assert collector.requests[0].headers["content-type"] == "application/x-protobuf"


def collector_order(count: int) -> list[int]:
    """Spans of two Resources arrive grouped by Resource, in order inside each."""
    numbers = range(1, count + 1)
    return [n for n in numbers if n % 2 == 1] + [n for n in numbers if n % 2 == 0]


def test_a_signal_has_its_own_address(collector: FakeCollector) -> None:
    """Logs go to the logs path, and a partial success of logs is read as one of logs."""
    endpoint = Endpoint(url=f"{collector.url}/v1/logs")
    sink = HttpSink({"logs": endpoint}, SystemClock())
    collector.will(answers.partial(1, "x"))
    records = [(row.context, row.body) for row in (log_row(1), log_row(2))]
    assert sink.export("logs", records) == Delivered(rejected=1, message="x")
    sink.close()
    assert [request.path for request in collector.requests] == ["/v1/logs"]


def test_proxies_of_the_environment_are_ignored(collector: FakeCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    """R17: only the configured host is called, whatever HTTP_PROXY says."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{trap.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        assert ask(collector.url) == Delivered()


def test_connections_are_reused(collector: FakeCollector) -> None:
    """Thousands of small requests do not cost thousands of connections."""
    sink = HttpSink({"traces": Endpoint(url=f"{collector.url}/v1/traces")}, SystemClock())
    opened: list[object] = []
    original = collector._server.process_request
    collector._server.process_request = lambda *args: (opened.append(args), original(*args))[1]  # type: ignore[method-assign,func-returns-value]
    collector.will(answers.ok(), answers.status(503, b"busy"), answers.status(404, b"x" * 1000), answers.ok())
    for _ in range(6):
        sink.export("traces", rows())
    sink.close()
    assert len(opened) == 1


def test_two_signals_may_be_sent_at_once(collector: FakeCollector) -> None:
    """A hanging traces endpoint does not hold up the logs."""
    sink = HttpSink(
        {signal: Endpoint(url=f"{collector.url}/v1/{signal}", timeout=3) for signal in ("traces", "logs")},
        SystemClock(),
    )
    collector.will(answers.hang())
    stuck = threading.Thread(target=sink.export, args=("traces", rows()), daemon=True)
    stuck.start()
    until(lambda: len(collector.requests) == 1)
    began = time.monotonic()
    assert sink.export("logs", [(log_row(1).context, log_row(1).body)]) == Delivered()
    assert time.monotonic() - began < 1
    collector.closing.set()
    stuck.join(5)
    sink.close()


def until(done: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_the_stock_exporter_is_fooled_where_we_are_not(
    collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the Sink reads answers itself: OTLPSpanExporter calls a redirect, a rejection and a login page a success."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.get_tracer("t").start_span("one").end()
    stock = OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces", timeout=2)
    for behaviour in (answers.redirect(), answers.partial(1), answers.html(), answers.garbage()):
        collector.will(behaviour, behaviour)
        assert stock.export(memory.get_finished_spans()) is SpanExportResult.SUCCESS
        assert ask(collector.url, count=1) != Delivered()
    stock.shutdown()  # type: ignore[no-untyped-call]
    provider.shutdown()


def test_the_limit_of_an_answer_is_small() -> None:
    """A server cannot fill our memory: 64 KiB is more than any OTLP answer needs."""
    assert BODY_LIMIT <= 64 * 1024
