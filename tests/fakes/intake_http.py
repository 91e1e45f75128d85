"""An intake on a real socket: it answers what it is told to, and keeps what it was asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from exporter.intake.signatures import is_bearer
from exporter.tokens import DETECTORS, Tokens


@dataclass
class IntakeServer:
    """What it heard.

    Attributes:
        answers: (status, body) of the next requests; then every one is taken.
        tokens: of which a request must carry one.
    """

    tokens: Tokens
    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def answer(self, authorization: str, raw: bytes) -> tuple[int, bytes]:
        """Keep the rows and count them."""
        if self.answers:
            return self.answers.pop(0)
        if not is_bearer(authorization, self.tokens.digests(DETECTORS)):
            return 401, b"wrong token"
        rows, before = json.loads(raw), len(self.rows)
        self.requests.append({"rows": rows})
        for row in rows:
            self.rows.setdefault((row["tenant"], row["key"]), row)
        new = len(self.rows) - before
        return 202, json.dumps({"appended": new, "repeated": len(rows) - new}).encode()

    def findings(self) -> list[dict[str, Any]]:
        """What is no heartbeat."""
        return [row for row in self.rows.values() if row["name"].startswith("finding.")]


@contextmanager
def intake_server(folder: Path) -> Iterator[IntakeServer]:
    """One on a free port, with the tokens of a state folder."""
    heard = IntakeServer(tokens=Tokens(folder))

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            right = self.path == "/v1/events" and self.headers["Content-Type"] == "application/json"
            status, body = heard.answer(self.headers.get("Authorization", ""), raw) if right else (404, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    heard.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
