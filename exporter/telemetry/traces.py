"""Spans that were told, as rows for the outbox."""

from collections.abc import Iterable

from exporter.domain.told import Span
from exporter.telemetry import otlp


def rows(spans: Iterable[Span], resource: bytes) -> list[otlp.Row]:
    """One row per span, in their order; `resource` is the tenant's, encoded."""
    return [
        otlp.Row(
            signal="traces", context=otlp.place(resource, span.scope), body=otlp.encode_span(span), at=span.ended_at
        )
        for span in spans
    ]
