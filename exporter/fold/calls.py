"""Webhooks that Odoo itself calls, as its log tells of them: one line, one Run.

Odoo waits one second, never retries and names no record (facts/odoo.md section 3): so a call that timed out is
`unknown`, one that was cancelled by a rollback was never sent, and none of them joins a record's trace.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import LogWritten
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import BAD, Attributes, Failure, Result, Run, known
from exporter.domain.sources import CRONS
from exporter.fold.cron_lines import LOG, ROWS
from exporter.fold.subjects import Cut, Flow, Kind

OUT, IN = "odoo-out", "odoo-in"
# What a line makes of a call. `webhook.called` begins what another line ends: it tells nothing by itself.
RESULTS: Mapping[str, Result] = {
    "webhook.succeeded": "success",
    "webhook.failed": "failure",
    "webhook.cancelled": "cancellation",
}


class CallMemory(Struct, frozen=True, kw_only=True, gc=False):
    """That it was told."""

    told: bool = False


def subject_of(event: Event) -> str:
    """The Subject of a line that tells of a call; "" for others."""
    body = event.body
    return f"call/{event.key}" if isinstance(body, LogWritten) and body.says in RESULTS else ""


def cut(facts: Sequence[Event], memory: CallMemory, until: datetime, flow: Flow) -> Cut[CallMemory]:
    """A line is complete: it is told at once, and once; not from ir.logging where the log itself tells it."""
    del until
    doubled = LOG in flow.witnesses and bool(facts) and facts[0].source == ROWS
    if memory.told or not facts or doubled:
        return Cut(closed=(), open=None, facts=(), memory=memory)
    return Cut(closed=(_run(facts[0], flow),), open=None, facts=(), memory=CallMemory(told=True))


def _run(event: Event, flow: Flow) -> Run:
    body = event.body
    assert isinstance(body, LogWritten)  # noqa: S101 - route sends no others
    result = body.result or RESULTS[body.says]
    name = event.key.rpartition("0/")[2]
    return Run(
        kind="call",
        workflow=OUT,
        subject=f"call/{event.key}",
        model=f"webhook.{OUT}",
        record_id=name,
        key="1",
        trace_key="1",
        title=f"Webhook of Odoo to {body.host}" if body.host else "Webhook of Odoo",
        started_at=event.at,
        ended_at=event.at,
        result=result,
        failure=_failure(body) if result in BAD else None,
        origin="live" if flow.is_live(event.at) else "history",
        attributes=_attributes(body),
    )


def _failure(body: LogWritten) -> Failure:
    return failure(body.error_type or "_OTHER", body.error)


def _attributes(body: LogWritten) -> Attributes:
    found: dict[str, str | int | None] = {
        "http.request.method": "POST",
        "server.address": body.host or None,
        "process.pid": body.pid or None,
    }
    return known(found)


def late(event: Event, memory: CallMemory) -> str | None:
    """The same line again."""
    del event
    return "" if memory.told else None


KIND = Kind(
    name="call",
    source=CRONS,
    settle=timedelta(0),
    memory=CallMemory,
    cut=cut,
    late=late,
)
