"""The one exit: Events to the exporter's intake, with a token of our own (decision 0016)."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException

import msgspec

from exporter.calling import call
from exporter.config import Secret
from exporter.domain.events import Event
from exporter.errors import ConfigError, Refused, SourceDown

PATH = "/v1/events"
TIMEOUT = 10.0  # seconds
_TOO_LONG = 2_000  # characters of an answer that are worth repeating
_AGAIN = frozenset({401, 408, 429})  # with every 5xx: the same request may succeed later


@dataclass(slots=True, kw_only=True)
class Intake:
    """Where the Events go.

    Attributes:
        url: address of the exporter's second listener, `http://127.0.0.1:9465`.
        token: makes one for us, whose digest the exporter finds in its state folder; raises ConfigError.
    """

    url: str
    token: Callable[[], Secret]
    _ours: Secret | None = None

    def post(self, tenant: str, events: Sequence[Event]) -> int:
        """Make the Events durable; how many of them were new.

        Raises:
            SourceDown: the exporter is away, busy, or does not take our token: try again later.
            Refused: it will never take these Events.
        """
        rows = [{"tenant": tenant, "key": one.key, "name": one.name, "at": one.at, "body": one.body} for one in events]
        request = urllib.request.Request(  # noqa: S310 - the operator says which address
            self.url.rstrip("/") + PATH, data=msgspec.json.encode(rows), headers=self._headers(), method="POST"
        )
        try:
            with call(request, TIMEOUT) as answer:
                return int(json.load(answer)["appended"])
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.UNAUTHORIZED:
                self._ours = None  # it was revoked, or pushed out by newer ones: the next request has another
            raise _meaning(error) from error
        except (
            OSError,
            HTTPException,
            ValueError,
            KeyError,
            TypeError,
        ) as error:  # nobody listens, or it is not the intake that answered
            raise SourceDown(f"{self.url} does not answer as the intake does: {error}") from error

    def _headers(self) -> dict[str, str]:
        try:
            self._ours = self._ours or self.token()
        except ConfigError as error:
            raise SourceDown(" ".join(error.faults)) from error
        return {"Authorization": f"Bearer {self._ours.reveal()}", "Content-Type": "application/json"}


def _meaning(error: urllib.error.HTTPError) -> SourceDown | Refused:
    with error:
        said = error.read(_TOO_LONG).decode(errors="replace").strip()
    redirected = error.code < HTTPStatus.BAD_REQUEST  # who answers is not the intake
    if redirected or error.code in _AGAIN or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SourceDown(f"the intake answered {error.code}: {said}")
    return Refused(error.code, said)
