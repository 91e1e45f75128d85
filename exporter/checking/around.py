"""What stands around the databases: hooks whose mappings must load, endpoints that must listen."""

import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from exporter.checking.saying import Said
from exporter.config import Config
from exporter.errors import ConfigError
from exporter.hooks import served
from exporter.sinks.endpoints import endpoints

SECONDS = 3.0  # for a connection
PORTS = {"http": 80, "https": 443}


def around(config: Config, environ: Mapping[str, str]) -> Iterator[Said]:
    """Everything that can be said of them."""
    yield from _hooks(config)
    yield from _endpoints(environ)


def _hooks(config: Config) -> Iterator[Said]:
    try:
        found = served(config.databases)
    except ConfigError as error:
        for fault in error.faults:
            yield Said(severity="error", about="hooks", sentence=fault)
        return
    for hook in found.values():
        sentence = f"{hook.name} ({hook.scheme}) is served, and its mapping is understood."
        yield Said(severity="ok", about=hook.tenant, sentence=sentence)


def _endpoints(environ: Mapping[str, str]) -> Iterator[Said]:
    try:
        found = endpoints(environ)
    except ConfigError as error:
        for fault in error.faults:
            yield Said(severity="error", about="endpoint", sentence=fault)
        return
    if not found:
        sentence = "None is set (OTEL_EXPORTER_OTLP_ENDPOINT): spans and logs stay in the store, metrics are scraped."
        yield Said(severity="note", about="endpoint", sentence=sentence)
    for url in dict.fromkeys(endpoint.url for endpoint in found.values()):
        yield _reached(url, [signal for signal, endpoint in found.items() if endpoint.url == url])


def _reached(url: str, signals: list[str]) -> Said:
    """Whether something listens: nothing is sent, a row that arrives there is no test."""
    parts = urlsplit(url)
    place = (parts.hostname or "", parts.port or PORTS.get(parts.scheme, 4317))
    what, where = " and ".join(signals), f"{place[0]}:{place[1]}"
    try:
        socket.create_connection(place, SECONDS).close()
    except OSError as error:
        why = error.strerror or type(error).__name__
        sentence = f"{what} would go to {where}, where nothing listens ({why}): they wait in the store until it does."
        return Said(severity="warning", about="endpoint", sentence=sentence)
    return Said(severity="ok", about="endpoint", sentence=f"{what} go to {where}, where something listens.")
