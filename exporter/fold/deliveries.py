"""Deliveries: what reached our intake, one Run each; several that name one run of the sender's tell of one Run.

A delivery that stands alone is complete when it came. One of several waits, as the others may still be under way, and
so does one that names a record which nobody knows yet (docs/decisions/0006): until Odoo was read later than its end.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.bodies import WebhookReceived
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import BAD, Attributes, Failure, Result, Run, Step, known
from exporter.domain.sources import DOCUMENTS
from exporter.fold.integrations import slowness
from exporter.fold.joining import asked, joined, unresolved
from exporter.fold.subjects import Cut, Flow, Kind

MOST = 200  # deliveries remembered of a run that goes on: some are said to go on for ever, every minute
KEY = "1"  # a Subject is one run of the sender's: it has one Run


class DeliveryMemory(Struct, frozen=True, kw_only=True, gc=False):
    """That the Run was told, and how it ended."""

    told: bool = False
    result: Result | None = None


def subject_of(body: WebhookReceived) -> str:
    """The Subject of a delivery: the run it tells of, else itself."""
    return f"delivery/{body.hook}/{body.run or body.delivery}"


def asks(facts: Iterable[Event]) -> Iterable[str]:
    """Link keys of the records that deliveries name."""
    return (
        link for event in facts if isinstance(event.body, WebhookReceived) for link in asked(event.body.correlation)
    )


def cut(facts: Sequence[Event], memory: DeliveryMemory, until: datetime, flow: Flow) -> Cut[DeliveryMemory]:
    """Close the Run when one of its deliveries says how it ended and nothing is waited for any more."""
    seen = [event for event in facts if isinstance(event.body, WebhookReceived)]
    if not seen or memory.told:
        return Cut(closed=(), open=None, facts=(), memory=memory)
    end = _end(seen)
    run = _run(seen, flow, end)
    if end is None:
        return Cut(closed=(), open=run, facts=(*seen[:1], *seen[1:][-MOST:]), memory=memory)
    waits = _body(seen[0]).run or unresolved(_correlation(seen), flow)
    if waits and end > until and flow.hears(DOCUMENTS):
        return Cut(closed=(), open=run, facts=tuple(seen), memory=memory, ready_at=end)
    return Cut(closed=(run,), open=None, facts=(), memory=DeliveryMemory(told=True, result=run.result))


def _body(event: Event) -> WebhookReceived:
    assert isinstance(event.body, WebhookReceived)  # noqa: S101 - cut keeps no others
    return event.body


def _end(seen: Sequence[Event]) -> datetime | None:
    """When the last delivery with a result says it ended; None while none has one."""
    return max((event.at for event in seen if _body(event).result is not None), default=None)


def _correlation(seen: Sequence[Event]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(link for event in seen for link in _body(event).correlation))


def _run(seen: Sequence[Event], flow: Flow, end: datetime | None) -> Run:
    last = _body(next((event for event in reversed(seen) if _body(event).result is not None), seen[-1]))
    first = flow.tenant.first_start
    start = min(_began(event) for event in seen)
    body = _body(seen[0])
    record = joined(_correlation(seen), flow)
    caller = next((of.traceparent for event in seen if (of := _body(event)).traceparent), "")
    return Run(
        kind="delivery",
        workflow=body.hook,
        subject=subject_of(body),
        model=f"webhook.{body.hook}",
        record_id=body.run or body.delivery,
        key=KEY,
        trace_key=KEY,
        title=f"{body.hook} {last.kind or last.delivery}",
        started_at=min(start, end) if end else start,
        ended_at=end,
        result=last.result if end else None,
        failure=_failure(last),
        origin="history" if end is not None and first is not None and end < first else "live",
        steps=tuple(_step(event) for event in seen) if body.run else (),
        attributes=_attributes(seen, last, flow),
        state="" if end else (last.status or "open"),
        since=None if end else start,
        links=(record,) if record and caller else (),
        joins=record,
        traceparent=caller,
    )


def _began(event: Event) -> datetime:
    return min(_body(event).started_at or event.at, event.at)


def _failure(body: WebhookReceived) -> Failure | None:
    if body.result not in BAD:
        return None
    found = failure(body.error_type or body.status or "_OTHER", body.error, body.http_status)
    return replace(found, failure_class=body.failure_class) if body.failure_class else found


def _step(event: Event) -> Step:
    """What one delivery of several tells; its id names the Step."""
    body = _body(event)
    return Step(
        role=f"delivery/{body.delivery}",
        name=body.kind or "delivery",
        started_at=_began(event),
        ended_at=event.at,
        result=body.result,
        failure=_failure(body),
        attributes=(("odoo.delivery.status", body.status),) if body.status else (),
    )


def _attributes(seen: Sequence[Event], last: WebhookReceived, flow: Flow) -> Attributes:
    hook = flow.hooks.get(last.hook)
    drift = sorted({name for event in seen for name in _body(event).drift})
    latency = (seen[0].seen - _began(seen[0])) / timedelta(seconds=1)
    found: dict[str, str | int | float | bool | None] = {
        "http.request.method": "POST",
        "http.route": f"/hooks/{last.hook}",
        "http.request.body.size": last.size,
        "http.response.status_code": last.http_status,
        "odoo.delivery.id": last.delivery,
        "odoo.delivery.kind": last.kind or None,
        "odoo.delivery.status": last.status or None,
        "odoo.delivery.attempts": max([len(seen), *(of.attempt for e in seen if (of := _body(e)).attempt)]),
        "odoo.delivery.latency": round(latency, 6) if latency > 0 else None,
        "odoo.delivery.drift": ", ".join(drift) or None,
        "odoo.integration.criticality": hook.criticality if hook else None,
        "odoo.integration.slow": True if any(slowness(event, flow) for event in seen) else None,
    }
    return known(found) + last.attributes


def late(event: Event, memory: DeliveryMemory) -> str | None:
    """What comes behind the Run that was told belongs to it."""
    del event
    return KEY if memory.told else None


def differs(run: Run, event: Event) -> str:
    """A later delivery with another result."""
    body = event.body
    if not isinstance(body, WebhookReceived) or body.result in {None, run.result}:
        return ""
    return f"{body.kind or body.delivery} says {body.result} at {event.at.isoformat()}, was told as {run.result}"


KIND = Kind(
    name="delivery",
    source=DOCUMENTS,
    settle=timedelta(seconds=2),
    memory=DeliveryMemory,
    cut=cut,
    late=late,
    differs=differs,
    asks=asks,
)
