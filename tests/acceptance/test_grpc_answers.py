"""R5 over gRPC: what a real server answers on a real socket, and what the Sink makes of it."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression

from exporter.clock import SystemClock
from exporter.errors import ConfigError
from exporter.sinks import Bisect, Delivered, ExportResult, Misconfigured, Rejected, Retry, Row
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.opening import open_sink
from exporter.sinks.over_grpc import GrpcSink
from tests.fakes import collector as answers
from tests.fakes.collector import Behaviour, FakeCollector
from tests.fakes.grpc_collector import TOO_LARGE, GrpcCollector, said
from tests.fakes.papers import Papers, make_papers
from tests.fakes.rows import log_row, span_rows

Code = grpc.StatusCode


@pytest.fixture
def collector() -> Iterator[GrpcCollector]:
    """A Collector that says yes until told otherwise."""
    with GrpcCollector() as running:
        yield running


def rows(count: int = 3) -> list[Row]:
    """Some spans as a Sink takes them."""
    return [(row.context, row.body) for row in span_rows(count)]


def ask(url: str, *, count: int = 3, **given: object) -> ExportResult:
    """One export to an address, without TLS unless told otherwise."""
    settings = {"timeout": 5.0, "insecure": True, **given}
    sink = GrpcSink({"traces": Endpoint(url=url, protocol="grpc", **settings)}, SystemClock())  # type: ignore[arg-type]
    try:
        return sink.export("traces", rows(count))
    finally:
        sink.close()


Case = tuple[Behaviour, ExportResult]
CASES: dict[str, Case] = {
    "ok": (answers.ok(), Delivered()),
    "partial": (answers.partial(2, "too old"), Delivered(rejected=2, message="too old")),
    "partial, a warning only": (answers.partial(0, "old schema"), Delivered(message="old schema")),
    "garbage": (answers.garbage(), Retry(reason="garbage", detail="OK with a body that is not an OTLP answer")),
    "an answer without end": (
        Behaviour(lambda call: call.answer(200, b"\n" * 200_000)),
        Retry(reason="garbage", detail="an answer that is too long to be an OTLP answer"),
    ),
    "cancelled": (said(Code.CANCELLED, "x"), Retry(reason="grpc_cancelled", detail="x")),
    "unknown": (said(Code.UNKNOWN, "x"), Retry(reason="grpc_unknown", detail="x")),
    "invalid": (said(Code.INVALID_ARGUMENT, "no"), Bisect(reason="grpc_invalid_argument", detail="no")),
    "deadline": (said(Code.DEADLINE_EXCEEDED, "slow"), Retry(reason="timeout", detail="slow")),
    "not found": (said(Code.NOT_FOUND, "x"), Misconfigured(reason="grpc_not_found", detail="x")),
    "exists": (said(Code.ALREADY_EXISTS, "x"), Misconfigured(reason="grpc_already_exists", detail="x")),
    "denied": (said(Code.PERMISSION_DENIED, "x"), Misconfigured(reason="grpc_permission_denied", detail="x")),
    "exhausted": (said(Code.RESOURCE_EXHAUSTED, "full"), Retry(reason="grpc_resource_exhausted", detail="full")),
    "exhausted, come again": (
        said(Code.RESOURCE_EXHAUSTED, "full", 17.5),
        Retry(reason="grpc_resource_exhausted", after=17.5, detail="full"),
    ),
    "too large": (said(Code.RESOURCE_EXHAUSTED, TOO_LARGE), Bisect(reason="grpc_resource_exhausted", detail=TOO_LARGE)),
    "precondition": (said(Code.FAILED_PRECONDITION, "x"), Misconfigured(reason="grpc_failed_precondition", detail="x")),
    "aborted": (said(Code.ABORTED, "x"), Retry(reason="grpc_aborted", detail="x")),
    "out of range": (said(Code.OUT_OF_RANGE, "x"), Retry(reason="grpc_out_of_range", detail="x")),
    "unimplemented": (said(Code.UNIMPLEMENTED, "x"), Misconfigured(reason="grpc_unimplemented", detail="x")),
    "internal": (said(Code.INTERNAL, "x"), Retry(reason="grpc_internal", detail="x")),
    "unavailable": (said(Code.UNAVAILABLE, "x"), Retry(reason="grpc_unavailable", detail="x")),
    "unavailable, far too long": (
        said(Code.UNAVAILABLE, "x", 86_400),
        Retry(reason="grpc_unavailable", after=300.0, detail="x"),
    ),
    "data loss": (said(Code.DATA_LOSS, "x"), Retry(reason="grpc_data_loss", detail="x")),
    "who are you": (said(Code.UNAUTHENTICATED, "x"), Misconfigured(reason="grpc_unauthenticated", detail="x")),
    "cut": (answers.reset(stores=True), Retry(reason="reset", detail="recvmsg:Connection reset by peer")),
}


@pytest.mark.parametrize(("behaviour", "expected"), CASES.values(), ids=CASES.keys())
def test_every_status_means_what_it_says(
    collector: GrpcCollector, behaviour: Behaviour, expected: ExportResult
) -> None:
    """R5: each status becomes the right value, and none is taken for delivered that is not."""
    collector.will(behaviour)
    assert ask(collector.url) == expected
    assert len(collector.requests) == 1, "the Sink retried by itself"


@pytest.mark.parametrize("words", ["no", TOO_LARGE])
def test_one_row_alone_is_rejected(collector: GrpcCollector, words: str) -> None:
    """R6: a call of a single row that is refused names the poisoned row."""
    code = Code.RESOURCE_EXHAUSTED if words == TOO_LARGE else Code.INVALID_ARGUMENT
    collector.will(said(code, words))
    assert ask(collector.url, count=1) == Rejected(reason=f"grpc_{code.name.lower()}", detail=words)


def test_a_server_that_hangs_is_left_in_time(collector: GrpcCollector) -> None:
    """R5: no answer within the timeout is Retry, and costs no more than the timeout."""
    collector.will(Behaviour(lambda call: call.server.closing.wait(10)))  # type: ignore[attr-defined]
    began = time.monotonic()
    result = ask(collector.url, timeout=0.3)
    assert isinstance(result, Retry)
    assert (result.reason, time.monotonic() - began < 2) == ("timeout", True)


def test_nobody_there_is_retried() -> None:
    """R5: a refused connection and an unknown host are Retry, told apart."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        refused = ask(f"127.0.0.1:{taken.getsockname()[1]}")
    unknown = ask("nowhere.invalid:4317")
    assert isinstance(refused, Retry)
    assert isinstance(unknown, Retry)
    assert (refused.reason, unknown.reason) == ("refused", "dns")


def test_what_speaks_http_is_not_taken_for_a_collector() -> None:
    """R5: the port of OTLP over HTTP, given to gRPC by mistake, takes nothing."""
    with FakeCollector() as plain:
        result = ask(plain.url.removeprefix("http://"), timeout=2.0)
    assert isinstance(result, Retry)


@pytest.mark.parametrize("compression", list(Compression))
def test_what_arrives_is_what_was_in_the_outbox(collector: GrpcCollector, compression: Compression) -> None:
    """The server decodes every span with its stored bytes, under every compression, with the configured headers."""
    assert (
        ask(collector.url, count=50, compression=compression, headers={"Authorization": "Bearer canary"}) == Delivered()
    )
    assert {raw for copies in collector.seen.values() for raw in copies} == {body for _, body in rows(50)}
    assert collector.requests[0].headers["authorization"] == "Bearer canary"
    assert collector.requests[0].headers["user-agent"].startswith("odoo-otel ")


def test_proxies_of_the_environment_are_ignored(collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    """R17: only the configured host is called, whatever http_proxy says."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.getsockname()[1]}")
        assert ask(collector.url) == Delivered()


def test_a_server_that_comes_back_is_found_again(collector: GrpcCollector) -> None:
    """R4: after a refused connection the same Sink delivers as soon as somebody listens, within seconds."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    sink = GrpcSink({"traces": Endpoint(url=f"127.0.0.1:{port}", protocol="grpc", insecure=True)}, SystemClock())
    assert isinstance(sink.export("traces", rows()), Retry)
    server = grpc.server(collector._pool)
    from tests.fakes.grpc_collector import _Handlers  # noqa: PLC0415

    server.add_generic_rpc_handlers([_Handlers(collector)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    end = time.monotonic() + 10
    while not isinstance(sink.export("traces", rows()), Delivered):
        assert time.monotonic() < end
        time.sleep(0.2)
    sink.close()
    server.stop(0)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Made on the spot."""
    return make_papers(tmp_path_factory.mktemp("tls"))


def test_tls_is_verified(papers: Papers) -> None:
    """R5: an unknown certificate is Retry (`tls`); with OTEL_EXPORTER_OTLP_CERTIFICATE it is delivered."""
    with GrpcCollector(tls=papers.server) as secure:
        unknown = ask(secure.url, insecure=False)
        assert secure.requests == []
        assert ask(secure.url, insecure=False, certificate=str(papers.authority)) == Delivered()
    assert isinstance(unknown, Retry)
    assert unknown.reason == "tls"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_client_shows_its_certificate(papers: Papers, protocol: str) -> None:
    """Mutual TLS over both protocols: without a client certificate nothing is taken, with one it is."""
    kind = GrpcCollector if protocol == "grpc" else FakeCollector
    certificate, key = map(str, papers.client)
    with kind(tls=papers.server, clients=papers.authority) as secure:
        url = secure.url if protocol == "grpc" else f"{secure.url}/v1/traces"
        common = {"url": url, "protocol": protocol, "certificate": str(papers.authority), "timeout": 5.0}
        stranger = open_sink({"traces": Endpoint(**common)}, SystemClock())  # type: ignore[arg-type]
        assert isinstance(stranger.export("traces", rows()), Retry)
        assert secure.requests == []
        known = Endpoint(**common, client_certificate=certificate, client_key=key)  # type: ignore[arg-type]
        friend = open_sink({"traces": known}, SystemClock())
        assert friend.export("traces", rows()) == Delivered()
        for sink in (stranger, friend):
            sink.close()


def test_each_signal_has_its_protocol(collector: GrpcCollector) -> None:
    """Traces may go over gRPC while logs go over HTTP; a partial success of logs over gRPC is read as one of logs."""
    with FakeCollector() as plain:
        sink = open_sink(
            {
                "traces": Endpoint(url=collector.url, protocol="grpc", insecure=True),
                "logs": Endpoint(url=f"{plain.url}/v1/logs"),
            },
            SystemClock(),
        )
        assert sink.export("traces", rows()) == Delivered()
        assert sink.export("logs", [(log_row(1).context, log_row(1).body)]) == Delivered()
        sink.close()
        assert [len(plain.requests), len(collector.requests)] == [1, 1]
    logs = open_sink({"logs": Endpoint(url=collector.url, protocol="grpc", insecure=True)}, SystemClock())
    collector.will(answers.partial(1, "x"))
    assert logs.export("logs", [(log_row(1).context, log_row(1).body)]) == Delivered(rejected=1, message="x")
    logs.close()


def test_a_certificate_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """It is said at the start, with its path."""
    endpoint = Endpoint(url="localhost:4317", protocol="grpc", certificate=str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigError, match=r"gone\.pem cannot be read"):
        open_sink({"traces": endpoint}, SystemClock())


def test_a_closed_sink_keeps_the_rows(collector: GrpcCollector) -> None:
    """R20: what is exported after the end is Retry, not an exception."""
    sink = GrpcSink({"traces": Endpoint(url=collector.url, protocol="grpc", insecure=True)}, SystemClock())
    sink.close()
    assert sink.export("traces", rows()) == Retry(reason="closed")
