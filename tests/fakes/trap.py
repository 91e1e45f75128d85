"""An HTTP server that nobody should come to, or one that answers everything alike; it keeps what came."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Trap:
    """What came: method, target and Authorization of each request."""

    url: str = ""
    seen: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def trap(status: int = 200, kind: str = "application/json", body: bytes = b"", location: str = "") -> Iterator[Trap]:
    """One on a free port of the loopback."""
    heard = Trap()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """As POST."""
            self.do_POST()

        def do_CONNECT(self) -> None:
            """As POST."""
            self.do_POST()

        def do_POST(self) -> None:
            heard.seen.append((self.command, self.path, self.headers.get("Authorization", "")))
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            said = {"Content-Type": kind, "Content-Length": str(len(body)), "Location": location}
            for name, value in said.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
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
