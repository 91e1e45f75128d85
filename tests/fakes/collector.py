"""A Collector to lie to us: a real HTTP server on a free port that speaks OTLP and answers as it is told.

It keeps the bytes of every span, log record and metric exactly as they came, so that a re-send can be shown to be
byte-identical, and it knows which of them it "stored": a server may store and still fail to say so.
"""

import gzip
import ssl
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: the path, the lower-case headers, the raw body after decompression."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def signal(self) -> str:
        """`traces`, `logs` or `metrics`."""
        return self.path.rsplit("/", 1)[-1]

    def entries(self) -> list[tuple[bytes, bytes]]:
        """(id, raw bytes) of every span (its span id), log record and metric (a digest), in order."""
        return [(self._id(raw), raw) for raw in _leaves(self.body)]

    def _id(self, raw: bytes) -> bytes:
        return Span.FromString(raw).span_id if self.signal == "traces" else blake2b(raw, digest_size=8).digest()


def _leaves(body: bytes) -> Iterator[bytes]:
    """request.1 = resource, .2 = scope, .2 = the record: the same numbers in all three signals."""
    for resource in _fields(body, 1):
        for scope in _fields(resource, 2):
            yield from _fields(scope, 2)


def _fields(buffer: bytes, number: int) -> Iterator[bytes]:
    """The payloads of a message's length-delimited fields of one number, as they stand on the wire."""
    at = 0
    while at < len(buffer):
        tag, at = _varint(buffer, at)
        if tag & 7 == 2:
            size, at = _varint(buffer, at)
            if tag >> 3 == number:
                yield buffer[at : at + size]
            at += size
        elif tag & 7 == 0:
            _, at = _varint(buffer, at)
        else:
            at += {1: 8, 5: 4}[tag & 7]


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "none": bytes,
}


class Exchange(BaseHTTPRequestHandler):
    """One connection; what is answered is the next behaviour's business."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for a delayed ACK
    server: "_Server"
    request_in: Received

    def do_POST(self) -> None:
        """Read the request whole, decide, answer."""
        raw = self._raw()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_in = Received(self.path, headers, _UNPACK[headers.get("content-encoding", "none")](raw))
        self.server.collector.serve(self)

    def _raw(self) -> bytes:
        """The body; Node's OTLP exporter sends it in chunks, ours with its length."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()  # no trailers are sent
        return b"".join(parts)

    def do_GET(self) -> None:
        """Whoever follows a redirect is seen."""
        self.server.collector.gets += 1
        self.answer(200, b"<html>hello</html>", content_type="text/html")

    def answer(self, status: int, body: bytes = b"", *, content_type: str = PROTOBUF, **headers: str) -> None:
        """A well-formed HTTP answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """Close with a TCP reset."""
        self.connection.setsockopt(_SOL_SOCKET, _SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


_SOL_SOCKET, _SO_LINGER = 1, 13


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one request is answered; `stores` = the server has the rows, whatever it says."""

    answer: Callable[[Exchange], None]
    stores: bool = False
    rejects: int = 0


def _partial(signal: str, rejected: int, message: str) -> bytes:
    traces, logs, metrics = ExportTraceServiceResponse(), ExportLogsServiceResponse(), ExportMetricsServiceResponse()
    traces.partial_success.rejected_spans = rejected
    logs.partial_success.rejected_log_records = rejected
    metrics.partial_success.rejected_data_points = rejected
    for answer in (traces, logs, metrics):
        answer.partial_success.error_message = message
    return {"traces": traces, "logs": logs, "metrics": metrics}[signal].SerializeToString()


def ok(status: int = 200) -> Behaviour:
    """Full success."""
    return Behaviour(lambda x: x.answer(status), stores=True)


def partial(rejected: int, message: str = "no room") -> Behaviour:
    """200, but the last `rejected` rows were thrown away."""

    def answer(x: Exchange) -> None:
        x.answer(200, _partial(x.request_in.signal, rejected, message))

    return Behaviour(answer, stores=True, rejects=rejected)


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    """That status, nothing stored."""
    return Behaviour(lambda x: x.answer(code, body, **headers))


def redirect(location: str = "/elsewhere", code: int = 302) -> Behaviour:
    """Somebody else's login page is over there."""
    return status(code, Location=location)


def html(body: bytes = b"<html>Welcome to nginx!</html>", content_type: str = "text/html") -> Behaviour:
    """200 from something that is no Collector."""
    return Behaviour(lambda x: x.answer(200, body, content_type=content_type))


def garbage() -> Behaviour:
    """200 and the right type, but no protobuf."""
    return Behaviour(lambda x: x.answer(200, b"\xff\xff\xff\xffnot protobuf"))


def endless(size: int = 50_000_000) -> Behaviour:
    """200 with a body that goes on and on."""

    def answer(x: Exchange) -> None:
        x.send_response(200)
        x.send_header("Content-Type", PROTOBUF)
        x.end_headers()
        x.close_connection = True
        try:
            for _ in range(size // 50_000):
                x.wfile.write(b"\n" * 50_000)
        except OSError:
            pass  # the reader had enough: as it should

    return Behaviour(answer)


def drip(seconds: float = 0.05, times: int = 200) -> Behaviour:
    """200 whose body comes a byte at a time."""

    def answer(x: Exchange) -> None:
        x.send_response(200)
        x.send_header("Content-Type", PROTOBUF)
        x.send_header("Content-Length", str(times))
        x.end_headers()
        try:
            for _ in range(times):
                x.wfile.write(b"\n")
                x.wfile.flush()
                if x.server.collector.closing.wait(seconds):
                    break
        except OSError:
            pass

    return Behaviour(answer)


def hang(seconds: float = 30.0, *, stores: bool = False) -> Behaviour:
    """No answer for that long (or until the collector closes), then none at all."""

    def answer(x: Exchange) -> None:
        x.server.collector.closing.wait(seconds)
        x.cut()

    return Behaviour(answer, stores=stores)


def reset(*, stores: bool = False) -> Behaviour:
    """The connection is cut instead of an answer."""
    return Behaviour(lambda x: x.cut(), stores=stores)


def half(*, stores: bool = False) -> Behaviour:
    """The head promises more body than comes."""

    def answer(x: Exchange) -> None:
        x.send_response(200)
        x.send_header("Content-Type", PROTOBUF)
        x.send_header("Content-Length", "100")
        x.end_headers()
        x.wfile.write(b"\n" * 10)
        x.close_connection = True

    return Behaviour(answer, stores=stores)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    collector: "FakeCollector"

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


@dataclass
class FakeCollector:
    """Start it with `with`; say what it shall answer with `will`; look at `requests`, `stored`, `seen`.

    Attributes:
        default: how it answers when nothing else was said.
        poison: ids of spans that make it answer 400 to any request they are in.
        taboo: text that does the same wherever it stands.
        room: bytes of the largest request it takes; a larger one gets 413.
        tls: (certificate, key) files to speak TLS with.
        clients: the file of the authority whose clients alone are let in (mutual TLS).
    """

    default: Behaviour = field(default_factory=ok)
    poison: set[bytes] = field(default_factory=set)
    taboo: bytes = b""
    room: int | None = None
    tls: tuple[Path, Path] | None = None
    clients: Path | None = None
    gets: int = 0
    requests: list[Received] = field(default_factory=list)
    stored: dict[bytes, list[bytes]] = field(default_factory=dict)
    seen: dict[bytes, list[bytes]] = field(default_factory=dict)
    order: list[bytes] = field(default_factory=list)
    thrown_away: int = 0
    closing: threading.Event = field(default_factory=threading.Event)
    _script: deque[Behaviour] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        """Listen on a free port of the loopback."""
        self._server = _Server(("127.0.0.1", 0), Exchange)
        self._server.collector = self
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            if self.clients:
                context.load_verify_locations(self.clients)
                context.verify_mode = ssl.CERT_REQUIRED
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, and let go of whoever hangs."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        """The base address, for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"{'https' if self.tls else 'http'}://localhost:{self._server.server_port}"

    def will(self, *behaviours: Behaviour) -> None:
        """Answer the next requests like this, then by default again."""
        self._script.extend(behaviours)

    def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        behaviour = self._note(exchange.request_in)
        behaviour.answer(exchange)

    def _note(self, request: Received) -> Behaviour:
        with self._lock:
            entries = request.entries()
            self.requests.append(request)
            for key, raw in entries:
                self.seen.setdefault(key, []).append(raw)
            behaviour = self._choose(request, [key for key, _ in entries])
            if behaviour.stores:
                self._store(entries, behaviour.rejects)
            return behaviour

    def _choose(self, request: Received, keys: Sequence[bytes]) -> Behaviour:
        chosen = self._script.popleft() if self._script else self.default
        if not chosen.stores:
            return chosen
        if self.room is not None and len(request.body) > self.room:
            return status(413)
        if not self.poison.isdisjoint(keys) or (self.taboo and self.taboo in request.body):
            return status(400, b"a span is not as it should be")
        return chosen

    def _store(self, entries: list[tuple[bytes, bytes]], rejected: int) -> None:
        kept = entries[: len(entries) - rejected]
        self.thrown_away += len(entries) - len(kept)
        for key, raw in kept:
            if key not in self.stored:
                self.order.append(key)
            self.stored.setdefault(key, []).append(raw)

    def spans(self) -> list[Span]:
        """Every span of every traces request, decoded as a Collector would."""
        found: list[Span] = []
        for request in self.requests:
            if request.signal == "traces":
                message = ExportTraceServiceRequest.FromString(request.body)
                found += (s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans)
        return found

    def differing(self) -> list[bytes]:
        """Ids that were sent with different bytes: must be none."""
        return [key for key, copies in self.seen.items() if len(set(copies)) > 1]
