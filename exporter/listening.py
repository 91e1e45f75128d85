"""A listener for web and intake: waitress in a thread, tuned so that half-open connections cannot starve it."""

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from threading import Thread
from typing import Any

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]

from exporter.errors import ConfigError

log = logging.getLogger(__name__)
App = Callable[..., Iterable[bytes]]
"""A WSGI application."""

# facts/reliability.md finding 10: with its defaults waitress stops answering at 100 half-open connections.
TUNING: Mapping[str, object] = {
    "threads": 4,
    "connection_limit": 2_000,
    "channel_timeout": 10,
    "cleanup_interval": 5,
    "max_request_header_size": 16 * 1024,
    "asyncore_use_poll": True,  # select() ends at 1,024 descriptors
    "ident": "odoo-otel",
}


class Listener:
    """Listens from the moment it is made; `start` serves, `stop` ends it. Port 0 takes a free one, see `port`.

    Args:
        says: what is logged at the start, before the address.
        tuning: what differs from TUNING; `max_request_body_size` has to be said.
        refused: told the status of each request that is refused before it reaches the app (too large, not HTTP).
    """

    says = "listening on"

    def __init__(
        self,
        app: App,
        address: tuple[str, int],
        *,
        tuning: Mapping[str, object],
        refused: Callable[[int], None] = lambda _status: None,
    ) -> None:
        listening = _listen(*address)
        self.host, self.port = address[0], int(listening.getsockname()[1])
        self._server = create_server(app, sockets=[listening], **TUNING, **tuning)
        self._server.channel_class = _channel(refused)
        self._thread = Thread(target=self._server.run, name=type(self).__name__.lower(), daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        log.info("%s http://%s:%d", self.says, self.host, self.port)

    def alive(self) -> bool:
        """Whether it answers."""
        return self._thread.is_alive()

    def stop(self, grace: float = 4.0) -> bool:
        """Let requests at work end, then close every connection; True if that was done within `grace` seconds."""
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=grace / 2)
        if not self._thread.is_alive():
            self._close()
            return True
        self._server.trigger.pull_trigger(self._close)  # in the thread of the loop, which alone may touch its sockets
        self._thread.join(grace / 2)
        return not self._thread.is_alive()

    def _close(self) -> None:
        wasyncore.close_all(self._server._map)  # noqa: SLF001 - waitress has no public way to leave its loop


def _channel(refused: Callable[[int], None]) -> type[Any]:
    """A connection of waitress, telling of the requests that waitress itself refuses."""

    class Refusing(ErrorTask):  # type: ignore[misc] # waitress has no types
        def execute(self) -> None:
            refused(int(self.request.error.code))
            super().execute()

    class Channel(HTTPChannel):  # type: ignore[misc] # waitress has no types
        error_task_class = Refusing

    return Channel


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; our own, because waitress leaves a half-made server behind when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([f"{host}:{port} cannot be listened on ({reason}): choose another address."]) from error
