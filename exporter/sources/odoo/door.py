"""The one face of Odoo: two doors (json2.py, session.py) with the same calls and the same errors. It only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from exporter.domain.redact import REDACTED, Secret, mask
from exporter.errors import BadRecord, ConfigError, SourceDown, SourceError, SourceRefused

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]
Row = Mapping[str, JSON]
Domain = Sequence[JSON]

# Every method we may ever call: none of them writes. Both doors refuse any other before a byte leaves.
READS = frozenset({"search_read", "search", "search_count", "read", "fields_get", "context_get", "get_metadata"})


class Missing(SourceDown):
    """One model cannot be read by this user: that part is missing, not the rest."""


class NotInstalled(Missing):
    """The model does not exist in this database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where one Odoo database is and who reads it.

    Attributes:
        url: `https://odoo.example.com` or with a port; no path, no user.
        timeout: seconds one call may take in all.
    """

    url: str
    database: str
    user: str
    key: Secret
    timeout: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be an Odoo address, with every fault at once (ConfigError)."""
        faults = list(_faults(self))
        if faults:
            raise ConfigError(faults)

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.url.rstrip("/")


class Door(Protocol):
    """Reading one Odoo database. Every call raises SourceDown, Missing or BadRecord and nothing else."""

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """Call one method of READS by named arguments; `ids` names the records of a record method."""

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """Rows with bare ids for many2one (`load=None`), datetimes as `YYYY-MM-DD HH:MM:SS` in UTC, False for empty."""

    def server_time(self) -> datetime:
        """The server's clock now: the last Date header plus the time since it came, so never later than the truth."""

    def version(self) -> tuple[int, int]:
        """(19, 0): the server's own answer."""


def require_read(model: str, method: str) -> None:
    """Raise BadRecord for a method that is not in READS: the exporter never writes to Odoo."""
    if method not in READS:
        message = f"{model}.{method} is not a reading call and was not sent: the exporter never writes to Odoo."
        raise BadRecord(message)


def search_arguments(domain: Domain, fields: Sequence[str], order: str, limit: int | None) -> dict[str, JSON]:
    """The named arguments of search_read, the same through both doors."""
    asked: dict[str, JSON] = {"domain": list(domain), "fields": list(fields), "order": order, "load": None}
    return asked if limit is None else asked | {"limit": limit}


def rows_of(answer: JSON, model: str) -> list[Row]:
    """The answer of search_read or read as rows; BadRecord when it is anything else."""
    if isinstance(answer, list) and all(isinstance(row, dict) for row in answer):
        return answer
    message = f"Odoo answered {type(answer).__name__} where rows of {model} were asked: is this really Odoo?"
    raise BadRecord(message)


def fault(status: int, name: str, said: str, *, model: str, access: Access) -> SourceError:
    """The error for what Odoo answered: one sentence that says what to change; never its traceback.

    Args:
        status: HTTP status, or the one JSON-2 would have given.
        name: the Python class Odoo names, empty when the body was not Odoo's JSON.
        said: Odoo's message; masked before it is shown.
        model: what was asked for.
        access: whose door it is.
    """
    said = said.replace(access.key.reveal(), REDACTED)  # a server may echo what it was sent
    if status == HTTPStatus.UNAUTHORIZED:
        return SourceRefused(f"Odoo refused the API key of {access.user}: make a new one (they last 3 months at most).")
    if status == HTTPStatus.FORBIDDEN:
        return _forbidden(name, model, access)
    if status == HTTPStatus.NOT_FOUND:
        return _not_found(name, said, model, access)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return SourceDown("Odoo redirects: put the address it redirects to (https, host, port) into the URL.")
    detail = f" ({mask(f'{name}: {said}' if name else said, 160)})" if name or said else ""
    return SourceDown(f"Odoo answered {status} to a read of {model}{detail}.")


def _forbidden(name: str, model: str, access: Access) -> SourceError:
    if name.endswith("AccessError"):
        return Missing(
            f"{access.user} may not read {model}: give this user the read-only group (odoo-otel odoo-access)."
        )
    return SourceRefused(f"Something before Odoo forbids reading {model} (403): let the exporter's address through.")


def _not_found(name: str, said: str, model: str, access: Access) -> SourceError:
    if "does not exist" in said and "method" not in said.lower():
        return NotInstalled(
            f"{model} does not exist in {access.database}: install the module that brings it, or leave it."
        )
    if name:
        return SourceDown(f"Odoo does not know the call on {model}: {mask(said, 120)}.")
    return SourceDown(f"There is no Odoo database {access.database} at this address: check URL and database.")


def _faults(access: Access) -> Sequence[str]:
    try:
        parts = urlsplit(access.url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        return ["The Odoo URL cannot be read: write it like https://odoo.example.com."]
    wrong: Mapping[str, bool] = {
        "The Odoo URL must begin with http:// or https:// and name a host.": parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not port_ok,
        "The Odoo URL must not hold a user or password: use the user and API key settings.": "@" in parts.netloc,
        "The Odoo URL must end after host and port: remove its path.": parts.path.strip("/") != "" or bool(parts.query),
        "The Odoo database is empty.": not access.database,
        "The Odoo user is empty.": not access.user,
        "The Odoo API key is empty.": not access.key,
        "The Odoo timeout must be above 0 seconds.": not access.timeout > 0,
    }
    return [sentence for sentence, holds in wrong.items() if holds]
