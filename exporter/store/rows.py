"""Rows that both the loops and the Reader make into values."""

from collections.abc import Callable
from typing import Any

import msgspec

from exporter.domain.times import from_micros
from exporter.domain.told import Labels
from exporter.store.entries import RunRow, TotalRow

RUN_COLUMNS = "id, kind, workflow, subject, trace_id, started_at, ended_at, result, origin, body"
Query = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
_decode_labels = msgspec.json.Decoder(Labels).decode


def run_row(row: tuple[Any, ...]) -> RunRow:
    """A Run from its RUN_COLUMNS."""
    name, kind, workflow, subject, trace_id, started, ended, result, origin, body = row
    return RunRow(
        id=name,
        kind=kind,
        workflow=workflow,
        subject=subject,
        trace_id=trace_id,
        started_at=from_micros(started),
        ended_at=None if ended is None else from_micros(ended),
        result=result,
        origin=origin,
        body=body,
    )


def total_rows(query: Query, tenant: str) -> list[TotalRow]:
    """Every series of the tenant, ordered by name and labels."""
    found = query("SELECT name, labels, state FROM totals WHERE tenant = ? ORDER BY name, labels", (tenant,))
    return [TotalRow(name=name, labels=_decode_labels(labels), state=state) for name, labels, state in found]
