"""What it means that no answer came: a table from the kinds of exceptions to the reasons we count.

The exceptions' own texts are never shown: they quote the address, whose path may be a secret.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from http.client import IncompleteRead

import requests
import urllib3.exceptions

from exporter.sinks import ExportResult, Misconfigured, Retry

# The first line that any exception of the chain fits: from the most to the least exact.
FAULTS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL), "address"),
    ((requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema), "address"),
    ((ssl.SSLError, requests.exceptions.SSLError), "tls"),
    ((socket.gaierror, urllib3.exceptions.NameResolutionError), "dns"),
    ((ConnectionRefusedError,), "refused"),
    # Before the timeouts: urllib3 derives NewConnectionError from its TimeoutError.
    ((urllib3.exceptions.NewConnectionError,), "unreachable"),
    ((requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError), "timeout"),
    ((requests.exceptions.ProxyError, urllib3.exceptions.ProxyError), "proxy"),
    ((IncompleteRead, urllib3.exceptions.IncompleteRead, requests.exceptions.ChunkedEncodingError), "half"),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), "reset"),
    ((requests.exceptions.ConnectionError, urllib3.exceptions.ProtocolError), "connection"),
    ((urllib3.exceptions.DecodeError,), "garbage"),
    ((FileNotFoundError, PermissionError), "file"),
)
_OURS = frozenset({"address", "file"})
_DEPTH = 8


def fault(error: BaseException) -> ExportResult:
    """Retry, unless the fault is in our own settings; the reason is one of FAULTS, else `other`."""
    chain = tuple(_chain(error))
    reason = next((reason for kinds, reason in FAULTS if any(isinstance(e, kinds) for e in chain)), "other")
    if reason in _OURS:
        return Misconfigured(reason=reason, detail=_detail(chain))
    return Retry(reason=reason, detail=_detail(chain))


def _chain(error: BaseException | None, depth: int = _DEPTH) -> Iterator[BaseException]:
    """The exception and all it wraps: requests and urllib3 put the cause into args, `reason` or the context."""
    if error is None or depth == 0:
        return
    yield error
    inner = [arg for arg in (*error.args, getattr(error, "reason", None)) if isinstance(arg, BaseException)]
    for cause in (*inner, error.__cause__ or error.__context__):
        yield from _chain(cause, depth - 1)


def _detail(chain: tuple[BaseException, ...]) -> str:
    """The innermost kind and, for errors of the system, its name: never a text that quotes an address."""
    inner = chain[-1]
    number = getattr(inner, "errno", None)
    name = errno.errorcode.get(number, "") if isinstance(number, int) else ""
    return " ".join(filter(None, (type(inner).__name__, name)))
