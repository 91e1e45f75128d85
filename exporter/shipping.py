"""A file or a stream of Odoo's log, handed to the running service: what it knows already is a no-op there."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse

from exporter.calling import call
from exporter.config import Secret
from exporter.errors import OdooOtelError
from exporter.sources.odoo.log_lines import parse, records
from exporter.telemetry import otlp

TOGETHER = 500  # records in one request
TIMEOUT = 30.0  # seconds
OTLP = "application/x-protobuf"


class NotTaken(OdooOtelError):
    """The service did not take what it was handed; the text says what to change."""


@dataclass(slots=True)
class Shipped:
    """What became of a log: lines read, records in them that say something, records nobody took."""

    lines: int = 0
    told: int = 0
    rejected: int = 0


def ship(lines: Iterable[str], post: Callable[[list[str]], int], progress: Callable[[Shipped], None]) -> Shipped:
    """Hand everything that says something to `post`, which tells how many it did not take."""
    found = Shipped()
    waiting: list[str] = []
    for record in records(_counted(lines, found)):
        if parse(record) is None:
            continue
        waiting.append(record)
        found.told += 1
        if len(waiting) == TOGETHER:
            found.rejected += post(waiting)
            waiting = []
            progress(found)
    if waiting:
        found.rejected += post(waiting)
    progress(found)
    return found


def _counted(lines: Iterable[str], found: Shipped) -> Iterator[str]:
    for line in lines:
        found.lines += 1
        yield line


def poster(url: str, token: Secret, database: str) -> Callable[[list[str]], int]:
    """What posts records to `/v1/logs` of a service. Raises NotTaken."""

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
            raise NotTaken(f"{url} answered {error.code}: say its --state, or a good ODOO_OTEL_LOGS_TOKEN.") from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NotTaken(f"{url} does not answer ({reason}): start `odoo-otel run`, or say --intake.") from error

    return post


def _rejected(url: str, answer: HTTPResponse) -> int:
    """How many the answer says were not taken; an empty one says so only where it is the service's own."""
    raw, kind = answer.read(), answer.headers.get_content_type()
    if answer.status != HTTPStatus.OK or kind != OTLP:
        raise NotTaken(f"{url} gave an answer that is not one of `odoo-otel run`: say its address with --intake.")
    try:
        return otlp.rejected_logs(raw)
    except ValueError as error:
        raise NotTaken(f"{url} gave an answer that is no OTLP: say the address of `odoo-otel run`.") from error
