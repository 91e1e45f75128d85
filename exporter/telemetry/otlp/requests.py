"""Requests by concatenation: encoded rows are never encoded again, so a re-send is byte-identical.

The field numbers are the same in all signals: request 1 = a resource with its scopes; in it 1 = resource, 2 = a scope
with its records, 3 = schema URL; in that 1 = scope, 2 = a record, 3 = schema URL. A test holds every request against
opentelemetry-proto.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from exporter.telemetry.otlp.wire import delimited

Signal = Literal["traces", "logs", "metrics"]

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
_FIRST, _SECOND, _THIRD = b"\x0a", b"\x12", b"\x1a"  # tags of length-delimited fields 1, 2 and 3


class Row(Struct, frozen=True, kw_only=True, gc=False):
    """One encoded record for the outbox: a span, a log record or a metric, with its context and its time."""

    signal: Signal
    context: bytes
    body: bytes
    at: datetime


def context(resource: bytes, scope: bytes) -> bytes:
    """Encoded resource and scope as one blob, stored once for all rows that share it."""
    return len(resource).to_bytes(4, "big") + resource + scope


def split(place: bytes) -> tuple[bytes, bytes]:
    """The encoded resource and scope of a context."""
    end = 4 + int.from_bytes(place[:4], "big")
    return place[4:end], place[end:]


def request(signal: Signal, rows: Iterable[tuple[bytes, bytes]]) -> bytes:  # noqa: ARG001  all signals look the same
    """The Export...ServiceRequest of (context, encoded record) rows: one resource entry per context, in their order."""
    grouped: dict[bytes, list[bytes]] = {}
    for place, body in rows:
        grouped.setdefault(place, []).append(delimited(_SECOND, body))
    return b"".join([delimited(_FIRST, _entry(place, records)) for place, records in grouped.items()])


def _entry(place: bytes, records: Sequence[bytes]) -> bytes:
    resource, scope = split(place)
    scoped = b"".join((delimited(_FIRST, scope), *records, _SCHEMA))
    return delimited(_FIRST, resource) + delimited(_SECOND, scoped) + _SCHEMA


_SCHEMA = delimited(_THIRD, SCHEMA_URL.encode())
