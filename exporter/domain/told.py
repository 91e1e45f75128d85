"""What is said of a Run, before it is encoded: spans, log records, measurements, observations. All plain values.

Structs and not dataclasses: some twenty of them are made for every Run, and a Struct costs a quarter
(docs/decisions/0003-structs-for-told.md).
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from exporter.domain.runs import Attributes

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
Severity = Literal["info", "warn", "error"]
Labels = tuple[tuple[str, str], ...]


class SpanLink(Struct, frozen=True, kw_only=True, gc=False):
    """A link to another span: 16 and 8 bytes."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes = ()


class Span(Struct, frozen=True, kw_only=True, gc=False):
    """One finished span. `error` non-empty makes its status Error with that description, else it is Unset.

    Attributes:
        trace_id, span_id, parent_id: 16, 8 and 8 bytes (parent b"" for a root).
        scope: the instrumentation scope, the Source that saw it (`odoo/jobs`).
        started_at, ended_at: ended_at >= started_at (clamped and marked where clocks lied).
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes = b""
    name: str
    kind: SpanKind = "internal"
    scope: str
    started_at: datetime
    ended_at: datetime
    is_error: bool = False
    error: str = ""
    attributes: Attributes = ()
    links: tuple[SpanLink, ...] = ()


class LogRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One log event: `event_name` says which, `body` is one sentence, trace and span id may be b""."""

    event_name: str
    scope: str
    at: datetime
    observed_at: datetime
    severity: Severity = "info"
    body: str = ""
    attributes: Attributes = ()
    trace_id: bytes = b""
    span_id: bytes = b""


class Exemplar(Struct, frozen=True, kw_only=True, gc=False):
    """The span that a measurement came from: its ids in hex, as they are shown; one for all numbers of a Run."""

    trace_id: str
    span_id: str


class Measurement(Struct, frozen=True, kw_only=True, gc=False):
    """One number for one instrument of telemetry/metrics.py; the tenant's labels are added there.

    Attributes:
        name: the instrument's Prometheus name.
        labels: in the order of the instrument's table line.
        value: an integer in the instrument's unit: a count, or microseconds for instruments in seconds.
        at: when it happened; orders label admission, picks the newest gauge value and the exemplar.
    """

    name: str
    labels: Labels
    value: int
    at: datetime
    exemplar: Exemplar | None = None


class Observation(Struct, frozen=True, kw_only=True, gc=False):
    """One number of one Run, for the detectors; `series` says of what: `cron.duration/base.autovacuum_job`."""

    series: str
    run: str
    at: datetime
    value: float


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """Everything said at once."""

    spans: tuple[Span, ...] = ()
    logs: tuple[LogRecord, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    observations: tuple[Observation, ...] = ()
