"""The pages on a real socket, asked by honest and by hostile clients."""

import http.client
import socket
import time
from collections.abc import Iterator

import pytest
import requests

from exporter.errors import ConfigError
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.state import State

STATE: State = {"version": "0.1.0", "store": "", "loops": {"folding": True}, "sources": [], "signals": []}
LINES = b"odoo_up 1\n" * 36_000


@pytest.fixture
def server() -> Iterator[WebServer]:
    """The real server on a free port."""
    running = WebServer(
        create_app(lambda openmetrics: LINES + (b"# EOF\n" if openmetrics else b""), lambda: STATE), port=0
    )
    running.start()
    yield running
    assert running.stop()


def url(server: WebServer, path: str) -> str:
    """The address of a page."""
    return f"http://127.0.0.1:{server.port}{path}"


def test_a_scrape_as_prometheus_does_it(server: WebServer) -> None:
    """A scrape of 36,000 lines arrives whole, packed and in the format asked for."""
    headers = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "Accept-Encoding": "gzip"}
    response = requests.get(url(server, "/metrics"), headers=headers, timeout=5)
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.content == LINES + b"# EOF\n"
    plain = requests.get(url(server, "/metrics"), headers={"Accept-Encoding": "identity"}, timeout=5)
    assert plain.content == LINES


def test_the_other_pages_answer(server: WebServer) -> None:
    """The health pages and the landing page are there; unknown paths and other methods are refused."""
    got = {path: requests.get(url(server, path), timeout=5).status_code for path in ("/", "/healthz", "/readyz", "/x")}
    assert got == {"/": 200, "/healthz": 200, "/readyz": 200, "/x": 404}
    assert requests.post(url(server, "/metrics"), data=b"x", timeout=5).status_code == 405


def test_a_huge_head_or_body_is_refused(server: WebServer) -> None:
    """R12: 100 KB of headers, or a body where none is taken, is refused; the next honest request is answered."""
    huge = requests.get(url(server, "/metrics"), headers={"X-Long": "a" * 100_000}, timeout=5)
    assert huge.status_code == 431
    body = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    body.putrequest("POST", "/metrics")
    body.putheader("Content-Length", str(100_000_000))
    body.endheaders()
    assert body.getresponse().status == 413
    body.close()
    assert requests.get(url(server, "/healthz"), timeout=5).status_code == 200


def test_half_open_connections_do_not_starve_a_scrape(server: WebServer) -> None:
    """R12: beside 400 clients that never finish their request an honest one is answered in less than a second."""
    held = []
    try:
        for _ in range(400):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Half: ")
            held.append(client)
        began = time.monotonic()
        assert requests.get(url(server, "/healthz"), timeout=5).status_code == 200
        assert time.monotonic() - began < 1
    finally:
        for client in held:
            client.close()


def test_a_taken_address_is_one_clear_sentence(server: WebServer) -> None:
    """A second exporter on the same port ends with a sentence that says what to change."""
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:\d+ cannot be listened on .* choose another address"):
        WebServer(create_app(lambda _: b"", lambda: STATE), port=server.port)


def test_it_stops_in_time_with_clients_connected(server: WebServer) -> None:
    """R20: idle keep-alive connections do not hold up the end."""
    session = requests.Session()
    assert session.get(url(server, "/healthz"), timeout=5).status_code == 200
    began = time.monotonic()
    assert server.stop()
    assert time.monotonic() - began < 4
    with pytest.raises(requests.ConnectionError):
        requests.get(url(server, "/healthz"), timeout=1)
    session.close()
