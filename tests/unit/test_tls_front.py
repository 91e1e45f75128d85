"""Before the handshake: whoever says nothing is bounded in number and time, and starves nobody (R12)."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter import tls_front
from exporter.listening import Listener
from tests.fakes.exporter import until


def app(_environ: object, start: object) -> list[bytes]:
    """It says hello."""
    start("200 OK", [("Content-Length", "5")])  # type: ignore[operator]
    return [b"hello"]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """One that speaks TLS."""
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -x509 -days 2 -subj /CN=x"
    subprocess.run([*new.split(), "-keyout", "key", "-out", "cert"], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    found = Listener(app, ("127.0.0.1", 0), tuning={"max_request_body_size": 100}, tls=context)
    found.start()
    yield found
    assert found.stop()


def hello(listener: Listener) -> bytes:
    """What an honest client gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", listener.port), timeout=10)) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: client.recv(1000), b""))


def is_closed(client: socket.socket) -> bool:
    """Whether the other side has ended it."""
    client.settimeout(0)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_the_oldest_who_says_nothing_makes_room(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 connections without a handshake the newest 20 are held; an honest one is answered; nothing is left."""
    monkeypatch.setattr(tls_front, "SILENT", 20)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", listener.port), timeout=10)) for _ in range(60)
        ]
        until(lambda: sum(map(is_closed, silent)) == 40, what="the oldest closed")
        assert [is_closed(one) for one in silent] == [True] * 40 + [False] * 20
        assert hello(listener).endswith(b"hello")
        assert sum(map(is_closed, silent)) == 41


def test_a_handshake_has_its_time(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins a handshake and does not go on is closed when its time is over."""
    monkeypatch.setattr(tls_front, "HANDSHAKE", 0.2)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as half:
        half.sendall(b"\x16\x03\x01")
        until(lambda: is_closed(half), what="the end of its time")
    assert hello(listener).endswith(b"hello")
