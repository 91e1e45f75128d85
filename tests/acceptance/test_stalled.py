"""R12 on real sockets: whoever stalls or drips is cut off in time, plain and through TLS, and starves nobody."""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, Self

import pytest

from exporter.listening import DEADLINE, TUNING, Listener
from tests.fakes.papers import Papers, make_papers

HASTY = {"channel_timeout": 1, "cleanup_interval": 1, "max_request_body_size": 1000}
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
BEGUN = HEAD + b"Content-Length: 900\r\n\r\n"
LOOP = 1  # second that waitress's loop waits at most
R12 = 15  # seconds


def app(_environ: Mapping[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    """Answers."""
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """A certificate for localhost."""
    return make_papers(tmp_path_factory.mktemp("papers"))


class Line:
    """A listener, with TLS or without, and clients of it."""

    def __init__(self, papers: Papers | None, **changes: Any) -> None:
        self._asks: ssl.SSLContext | None = None
        speaks = None
        if papers:
            speaks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            speaks.load_cert_chain(*papers.server)
            self._asks = ssl.create_default_context(cafile=str(papers.authority))
        self.refused: list[int] = []
        tuning = HASTY | changes.pop("tuning", {})
        told: dict[str, Any] = {"refused": self.refused.append, "tls": speaks}
        self._listener = Listener(app, ("127.0.0.1", 0), tuning=tuning, **told, **changes)
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Serve."""
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        for client in self._held:
            client.close()
        assert self._listener.stop()

    def dial(self) -> socket.socket:
        """A connection of a client that waits for long."""
        client = socket.create_connection(("127.0.0.1", self._listener.port), timeout=20)
        if self._asks:
            client = self._asks.wrap_socket(client, server_hostname="localhost")
        self._held.append(client)
        return client


@pytest.fixture(params=["plain", "tls"])
def listens(request: pytest.FixtureRequest, papers: Papers) -> Callable[..., Line]:
    """What makes a Line of either kind."""
    return lambda **changes: Line(papers if request.param == "tls" else None, **changes)


def cut(client: socket.socket) -> bool:
    """Whether the other side closes, without an answer; TimeoutError if it goes on and on."""
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def ask(client: socket.socket) -> bytes:
    """An honest request, and the beginning of its answer."""
    client.sendall(HEAD + b"Content-Length: 1\r\n\r\nx")
    return client.recv(15)


@contextmanager
def dripping(clients: list[socket.socket], drop: bytes, begun: bytes) -> Iterator[None]:
    """Something of each client every now and then, until it is cut off or this ends."""
    over = Event()

    def drip() -> None:
        while not over.wait(0.1):
            for client in list(clients):
                try:
                    client.sendall(drop)
                except OSError:
                    clients.remove(client)

    for client in clients:
        client.sendall(begun)
    thread = Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("begun", [b"", b"\r\n", HEAD, BEGUN, BEGUN + b"x"])
def test_a_stalled_sender_is_cut_off(listens: Callable[..., Line], begun: bytes) -> None:
    """Who sends nothing, half a head or half a body, and then nothing more (R12)."""
    with listens() as line:
        client = line.dial()
        client.sendall(begun)
        assert cut(client)


def test_the_shipped_times_keep_the_promise() -> None:
    """R12 allows 15 seconds: activity is looked for at intervals, by a loop that sleeps."""
    assert int(str(TUNING["channel_timeout"])) + int(str(TUNING["cleanup_interval"])) + LOOP <= R12
    assert DEADLINE <= 2 * R12


@pytest.mark.parametrize("drop", [b"x", b"\r\n"])
def test_who_drips_is_cut_off(listens: Callable[..., Line], drop: bytes) -> None:
    """A byte now and then of a body, or an empty line before a head, is no request: it is counted and ended (R12)."""
    with listens(tuning={"channel_timeout": 60}, deadline=1.0) as line:
        client = line.dial()
        with dripping([client], drop, BEGUN if drop == b"x" else b""):
            assert cut(client)
        assert line.refused == [408]


def test_who_drips_starves_nobody(listens: Callable[..., Line]) -> None:
    """More of them than there may be connections: whoever is honest is answered, once they had their time (R12)."""
    with listens(tuning={"channel_timeout": 60, "connection_limit": 12}, deadline=1.0) as line:
        with dripping([line.dial() for _ in range(30)], b"x", BEGUN):
            assert ask(line.dial()) == b"HTTP/1.1 200 OK"
        assert line.refused


def test_whoever_asks_on_is_never_cut_off(listens: Callable[..., Line]) -> None:
    """The time is a request's, not a connection's: many of them on one take longer than one may."""
    with listens(deadline=0.2) as line:
        client = line.dial()
        for _ in range(20):
            assert ask(client) == b"HTTP/1.1 200 OK"
            rest = b""
            while not rest.endswith(b"ok"):
                rest += client.recv(1000)
            assert not Event().wait(0.05)
        assert line.refused == []
