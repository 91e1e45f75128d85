"""A listener for web and intake: waitress in a thread, tuned so that half-open connections cannot starve it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Thread
from time import monotonic
from typing import Any

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]

from exporter.errors import ConfigError
from exporter.tls_front import Connect, TlsFront

log = logging.getLogger(__name__)
logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits for a thread
App = Callable[..., Iterable[bytes]]
"""A WSGI application."""

# facts/reliability.md finding 10: with its defaults waitress stops answering at 100 half-open connections.
TUNING: Mapping[str, object] = {
    "threads": 4,
    "connection_limit": 2_000,
    "channel_timeout": 10,
    "cleanup_interval": 3,  # with the timeout and a turn of the loop, a second: less than the 15 s of R12
    "max_request_header_size": 16 * 1024,
    "asyncore_use_poll": True,  # select() ends at 1,024 descriptors
    "ident": "odoo-otel",
}


DEADLINE = 30.0  # seconds until a request has to be whole: a byte now and then is activity to waitress


class Listener:
    """Listens from the moment it is made; `start` serves, `stop` ends it. Port 0 takes a free one, see `port`.

    Args:
        says: what is logged at the start, before the address.
        private: whether nobody but the end of TLS reaches what is behind it.
        tuning: what differs from TUNING; `max_request_body_size` has to be said.
        refused: told the status of each request that is refused before it reaches the app (too large, slow, not HTTP).
        deadline: seconds in which a request has to come whole; who takes longer is counted (408) and cut off.
        tls: how TLS is spoken at the address; plain HTTP is spoken behind it, at `inner` where it is not private.

    Attributes:
        leave: removes its files; for whoever ends the process without `stop`.
    """

    says = "listening on"
    private = True

    def __init__(
        self,
        app: App,
        address: tuple[str, int],
        *,
        tuning: Mapping[str, object],
        refused: Callable[[int], None] = lambda _status: None,
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        listening = _listen(*address)
        self.host, self.port = address[0], int(listening.getsockname()[1])
        self.scheme, self.inner = "https" if tls else "http", (self.host, self.port)
        self._front: TlsFront | None = None
        self.leave: Callable[[], object] = lambda: None
        if tls:
            behind, connect = self._private() if self.private else self._inside()
            self._front, listening = TlsFront(listening, tls, connect), behind
        self._server = create_server(app, sockets=[listening], **{**TUNING, **tuning})
        self._server.channel_class = _channel(refused, deadline)
        self._thread = Thread(target=self._server.run, name=type(self).__name__.lower(), daemon=True)

    def _private(self) -> tuple[socket.socket, Connect]:
        """A socket that only this user reaches, and how."""
        folder = mkdtemp(prefix="odoo-otel-")  # mode 0700
        self.leave = lambda: rmtree(folder, ignore_errors=True)
        path = str(Path(folder) / "tls")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        listening.listen(1024)
        return listening, lambda: asyncio.open_unix_connection(path)

    def _inside(self) -> tuple[socket.socket, Connect]:
        listening = _listen("127.0.0.1", 0)
        self.inner = ("127.0.0.1", int(listening.getsockname()[1]))
        return listening, lambda: asyncio.open_connection(*self.inner)

    def peer(self, environ: Mapping[str, Any]) -> str:
        """The address of who is connected, also where TLS ends before us; for the environ of one of our requests."""
        address = str(environ.get("REMOTE_ADDR", ""))
        return self._front.peers.get(int(environ.get("REMOTE_PORT", 0)), address) if self._front else address

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        if self._front:
            self._front.start()
        log.info("%s %s://%s:%d", self.says, self.scheme, self.host, self.port)

    def alive(self) -> bool:
        """Whether it answers."""
        return self._thread.is_alive() and (self._front is None or self._front.alive())

    def stop(self, grace: float = 4.0) -> bool:
        """Let requests at work end, then close every connection; True if that was done within `grace` seconds."""
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=grace / 2)
        if self._front:
            self._front.stop(grace / 2)
            self.leave()
        if not self._thread.is_alive():
            self._close()
            return True
        # In the thread of the loop, which alone may touch its sockets; it may have closed them, and the trigger, before
        # the trigger was pulled.
        with suppress(OSError):
            self._server.trigger.pull_trigger(self._close)
        self._thread.join(grace / 2)
        return not self._thread.is_alive()

    def _close(self) -> None:
        wasyncore.close_all(self._server._map)  # noqa: SLF001 - waitress has no public way to leave its loop


def _channel(
    refused: Callable[[int], None], deadline: float = DEADLINE, now: Callable[[], float] = monotonic
) -> type[Any]:
    """A connection of waitress that tells which requests waitress refuses, and does not spin while one is at work.

    One whose sender drips is cut off: waitress ends those alone that send nothing at all.
    """

    class Refusing(ErrorTask):  # type: ignore[misc] # waitress has no types
        def execute(self) -> None:
            refused(int(self.request.error.code))
            super().execute()

    class Channel(HTTPChannel):  # type: ignore[misc] # waitress has no types
        error_task_class = Refusing
        since: float | None = None  # when what comes began to come, which is no whole request yet

        def received(self, piece: bytes) -> bool:
            """Something came; empty lines begin no request, and are waited for no longer than one."""
            self.since = now() if self.since is None else self.since
            taken = bool(super().received(piece))
            if not self.requests and self.drips():  # in this order: what was served already has no `since` any more
                self.will_close = True
                refused(HTTPStatus.REQUEST_TIMEOUT)
            return taken

        def drips(self) -> bool:
            """Whether what comes takes too long."""
            since = self.since
            return since is not None and now() - since > deadline

        def service(self) -> None:
            """A whole request, in a thread of its own."""
            self.since = None
            super().service()

        def writable(self) -> bool:
            """Whether the loop is to write: not what the thread of a request writes by itself.

            Waitress asks poll() for a socket that its loop may not touch while that thread holds the lock, which is
            ready at once: a hundred turns a request, each taking the interpreter from the thread it waits for.
            """
            if self.requests and not (self.will_close or self.close_when_flushed):
                return bool(self.total_outbufs_len > self.adj.outbuf_high_watermark)
            return bool(super().writable())

    return Channel


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; our own, because waitress leaves a half-made server behind when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([f"{host}:{port} cannot be listened on ({reason}): choose another address."]) from error
