"""A file or a stream of Odoo's log, handed to the running service: what it knows already is a no-op there.

Nothing waits for much longer than a second: what a living stream told goes when it falls silent, and while it talks on.
"""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse

from exporter.calling import call
from exporter.config import Secret
from exporter.errors import OdooOtelError
from exporter.sources.odoo.log_lines import LONGEST, parse, records
from exporter.telemetry import otlp

TOGETHER = 500  # records in one request
ROOM = 768 * 1024  # characters in one request: the service takes 4 MiB, and a character may have four bytes
PATIENCE = 1.0  # seconds that a record waits for others
MOMENT = len("2026-11-25 12:00:00,000")
TIMEOUT = 30.0  # seconds
OTLP = "application/x-protobuf"
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between two tries
_AGAIN = frozenset({408, 429})  # with every 5xx: the same request may succeed later
Post = Callable[[list[str]], int]
"""Hands records over; how many of them were not taken. Raises NotTaken."""


class NotTaken(OdooOtelError):
    """The service did not take what it was handed; the text says what to change."""


class Away(NotTaken):
    """Nobody is there, or has room: the same records may be taken later."""


@dataclass(slots=True)
class Shipped:
    """What became of a log: lines read, records in them that say something, records nobody took."""

    lines: int = 0
    told: int = 0
    rejected: int = 0


@dataclass(slots=True, kw_only=True)
class Shipping:
    """Hands everything that says something to `post`.

    Attributes:
        progress: told after each request what became of the log so far.
        monotonic: seconds that never go back.
    """

    post: Post
    progress: Callable[[Shipped], None]
    monotonic: Callable[[], float]
    found: Shipped = field(default_factory=Shipped)
    _waiting: list[str] = field(default_factory=list)
    _size: int = 0
    _since: float = 0.0

    def ship(self, bursts: Iterable[Iterable[str]]) -> Shipped:
        """Lines in bursts: behind each of them there was silence, or the end, so its last record is whole."""
        for burst in bursts:
            for record in records(self._counted(burst)):
                if self._is_due(record):
                    self._send()
                if parse(record) is not None:
                    self._take(record)
            self._send()
        self.progress(self.found)
        return self.found

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.found.lines += 1
            yield line

    def _take(self, record: str) -> None:
        if not self._waiting:
            self._since = self.monotonic()
        self._waiting.append(record[:LONGEST])
        self._size += len(self._waiting[-1])
        self.found.told += 1

    def _is_due(self, coming: str) -> bool:
        """Whether what waits goes before the next record: equal records of one moment are told apart in a request."""
        if not self._waiting or coming[:MOMENT] == self._waiting[-1][:MOMENT]:
            return self._size >= ROOM
        full = len(self._waiting) >= TOGETHER or self._size >= ROOM // 2
        return full or self.monotonic() - self._since >= PATIENCE

    def _send(self) -> None:
        if self._waiting:
            self.found.rejected += self.post(self._waiting)
            self._waiting, self._size = [], 0
            self.progress(self.found)


def patient(post: Post, sleep: Callable[[float], None], say: Callable[[str], None]) -> Post:
    """Tries until it is taken, ever more seldom: whoever writes the stream waits meanwhile. Said once an absence."""

    def again(texts: list[str]) -> int:
        wait = FIRST_WAIT
        while True:
            try:
                return post(texts)
            except Away as error:
                if wait == FIRST_WAIT:
                    say(f"{error} Trying again until it is taken.")
            sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    return again


def poster(url: str, token: Secret, database: str) -> Post:
    """What posts records to `/v1/logs` of a service."""

    def post(texts: list[str]) -> int:
        request = urllib.request.Request(  # noqa: S310 - the operator's own address
            f"{url}/v1/logs",
            data=otlp.encode_lines(texts, database),
            headers={"Authorization": f"Bearer {token.reveal()}", "Content-Type": OTLP},
        )
        try:
            with call(request, TIMEOUT) as answer:
                return _rejected(url, answer)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refused(url, error.code) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Away(f"{url} does not answer ({reason}): start `odoo-otel run`, or say --intake.") from error

    return post


def _refused(url: str, status: int) -> NotTaken:
    if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Away(f"{url} answered {status}: it takes nothing now, its log says why.")
    if status == HTTPStatus.UNAUTHORIZED:
        return NotTaken(f"{url} answered {status}: say its --state, or a good ODOO_OTEL_LOGS_TOKEN.")
    return NotTaken(f"{url} answered {status}: say the address of `odoo-otel run` with --intake.")


def _rejected(url: str, answer: HTTPResponse) -> int:
    """How many the answer says were not taken; an empty one says so only where it is the service's own."""
    raw, kind = answer.read(), answer.headers.get_content_type()
    if answer.status != HTTPStatus.OK or kind != OTLP:
        raise NotTaken(f"{url} gave an answer that is not one of `odoo-otel run`: say its address with --intake.")
    try:
        return otlp.rejected_logs(raw)
    except ValueError as error:
        raise NotTaken(f"{url} gave an answer that is no OTLP: say the address of `odoo-otel run`.") from error
