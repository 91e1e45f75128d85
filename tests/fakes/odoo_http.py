"""The fake Odoo behind a real socket: JSON-2 and JSON-RPC as Odoo 19 speaks them, and bad answers on demand."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, Self

from exporter.domain.redact import Secret
from exporter.sources.odoo.door import Access
from tests.fakes.odoo import FakeOdoo, OdooFault

KEY = "canary-api-key-0123456789"
TRACEBACK = "Traceback (most recent call last): canary-traceback"
RECORD_METHODS = frozenset({"read", "get_metadata"})


@dataclass(slots=True, kw_only=True)
class Canned:
    """An answer to give instead of the real one.

    Attributes:
        claims: a Content-Length that lies.
        pause: seconds after each single byte.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    claims: int | None = None
    pause: float = 0.0


class OdooServer:
    """`with OdooServer(odoo) as server:` serves on a free port of 127.0.0.1.

    Attributes:
        canned: answers given first, one a request.
        requests: (path, headers, body) of every request.
        version: what the server says it is.
        key: the API key it knows.
    """

    def __init__(self, odoo: FakeOdoo, version: tuple[int, int] = (19, 0)) -> None:
        self.odoo = odoo
        self.version = version
        self.key = KEY
        self.canned: deque[Canned] = deque()
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for the thread."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def access(self, key: str = KEY, database: str = "lab", timeout: float = 5.0) -> Access:
        """How to reach it."""
        url = f"http://127.0.0.1:{self._http.server_port}"
        return Access(url=url, database=database, user="monitor", key=Secret(key), timeout=timeout)

    def answer(self, path: str, headers: dict[str, str], body: Any) -> Canned:
        """One request -> one answer."""
        info = [*self.version, 0, "final", 0, ""]
        if path == "/web/version":
            found = self.version[0] >= 19
            return _json(200, {"version_info": info, "version": "x"}) if found else Canned(status=404, body=b"<p>No")
        if path == "/web/webclient/version_info":
            return _json(200, {"jsonrpc": "2.0", "id": 1, "result": {"server_version_info": info}})
        if path == "/jsonrpc":
            return _json(200, {"jsonrpc": "2.0", "id": body["id"]} | self._rpc(**body["params"]))
        if path.startswith("/json/2/") and self.version[0] >= 19:
            return self._json2(path, headers, body)
        return Canned(status=404, body=b"<!doctype html><p>Not Found")

    def _json2(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Canned:
        if headers.get("X-Odoo-Database") != "lab":
            return Canned(status=404, body=b"<!doctype html><p>No database")
        if headers.get("Authorization") != f"bearer {self.key}":
            return _json(401, _error("werkzeug.exceptions.Unauthorized", "Invalid apikey"))
        _, _, _, model, method = path.split("/")
        try:
            return _json(200, self.odoo.execute(model, method, body))
        except OdooFault as refused:
            return _json(refused.status, _error(refused.name, refused.message))

    def _rpc(self, service: str, method: str, args: list[Any]) -> dict[str, Any]:
        if service == "common" and method == "login":
            return {"result": 9 if args == ["lab", "monitor", self.key] else False}
        _, _, key, model, called, *rest = args
        if key != self.key:
            return {"error": _rpc_error("odoo.exceptions.AccessDenied", "Access Denied")}
        positional, named = (rest[0], dict(rest[1])) if method == "execute_kw" else (rest, {})
        if called in RECORD_METHODS:
            named["ids"] = positional[0]
        if called == "search_count" and positional:
            named["domain"] = positional[0]
        try:
            return {"result": self.odoo.execute(model, called, named)}
        except OdooFault as refused:
            return {"error": _rpc_error(*_as_rpc(refused, model))}


def _handler(server: OdooServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(None)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            self._serve(json.loads(self.rfile.read(length)))

        def _serve(self, body: Any) -> None:
            headers = dict(self.headers)
            server.requests.append((self.path, headers, body))
            found = server.canned.popleft() if server.canned else server.answer(self.path, headers, body)
            self.send_response_only(found.status)
            self.send_header("Date", format_datetime(server.odoo.now.replace(microsecond=0), usegmt=True))
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(found.body) if found.claims is None else found.claims))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            _write(self.wfile, found)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _write(out: BufferedIOBase, found: Canned) -> None:
    if not found.pause:
        out.write(found.body)
        return
    for byte in found.body:
        out.write(bytes([byte]))
        out.flush()
        time.sleep(found.pause)


def _json(status: int, body: Any) -> Canned:
    return Canned(status=status, body=json.dumps(body).encode(), kind="application/json; charset=utf-8")


def _error(name: str, message: str) -> dict[str, Any]:
    return {"name": name, "message": message, "arguments": [message], "context": {}, "debug": TRACEBACK}


def _rpc_error(name: str, message: str) -> dict[str, Any]:
    return {"code": 0, "message": "Odoo Server Error", "data": _error(name, message)}


def _as_rpc(refused: OdooFault, model: str) -> tuple[str, str]:
    """JSON-RPC words a missing model otherwise."""
    if refused.status == 404 and "model" in refused.message:
        return "odoo.exceptions.UserError", f"Object {model} doesn't exist"
    return refused.name, refused.message
