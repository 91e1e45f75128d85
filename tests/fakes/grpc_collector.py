"""The same Collector to lie to us, over gRPC: a real grpcio server on a free port.

What the behaviours of tests/fakes/collector.py say in HTTP is said here by the status that a Collector answers in its
place (otlpreceiver's own table, and the OTLP specification).
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from exporter.sinks.over_grpc import METHODS
from tests.fakes.collector import Behaviour, FakeCollector, Received

SIGNALS = {method: signal for signal, method in METHODS.items()}
CODES: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    302: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
TOO_LARGE = "grpc: received message larger than max (5000000 vs. 4194304)"  # grpc-go's words


@dataclass
class Call:
    """One call, with the face that behaviours know from HTTP."""

    request_in: Received
    context: Any
    server: "GrpcCollector"
    body: bytes = b""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """OK with that body, or the status that stands for it; Retry-After as RetryInfo."""
        if status in {200, 202, 204}:
            self.body = body
            return
        words = TOO_LARGE if status == 413 else body.decode(errors="replace") or f"as {status}"
        seconds = headers.get("Retry_After")
        self.abort(CODES[status], words, None if seconds is None else float(seconds))

    def abort(self, code: grpc.StatusCode, words: str, after: float | None = None) -> None:
        """End it with a status, and with RetryInfo where the server asks for patience."""
        if after is not None:
            delay = Duration(seconds=int(after), nanos=round(after % 1 * 1e9))
            details = status_pb2.Status(code=code.value[0], message=words)
            details.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            self.context.set_trailing_metadata((("grpc-status-details-bin", details.SerializeToString()),))
        self.context.abort(code, words)

    def cut(self) -> None:
        """The server goes away instead of an answer."""
        self.abort(grpc.StatusCode.UNAVAILABLE, "recvmsg:Connection reset by peer")


def said(code: grpc.StatusCode, words: str = "", after: float | None = None) -> Behaviour:
    """That status, nothing stored."""
    return Behaviour(lambda call: call.abort(code, words, after))  # type: ignore[attr-defined,arg-type]


@dataclass
class GrpcCollector(FakeCollector):
    """A FakeCollector that speaks gRPC."""

    def __enter__(self) -> Self:
        """Listen on a free port of the loopback."""
        self._pool = ThreadPoolExecutor(8)
        room = [] if self.room is None else [("grpc.max_receive_message_length", self.room)]
        self._grpc = grpc.server(self._pool, options=[("grpc.so_reuseport", 0), *room])
        self._grpc.add_generic_rpc_handlers([_Handlers(self)])
        if self.tls is None:
            self._port = self._grpc.add_insecure_port("localhost:0")
        else:
            certificate, key = (path.read_bytes() for path in self.tls)
            roots = self.clients.read_bytes() if self.clients else None
            credentials = grpc.ssl_server_credentials([(key, certificate)], roots, require_client_auth=bool(roots))
            self._port = self._grpc.add_secure_port("localhost:0", credentials)
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, and let go of whoever hangs."""
        self.closing.set()
        self._grpc.stop(0).wait(5)
        self._pool.shutdown(wait=False)

    @property
    def url(self) -> str:
        """Host and port."""
        return f"localhost:{self._port}"

    def call(self, method: str, raw: bytes, context: Any) -> bytes:
        """Answer one call."""
        headers = {str(key): str(value) for key, value in context.invocation_metadata()}
        received = Received(f"/v1/{SIGNALS[method]}", headers, raw)
        one = Call(received, context, self)
        self._note(received).answer(one)  # type: ignore[arg-type]
        return one.body


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, collector: GrpcCollector) -> None:
        self._collector = collector

    def service(self, details: Any) -> Any:
        """Every method of OTLP, as bytes; others are unimplemented."""
        if details.method not in SIGNALS:
            return None
        return grpc.unary_unary_rpc_method_handler(partial(self._collector.call, details.method))
