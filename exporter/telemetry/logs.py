"""Log records that were told, as rows for the outbox."""

from collections.abc import Iterable

from exporter.domain.told import LogRecord
from exporter.telemetry import otlp


def rows(logs: Iterable[LogRecord], resource: bytes) -> list[otlp.Row]:
    """One row per log record, in their order; `resource` is the tenant's, encoded."""
    return [
        otlp.Row(signal="logs", context=otlp.place(resource, log.scope), body=otlp.encode_log(log), at=log.at)
        for log in logs
    ]
