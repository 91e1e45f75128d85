"""A listener of its own for the pages: waitress in a thread, tuned so that half-open connections cannot starve it."""

import logging
import socket
from threading import Thread

from flask import Flask
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]

from exporter.errors import ConfigError

log = logging.getLogger(__name__)

# facts/reliability.md finding 10: with its defaults waitress stops answering at 100 half-open connections.
TUNING = {
    "threads": 4,
    "connection_limit": 2_000,
    "channel_timeout": 10,
    "cleanup_interval": 5,
    "max_request_header_size": 16 * 1024,
    "max_request_body_size": 4 * 1024,  # nothing here takes a body
    "outbuf_overflow": 32 * 1024 * 1024,  # a large exposition stays in memory and out of temporary files
    "asyncore_use_poll": True,  # select() ends at 1,024 descriptors
    "ident": "odoo-otel",
}


class WebServer:
    """Listens from the moment it is made; `start` serves, `stop` ends it. Port 0 takes a free one, see `port`."""

    def __init__(self, app: Flask, host: str = "127.0.0.1", port: int = 9464) -> None:
        listening = _listen(host, port)
        self.host, self.port = host, int(listening.getsockname()[1])
        self._server = create_server(app, sockets=[listening], **TUNING)
        self._thread = Thread(target=self._server.run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        log.info("listening on http://%s:%d", self.host, self.port)

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


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; our own, because waitress leaves a half-made server behind when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([f"{host}:{port} cannot be listened on ({reason}): choose another address."]) from error
