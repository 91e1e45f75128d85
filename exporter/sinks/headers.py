"""The headers of OTEL_EXPORTER_OTLP_HEADERS: what cannot be sent is a fault, and never quoted, for it may be a key.

OpenTelemetry's own parser writes what it does not understand into the log, whole; it is asked only about what it takes.
"""

import re
from collections.abc import Iterator, Mapping

from opentelemetry.util.re import parse_env_headers

# What its parser takes: a name, and a value without quotes, commas, semicolons and backslashes.
_TAKEN = re.compile(r"\s*[!#-'*+\-.0-9A-Z^-z|~]+[ \t]*=[ !#-+\--:<-\[\]-~\t]*\s*")
_SENT = re.compile(r"[ -~]*")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_GRPC_NAME = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")


def headers(value: str) -> dict[str, str]:
    """The headers that a variable names, in lower case; what `faults` finds is left out."""
    found: dict[str, str] = {}
    for each in _parts(value):
        if _TAKEN.fullmatch(each):
            found |= parse_env_headers(each, liberal=True)
    return found


def faults(name: str, value: str, *, grpc: bool) -> Iterator[str]:
    """One sentence for each header that cannot be sent; it names the place and not the value."""
    known = _GRPC_NAME if grpc else _NAME
    for n, each in enumerate(_parts(value), 1):
        if not _can_be_sent(headers(each), known):
            yield f"{name}: header {n} cannot be sent: write name=value, a comma or a quote in it as %2C or %22."


def _can_be_sent(found: Mapping[str, str], known: re.Pattern[str]) -> bool:
    return bool(found) and all(known.fullmatch(key) and _SENT.fullmatch(text) for key, text in found.items())


def _parts(value: str) -> list[str]:
    return [each for each in value.split(",") if each.strip()]
