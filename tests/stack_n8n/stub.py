"""What the lab's workflows call: `/s/401` answers 401, `/s/200` answers 200, `/slow` after 1.9 seconds."""

import contextlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Stub:
    """`with Stub() as stub:`; `stub.port`."""

    def __init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.server_port

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = re.match(r"/s/(\d{3})", self.path)
        status = int(found[1]) if found else 200
        time.sleep(0 if found else 1.9)
        body = json.dumps({"message": f"forced {status}"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked was killed
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
