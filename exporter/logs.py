"""Our own log on stderr: one JSON object a line, whatever anybody puts into a message, and no secret in any of them."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from exporter.config import REDACTED, Secret

LONGEST = 8000  # characters of one field: Odoo answers whole tracebacks
SHORTEST_SECRET = 4  # masking every "a" would make the log unreadable and protect nothing
NOISY = ("odoorpc", "urllib3", "waitress.queue", "werkzeug")
# Tokens of which we keep digests alone: the listener logs an address when its client leaves before the answer.
_TOKEN = re.compile(r"(/hooks/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}/)[^\s\"'?#]+")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Outlet(Protocol):
    """Where lines go: a stream, or what stands before one."""

    def write(self, text: str, /) -> int:
        """Some lines."""

    def flush(self) -> None:
        """All of them, now."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of ASCII: control, bidi and ANSI characters arrive escaped.

    The values of the secrets are masked wherever they appear, also percent-encoded; so is what ends a hook's address.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        values = {secret.reveal() for secret in secrets if len(secret.reveal()) >= SHORTEST_SECRET}
        masked = values | {quote(value, safe="") for value in values}
        self._masked = sorted(masked, key=len, reverse=True)  # the longest first: one may contain another

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._clean(_message(record)),
        }
        extras = {key: value for key, value in record.__dict__.items() if key not in _OWN}
        fields |= {self._clean(key): self._plain(value) for key, value in extras.items()}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = self._clean(self.formatException(record.exc_info))
        return json.dumps(fields, allow_nan=False)  # ASCII from space to tilde, everything else is escaped

    def _plain(self, value: object) -> object:
        plain = value is None or isinstance(value, bool | int)
        return value if plain else self._clean(str(value))

    def _clean(self, text: str) -> str:
        for secret in self._masked:
            text = text.replace(secret, REDACTED)
        text = _TOKEN.sub(rf"\1{REDACTED}", text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text) - LONGEST} more)"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a message that does not fit its arguments is still a message
        return f"{record.msg} {record.args}"


def configure(level: str, secrets: Iterable[Secret], stream: Outlet = sys.stderr) -> None:
    """Send every log of this process, warnings included, through JsonLines to the stream."""
    outlet = logging.StreamHandler(stream)
    outlet.setFormatter(JsonLines(secrets))
    logging.basicConfig(level=level.upper(), handlers=[outlet], force=True)
    logging.captureWarnings(capture=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def again(level: str, secrets: Iterable[Secret]) -> None:
    """The same outlet with another level, and other secrets masked; no line is lost between the two."""
    root = logging.getLogger()
    lines = JsonLines(secrets)
    for outlet in root.handlers:
        outlet.setFormatter(lines)
    root.setLevel(level.upper())
