"""OTLP over gRPC that tells the truth: one call, and what its status really says.

Rules: OTLP specification, "OTLP/gRPC Response". Where it lets the sender drop what is not retryable, nothing is dropped
here: only what a server calls an invalid argument is searched by halves and set aside.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else its core writes lines of its own to stderr (promise R16)

import certifi
import grpc  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression

from exporter.clock import Clock
from exporter.sinks import ExportResult, Misconfigured, Retry, Row
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.meaning import BODY_LIMIT, LONGEST_AFTER, Asked, accepted, line, refused
from exporter.telemetry import otlp
from exporter.telemetry.otlp import Signal

METHODS: Mapping[Signal, str] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
OPTIONS: tuple[tuple[str, object], ...] = (
    ("grpc.enable_http_proxy", 0),  # only configured hosts are called
    ("grpc.enable_retries", 0),  # the lane decides when something is sent again
    ("grpc.max_receive_message_length", BODY_LIMIT),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each signal
    ("grpc.max_reconnect_backoff_ms", 5_000),  # its own default of two minutes would outlast the lane's patience
)
_COMPRESSION: Mapping[Compression, grpc.Compression] = {
    Compression.NoCompression: grpc.Compression.NoCompression,
    Compression.Gzip: grpc.Compression.Gzip,
    Compression.Deflate: grpc.Compression.Deflate,
}
# gRPC says "unavailable" of every connection that could not be made; its own words tell which trouble it was.
TROUBLES: tuple[tuple[str, str], ...] = (
    ("connection refused", "refused"),
    ("dns resolution failed", "dns"),
    ("domain name not found", "dns"),
    ("ssl_error", "tls"),
    ("handshake", "tls"),
    ("certificate_verify_failed", "tls"),
    ("connection reset", "reset"),
    ("socket closed", "reset"),
)
# How servers in Go and C, Java, .NET and Rust (which calls it out of range) say that a message is too large.
TOO_LARGE = ("larger than max", "exceeds maximum size", "exceeds the maximum configured", "message length too large")
_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A status that is not OK: its code, its words, and after how many seconds the server wants to be asked again."""

    code: grpc.StatusCode
    words: str = ""
    after: float | None = None

    @property
    def reason(self) -> str:
        """`grpc_resource_exhausted`: a metric label."""
        return f"grpc_{self.code.name.lower()}"


def _later(said: Said, _: Asked) -> ExportResult:
    return Retry(reason=said.reason, after=said.after, detail=said.words)


def _unavailable(said: Said, _: Asked) -> ExportResult:
    words = said.words.lower()
    reason = next((reason for part, reason in TROUBLES if part in words), said.reason)
    return Retry(reason=reason, after=said.after, detail=said.words)


def _timeout(said: Said, _: Asked) -> ExportResult:
    return Retry(reason="timeout", detail=said.words)


def _exhausted(said: Said, asked: Asked) -> ExportResult:
    """Of the server's patience, or of its largest message: only that can be cured by halving."""
    if "CLIENT: Received" in said.words:
        return Retry(reason="garbage", detail="an answer that is too long to be an OTLP answer")
    if said.after is None and any(words in said.words for words in TOO_LARGE):
        return refused(said.reason, said.words, asked)
    return _later(said, asked)


def _refused(said: Said, asked: Asked) -> ExportResult:
    return refused(said.reason, said.words, asked)


def _stranger(said: Said, _: Asked) -> ExportResult:
    """Not the server we think, or it does not know us: a human must look, nothing may be thrown away."""
    return Misconfigured(reason=said.reason, detail=said.words)


CODES: Mapping[grpc.StatusCode, Callable[[Said, Asked], ExportResult]] = {
    grpc.StatusCode.CANCELLED: _later,
    grpc.StatusCode.DEADLINE_EXCEEDED: _timeout,
    grpc.StatusCode.ABORTED: _later,
    grpc.StatusCode.OUT_OF_RANGE: _exhausted,
    grpc.StatusCode.UNAVAILABLE: _unavailable,
    grpc.StatusCode.DATA_LOSS: _later,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    grpc.StatusCode.INVALID_ARGUMENT: _refused,
    grpc.StatusCode.UNKNOWN: _later,
    grpc.StatusCode.INTERNAL: _later,
    grpc.StatusCode.UNAUTHENTICATED: _stranger,
    grpc.StatusCode.PERMISSION_DENIED: _stranger,
    grpc.StatusCode.UNIMPLEMENTED: _stranger,
    grpc.StatusCode.NOT_FOUND: _stranger,
    grpc.StatusCode.ALREADY_EXISTS: _stranger,
    grpc.StatusCode.FAILED_PRECONDITION: _stranger,
}


def meaning(said: Said, asked: Asked) -> ExportResult:
    """What a status that is not OK means."""
    return CODES.get(said.code, _stranger)(said, asked)


class GrpcSink:
    """Sends to one endpoint per signal, a connection of its own for each; reads every status."""

    def __init__(self, endpoints: Mapping[Signal, Endpoint], clock: Clock, agent: str = "odoo-otel") -> None:
        """Nothing is connected before the first export. Raises OSError when a certificate cannot be read."""
        self._endpoints, self._clock = dict(endpoints), clock
        self._channels = {signal: _channel(endpoint, agent) for signal, endpoint in endpoints.items()}
        self._calls = {
            signal: channel.unary_unary(METHODS[signal], request_serializer=None, response_deserializer=None)
            for signal, channel in self._channels.items()
        }

    def export(self, signal: Signal, rows: Sequence[Row]) -> ExportResult:
        """One call, one answer, no retry of its own; raises KeyError for a signal without an endpoint."""
        endpoint = self._endpoints[signal]
        asked = Asked(signal=signal, rows=len(rows), at=self._clock.now())
        try:
            body = self._calls[signal](
                otlp.request(signal, rows),
                timeout=endpoint.timeout,
                metadata=tuple((name.lower(), value) for name, value in endpoint.headers.items()),
                compression=_COMPRESSION[endpoint.compression],
            )
        except grpc.RpcError as error:
            return meaning(_said(error), asked)
        except ValueError as error:
            return _unsent(error)
        return accepted(body, asked, "OK")

    def close(self) -> None:
        """End every call as Retry, and the connections."""
        for channel in self._channels.values():
            channel.close()


def _unsent(error: ValueError) -> ExportResult:
    """The channel was closed while we came, or gRPC does not take our headers; its words quote them: not told."""
    if "closed" in str(error):
        return Retry(reason="closed")
    return Misconfigured(reason="headers", detail="gRPC does not take the headers")


def _said(error: grpc.RpcError) -> Said:
    """What the error says; every error of a call has these (grpc.Call)."""
    trailing = dict(error.trailing_metadata() or ())
    return Said(code=error.code(), words=line(error.details() or ""), after=retry_info(trailing.get(_DETAILS, b"")))


def retry_info(details: bytes | str) -> float | None:
    """Seconds of a google.rpc.RetryInfo among a status' details; None without one, or where nobody can read it."""
    if not details or isinstance(details, str):
        return None
    try:
        for one in status_pb2.Status.FromString(details).details:
            found = error_details_pb2.RetryInfo()
            if one.Unpack(found):
                return min(max(float(found.retry_delay.ToTimedelta().total_seconds()), 0.0), LONGEST_AFTER)
    except DecodeError:
        return None
    return None


def _channel(endpoint: Endpoint, agent: str) -> grpc.Channel:
    options = [*OPTIONS, ("grpc.primary_user_agent", agent)]
    if endpoint.insecure:
        return grpc.insecure_channel(endpoint.url, options=options)
    chain = endpoint.client_certificate
    # As in HTTP: without a file of its own the key is in the certificate's. gRPC dies of a chain without a key.
    pair = (endpoint.client_key or chain, chain)
    key, certificates = (Path(path).read_bytes() if path else None for path in pair)
    roots = Path(endpoint.certificate or certifi.where()).read_bytes()
    return grpc.secure_channel(endpoint.url, grpc.ssl_channel_credentials(roots, key, certificates), options=options)
