"""The door of Odoo 14 to 18 (and later, where /jsonrpc is still served): odoorpc, logged in with an API key."""

import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import IO, NoReturn
from urllib.parse import urlsplit

import odoorpc
import odoorpc.error

from exporter.clock import Clock, SystemClock
from exporter.errors import SourceDown, SourceError
from exporter.sources.answers import whole
from exporter.sources.odoo.door import JSON, Access, Domain, Row, fault, require_read, rows_of, search_arguments
from exporter.sources.odoo.json2 import MOST_BYTES, version_of
from exporter.sources.odoo.versions import shows
from exporter.sources.server_clock import ServerClock

# odoorpc writes every call with its arguments to this logger at DEBUG: the API key is one of them.
logging.getLogger("odoorpc").setLevel(logging.WARNING)

# What JSON-2 would have answered for the classes Odoo names in a JSON-RPC error.
_STATUS = {
    "odoo.exceptions.AccessDenied": HTTPStatus.UNAUTHORIZED,
    "odoo.exceptions.AccessError": HTTPStatus.FORBIDDEN,
}
# odoorpc takes every answer for Odoo's: what is something else fails somewhere inside it.
_BROKEN = (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError)


class SessionDoor:
    """One odoorpc session; it logs in at the first call and again after a refused key."""

    def __init__(self, access: Access, clock: Clock | None = None) -> None:
        """Keep the access; nothing is sent yet."""
        self._access = access
        self._server = ServerClock(clock or SystemClock())
        self._heard = _Hear(self._server, clock or SystemClock(), access.timeout)
        self._odoo: odoorpc.ODOO | None = None
        self._loads: bool | None = None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect(), self._heard)

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """See Door."""
        # What a count is given is called `args` up to Odoo 15: models.py, search_count.
        first = ("ids", "domain") if method == "search_count" else ("ids",)
        positional = [named.pop(name) for name in first if name in named]
        return self._call(model, method, positional, named)

    def _call(self, model: str, method: str, positional: Sequence[JSON], named: Mapping[str, JSON]) -> JSON:
        require_read(model, method)
        try:
            return self._logged_in().execute_kw(model, method, positional, named)  # type: ignore[no-any-return]
        except odoorpc.error.RPCError as refused:
            self._refuse(refused, model)
        except _BROKEN as broken:
            raise self._down(broken, model) from None

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """See Door. Odoo 14 gives bare ids to `read` alone: there it is searched first."""
        asked = search_arguments(domain, fields, order, limit)
        if self._loads is None:
            self._loads = shows(self.version()).loads
        if self._loads:
            return rows_of(self.call(model, "search_read", **asked), model)
        return self._search_then_read(model, asked)

    def _search_then_read(self, model: str, asked: dict[str, JSON]) -> list[Row]:
        """In the order that was asked for; rows that went in between are left out, as by search_read."""
        load, fields, domain = asked.pop("load"), asked.pop("fields"), asked.pop("domain")
        ids = self._call(model, "search", [domain], asked)
        if not isinstance(ids, list) or not ids:
            return rows_of(ids, model)
        found = rows_of(self.call(model, "read", ids=ids, fields=fields, load=load), model)
        rows = {row.get("id"): row for row in found}
        return [rows[one] for one in ids if one in rows]

    def server_time(self) -> datetime:
        """See Door; asks for the version once when no answer came yet."""
        if not self._server.heard:
            self.version()
        return self._server.now()

    def version(self) -> tuple[int, int]:
        """See Door."""
        try:
            answer: JSON = self._connected().json("/web/webclient/version_info", {})["result"]
        except odoorpc.error.RPCError as refused:
            self._refuse(refused, "version_info")
        except _BROKEN as broken:
            raise self._down(broken, "version_info") from None
        return version_of(answer)

    def _connected(self) -> odoorpc.ODOO:
        """The session, made at first use: the version is given, so that making it sends nothing."""
        if self._odoo is None:
            parts = urlsplit(self._access.base)
            secure = parts.scheme == "https"
            self._odoo = odoorpc.ODOO(
                parts.hostname,
                protocol="jsonrpc+ssl" if secure else "jsonrpc",
                port=parts.port or (443 if secure else 80),
                timeout=self._access.timeout,
                version="14.0",
                opener=self._opener,
            )
        return self._odoo

    def _logged_in(self) -> odoorpc.ODOO:
        odoo = self._connected()
        if odoo._env is None:  # noqa: SLF001 (odoorpc has no public way to ask; `env` raises)
            odoo.login(self._access.database, self._access.user, self._access.key.reveal())
        return odoo

    def _refuse(self, refused: odoorpc.error.RPCError, model: str) -> NoReturn:
        """Turn odoorpc's error into ours; its `info` holds a traceback (`debug`) and is dropped."""
        name, said = _named(refused)
        status = _STATUS.get(
            name, HTTPStatus.NOT_FOUND if _is_no_model(name, said, model) else HTTPStatus.INTERNAL_SERVER_ERROR
        )
        if status == HTTPStatus.UNAUTHORIZED:
            self._odoo = None
        if status == HTTPStatus.NOT_FOUND:
            said = f"Object {model} does not exist"
        raise fault(status, name, said, model=model, access=self._access) from None

    def _down(self, broken: Exception, model: str) -> SourceError:
        """No answer of Odoo's: by its status if it had one. The connection is closed, odoorpc leaves it open."""
        self._heard.close()
        if isinstance(broken, urllib.error.HTTPError):
            broken.close()
            return fault(broken.code, "", "", model=model, access=self._access)
        return SourceDown(f"Odoo at {self._access.base} did not answer as Odoo does ({type(broken).__name__}).")


class _Hear(urllib.request.BaseHandler):
    """Passes the Date header of every answer on: odoorpc itself drops the headers."""

    handler_order = 0

    def __init__(self, server: ServerClock, clock: Clock, timeout: float) -> None:
        self._server = server
        self._clock, self._timeout = clock, timeout
        self._deadline = 0.0
        self._latest: http.client.HTTPResponse | None = None

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """From here on the time of the whole call is counted."""
        self._deadline = self._clock.monotonic() + self._timeout
        return request

    def http_response(
        self, _request: urllib.request.Request, response: http.client.HTTPResponse
    ) -> http.client.HTTPResponse:
        """Hear it and let the answer go on."""
        self._server.hear(response.headers.get("Date"))
        self._latest = response
        response.read = self._whole  # type: ignore[method-assign,assignment] # odoorpc reads it all, however long it takes
        return response

    def _whole(self) -> bytes:
        """The body, bounded: see answers.whole."""
        assert self._latest is not None  # noqa: S101 - it is the one that is read
        try:
            return whole(
                "Odoo", self._latest.read1, most=MOST_BYTES, late=lambda: self._clock.monotonic() > self._deadline
            )
        finally:
            self.close()

    def close(self) -> None:
        """Close the latest answer, which may have been left half read."""
        if self._latest is not None:
            self._latest.close()
            self._latest = None

    https_request, https_response = http_request, http_response


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: following it would carry the key to another host."""

    def redirect_request(  # noqa: PLR0917 (urllib's own signature)
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        """Never a new request."""
        _ = (req, fp, code, msg, headers, newurl)


def _is_no_model(name: str, said: str, model: str) -> bool:
    """`Object queue.job doesn't exist`, up to Odoo 18 in the language of the user (odoo/service/model.py)."""
    return "doesn't exist" in said or (name == "odoo.exceptions.UserError" and model in said)


def _named(refused: odoorpc.error.RPCError) -> tuple[str, str]:
    """(class name, message) of Odoo's error; a login with a wrong key has no class, odoorpc words it itself."""
    found = refused.info.get("data") if isinstance(refused.info, dict) else None
    if isinstance(found, dict):
        return str(found.get("name", "")), str(found.get("message", ""))
    return "odoo.exceptions.AccessDenied", str(refused)
