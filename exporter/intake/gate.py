"""`POST /hooks/<hook>` as plain WSGI under Flask: the acknowledgement is on the sender's clock, and Odoo's is a second.

Flask costs 300 to 400 us a request here (facts/reliability.md section 2); `app.wsgi_app = Gate(app.wsgi_app, ...)` is
the seam its documentation gives.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from exporter.errors import Refused
from exporter.intake.hooks import Hooks
from exporter.intake.packed import TAKEN
from exporter.intake.receiving import LARGEST
from exporter.intake.signatures import Shown

_PATH = re.compile(r"/hooks/(?P<hook>[A-Za-z0-9][A-Za-z0-9_.-]{0,62})(?:/(?P<token>[^/]{1,200}))?")
_STATUS = {
    202: "202 Accepted",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    405: "405 Method Not Allowed",
    411: "411 Length Required",
}
_STATUS |= {413: "413 Content Too Large", 415: "415 Unsupported Media Type", 422: "422 Unprocessable Content"}
_STATUS |= {503: "503 Service Unavailable"}
_PLAIN = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
RETRY_AFTER = "1"  # second
Environ = Mapping[str, Any]
App = Callable[..., Iterable[bytes]]
Start = Callable[[str, list[tuple[str, str]]], object]
_encode = msgspec.json.Encoder().encode


class Gate:
    """Answers `/hooks/...` itself and hands everything else on."""

    def __init__(self, app: App, hooks: Hooks) -> None:
        self._app, self._hooks = app, hooks

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """One request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/hooks/"):
            return self._app(environ, start)
        try:
            ids = self._received(path, environ)
        except Refused as refused:
            return _refuse(refused, start)
        body = _encode({"ids": ids})
        start(_STATUS[202], [*_PLAIN, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _received(self, path: str, environ: Environ) -> Iterable[str]:
        found = _PATH.fullmatch(path)
        hook, token = (found["hook"], found["token"] or "") if found else ("", "")
        sender = self._hooks.complaints.sender(environ)
        try:
            raw = _body(environ)
        except Refused as refused:
            self._hooks.turned_away(hook, refused, sender)
            raise
        return self._hooks.receive(hook, Shown(headers=headers(environ), token=token, raw=raw, sender=sender))


def headers(environ: Environ) -> dict[str, str]:
    """By lower-case name."""
    return {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}


def _body(environ: Environ) -> bytes:
    """The body, within the limits; who sends it is not known yet."""
    if environ["REQUEST_METHOD"] != "POST":
        raise Refused(405, "method", "Post it.")
    if environ.get("HTTP_CONTENT_ENCODING", "").lower() not in TAKEN:
        raise Refused(415, "encoded", "Send the body as it is, or with Content-Encoding: gzip.")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit():
        raise Refused(411, "length", "Say how long the body is.")
    if int(length) > LARGEST:
        raise Refused(413, "too_large", f"Send at most {LARGEST} bytes at once.")
    raw: bytes = environ["wsgi.input"].read(int(length))
    return raw


def _refuse(refused: Refused, start: Start) -> Iterable[bytes]:
    """One sentence, but for 401: every one of those is alike, and empty."""
    body = f"{refused.sentence}\n".encode() if refused.sentence else b""
    headers = [*_PLAIN, ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    headers += [("Retry-After", RETRY_AFTER)] if refused.status == 503 else []  # noqa: PLR2004
    headers += [("Allow", "POST")] if refused.status == 405 else []  # noqa: PLR2004
    start(_STATUS[refused.status], headers)
    return [body]
