"""The door of Odoo 19 and later: `POST /json/2/<model>/<method>` with a bearer key (facts/odoo.md section 6)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus

import msgspec
import requests
from urllib3.exceptions import HTTPError

from exporter.clock import Clock, SystemClock
from exporter.errors import SourceDown
from exporter.sources.answers import whole
from exporter.sources.odoo.door import JSON, Access, Domain, Row, fault, require_read, rows_of, search_arguments
from exporter.sources.server_clock import ServerClock

MOST_BYTES = 64 * 2**20


class Json2Door:
    """One requests.Session; one call in flight; no redirects, no proxies from the environment, a deadline a call."""

    def __init__(self, access: Access, clock: Clock | None = None) -> None:
        """Make the session; nothing is sent yet."""
        self._access = access
        self._clock = clock or SystemClock()
        self._server = ServerClock(self._clock)
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers.update({"X-Odoo-Database": access.database, "User-Agent": "odoo-otel-exporter"})

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """See Door."""
        require_read(model, method)
        status, raw = self._send("POST", f"/json/2/{model}/{method}", named)
        if status == HTTPStatus.OK:
            return _decode(raw)
        name, said = _odoo_error(raw)
        raise fault(status, name, said, model=model, access=self._access)

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """See Door."""
        return rows_of(self.call(model, "search_read", **search_arguments(domain, fields, order, limit)), model)

    def server_time(self) -> datetime:
        """See Door; asks /web/version once when no answer came yet."""
        if not self._server.heard:
            self.version()
        return self._server.now()

    def version(self) -> tuple[int, int]:
        """See Door."""
        status, raw = self._send("GET", "/web/version", None)
        if status != HTTPStatus.OK:
            raise fault(status, "", "", model="/web/version", access=self._access)
        return version_of(_decode(raw))

    def _send(self, verb: str, path: str, body: dict[str, JSON] | None) -> tuple[int, bytes]:
        """Status and body; SourceDown when no whole answer came within the deadline."""
        deadline = self._clock.monotonic() + self._access.timeout
        # The key is set per call and not on the session: /web/version needs none and must not get it.
        headers = {} if body is None else {"Authorization": f"bearer {self._access.key.reveal()}"}
        try:
            with self._http.request(
                verb,
                self._access.base + path,
                json=body,
                headers=headers,
                timeout=self._access.timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                raw = whole("Odoo", _reader(answer), most=MOST_BYTES, late=lambda: self._clock.monotonic() > deadline)
                self._server.hear(answer.headers.get("Date"))
                return answer.status_code, raw
        except (requests.RequestException, HTTPError) as broken:
            # `from None`: requests' own message can hold the address and header values.
            raise SourceDown(f"Odoo at {self._access.base} did not answer ({type(broken).__name__}).") from None


def _reader(answer: requests.Response) -> Callable[[int], bytes]:
    """Reads what has come, unpacked."""
    return lambda amount: answer.raw.read1(amount, decode_content=True)


def version_of(answer: JSON) -> tuple[int, int]:
    """(major, minor) from Odoo's version_info; SourceDown when it is something else. `saas~18.2` counts as 18.2."""
    found = answer.get("version_info") or answer.get("server_version_info") if isinstance(answer, dict) else None
    match found:
        case [int() | str() as major, int() as minor, *_] if (digits := str(major).rpartition("~")[2]).isdigit():
            return int(digits), minor
    raise SourceDown("What answers at the Odoo URL is not Odoo: check the address.")


def _decode(raw: bytes) -> JSON:
    try:
        return msgspec.json.decode(raw)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SourceDown(
            "Odoo answered 200 with something that is not JSON: is there a login page before it?"
        ) from None


def _odoo_error(raw: bytes) -> tuple[str, str]:
    """Name and message of Odoo's error body, ("", "") for HTML and the like; `debug` (a traceback) is dropped here."""
    try:
        found = msgspec.json.decode(raw, type=_OdooError)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "", ""
    return found.name, found.message


class _OdooError(msgspec.Struct):
    name: str
    message: str = ""
