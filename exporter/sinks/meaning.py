"""What both ways out share: what an answer is an answer to, and what it means when the rows are taken or refused."""

from dataclasses import dataclass
from datetime import datetime

from exporter.sinks import Bisect, Delivered, ExportResult, Rejected, Retry
from exporter.telemetry import otlp
from exporter.telemetry.otlp import Signal

BODY_LIMIT = 64 * 1024  # an answer is some bytes; whoever sends more is not an OTLP server
LONGEST_AFTER = 300.0  # a server that asks for more seconds of patience is asked again earlier
DETAIL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the answer is an answer to."""

    signal: Signal
    rows: int
    at: datetime


def accepted(body: bytes, asked: Asked, status: str) -> ExportResult:
    """Only a body that is an OTLP response makes a success true; `status` is how it was said."""
    try:
        rejected, message = otlp.partial_success(asked.signal, body)
    except ValueError:
        return Retry(reason="garbage", detail=f"{status} with a body that is not an OTLP answer")
    return Delivered(rejected=min(max(rejected, 0), asked.rows), message=line(message))


def refused(reason: str, detail: str, asked: Asked) -> ExportResult:
    """Something in it is wrong: search by halves for the row, which is then refused for good."""
    kind = Bisect if asked.rows > 1 else Rejected
    return kind(reason=reason, detail=detail)


def line(text: str) -> str:
    """One short printable line: a server's words go into logs."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:DETAIL]
