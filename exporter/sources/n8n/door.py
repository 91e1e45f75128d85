"""The door to n8n: GETs of its public REST API and nothing else (facts/n8n.md section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol, TypeVar

import msgspec
import requests
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TimeoutError_

from exporter.clock import Clock, SystemClock
from exporter.domain.redact import Secret
from exporter.errors import BadRecord, SourceDown, SourceRefused
from exporter.sources.answers import Overdue, Overlong, whole
from exporter.sources.n8n.rows import Detail, Page, Workflows
from exporter.sources.server_clock import ServerClock

PAGE = 250  # executions asked for at once; n8n caps more without a word
NAME_PAGES = 20  # of workflows, for their names: 5,000
MOST_BYTES = 32 * 2**20
REST = 30.0  # seconds for which n8n is not asked after it let us wait in vain: Odoo's polls wait meanwhile
_SCOPES = "execution:read, execution:list, workflow:read and workflow:list"
Found = TypeVar("Found")


class TooMuch(SourceDown):
    """One execution's data cannot be had: n8n failed on it, or it is too large."""


class Unsupported(SourceDown):
    """This n8n does not know what it was asked (400)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class N8nAccess:
    """Where n8n is and with which key it is read; `timeout` in seconds, of one call in all."""

    url: str
    key: Secret
    timeout: float = 5.0

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.url.rstrip("/")


class N8nDoor(Protocol):
    """Reading one n8n. Every call raises SourceDown (Unsupported, TooMuch) or BadRecord and nothing else."""

    def executions(self, status: str = "", cursor: str = "") -> Page:
        """One page of executions, newest first; without a status running ones are absent."""

    def execution(self, number: int, *, whole: bool = False, data: bool = True) -> Detail | None:
        """One execution, redacted unless `whole`, with or without what its nodes did; None where it is gone."""

    def workflows(self) -> Mapping[str, str]:
        """The names of workflows by id."""

    def server_time(self) -> datetime:
        """n8n's clock as its answers show it, never later than the truth; ours before the first answer."""


class RestDoor:
    """One requests.Session; one call in flight; no redirects, no proxies from the environment, a deadline a call."""

    def __init__(self, access: N8nAccess, clock: Clock | None = None) -> None:
        """Make the session; nothing is sent yet."""
        self._access = access
        self._clock = clock or SystemClock()
        self._server = ServerClock(self._clock)
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["User-Agent"] = "odoo-otel-exporter"
        self._resting: tuple[float, str] = (0.0, "")

    def executions(self, status: str = "", cursor: str = "") -> Page:
        """See N8nDoor."""
        asked = {"limit": str(PAGE)} | ({"status": status} if status else {}) | ({"cursor": cursor} if cursor else {})
        return decode(self._get("/executions", asked), Page)

    def execution(self, number: int, *, whole: bool = False, data: bool = True) -> Detail | None:
        """See N8nDoor."""
        asked = {"includeData": "true"} if data else {}
        asked |= {} if whole else {"redactExecutionData": "true"}
        code, raw = self._send(f"/executions/{number}", asked)
        if code == HTTPStatus.NOT_FOUND:
            return None
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TooMuch(f"n8n answered {code} to a read of execution {number}: look into its log.")
        return decode(self._checked(code, raw), Detail)

    def workflows(self) -> Mapping[str, str]:
        """See N8nDoor."""
        found: dict[str, str] = {}
        cursor: str | None = ""
        for _ in range(NAME_PAGES):
            asked = {"limit": str(PAGE), "excludePinnedData": "true"} | ({"cursor": cursor} if cursor else {})
            page = decode(self._get("/workflows", asked), Workflows)
            found |= {str(one.id): one.name for one in page.data}
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def server_time(self) -> datetime:
        """See N8nDoor."""
        return self._server.now() if self._server.heard else self._clock.now()

    def _get(self, path: str, asked: Mapping[str, str]) -> bytes:
        return self._checked(*self._send(path, asked))

    def _checked(self, code: int, raw: bytes) -> bytes:
        if code != HTTPStatus.OK:
            raise _fault(code)
        return raw

    def _send(self, path: str, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body; SourceDown when no whole answer came within the deadline."""
        now = self._clock.monotonic()
        until, said = self._resting
        if now < until:
            raise SourceDown(said)
        try:
            with self._http.get(
                f"{self._access.base}/api/v1{path}",
                params=asked,
                headers={"X-N8N-API-KEY": self._access.key.reveal()},
                timeout=self._access.timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                raw = self._read(answer, now + self._access.timeout)
                self._server.hear(answer.headers.get("Date"))
                return answer.status_code, raw
        except (requests.RequestException, HTTPError) as broken:
            # `from None`: requests' own message can hold the address and header values.
            said = f"n8n at {self._access.base} did not answer ({type(broken).__name__})."
            if isinstance(broken, requests.Timeout | TimeoutError_):
                self._rest(said)
            raise SourceDown(said) from None

    def _rest(self, said: str) -> None:
        self._resting = (self._clock.monotonic() + REST, said)

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        def read1(amount: int) -> bytes:
            return answer.raw.read1(amount, decode_content=True)

        try:
            return whole("n8n", read1, most=MOST_BYTES, late=lambda: self._clock.monotonic() > deadline)
        except Overlong as found:
            raise TooMuch(str(found)) from None
        except Overdue as found:
            self._rest(str(found))
            raise


def _fault(code: int) -> SourceDown:
    """The error for a status: one sentence that says what to change; n8n's own words are not shown."""
    if code == HTTPStatus.UNAUTHORIZED:
        return SourceRefused(f"n8n refused the API key: make one with {_SCOPES}.")
    if code == HTTPStatus.FORBIDDEN:
        return SourceRefused(f"The API key may not read n8n's executions: give it {_SCOPES}.")
    if code == HTTPStatus.NOT_FOUND:
        return SourceDown("There is no public API of n8n there: check its URL, and N8N_PUBLIC_API_DISABLED.")
    if code == HTTPStatus.BAD_REQUEST:
        return Unsupported("n8n does not know what it was asked (400): 2.x is known to answer it.")
    if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        return SourceDown("n8n redirects: put the address it redirects to (https, host, port) into its URL.")
    return SourceDown(f"n8n answered {code}.")


def decode(raw: bytes, wanted: type[Found]) -> Found:
    """An answer's body as what it should be; BadRecord when it is not, with the place and without any value."""
    try:
        raw.decode()  # what is kept raw is not looked at by msgspec
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        said = f"n8n answered what its API does not promise ({error}): is there something before it?"
        raise BadRecord(said[:300]) from None
