"""Where telemetry leaves: what a Sink promises, and what a server's answer means (a value, never an exception)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exporter.telemetry.otlp import Signal

Row = tuple[bytes, bytes]
"""(context, body): the encoded resource and scope, and one encoded span, log record or metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The server has them. `rejected` of them it threw away and said so (partial success): never sent again."""

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Nothing is known to have arrived; the same rows may work later.

    Attributes:
        reason: the error's type, of few values (`timeout`, `http_503`): a metric label.
        after: seconds the server asked us to wait, if it did (already capped).
        detail: one line for the log, printable and short.
    """

    reason: str
    after: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisect:
    """The server refuses this request as it is, for its size or for something in it: halve it."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The server refuses these very rows for good; halving cannot help."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """The server is not the one we think, or does not know us: keep everything, say so, look again later."""

    reason: str
    detail: str = ""


ExportResult = Delivered | Retry | Bisect | Rejected | Misconfigured


class Sink(Protocol):
    """A way out. Calls for different signals may come from different threads; for one signal from one."""

    def export(self, signal: Signal, rows: Sequence[Row]) -> ExportResult:
        """Send the rows in one request and say what became of them; raises nothing that a server can cause."""

    def close(self) -> None:
        """Give connections back; a request in flight ends as Retry."""
