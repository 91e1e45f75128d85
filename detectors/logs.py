"""The log of the detectors on stderr: one JSON object a line."""

import json
import logging
import sys
from datetime import UTC, datetime

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one line of ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {key: value for key, value in record.__dict__.items() if key not in _OWN}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure(level: str) -> None:
    """Send every log of this process, warnings included, through JsonLines to stderr."""
    outlet = logging.StreamHandler(sys.stderr)
    outlet.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[outlet], force=True)
    logging.captureWarnings(capture=True)
