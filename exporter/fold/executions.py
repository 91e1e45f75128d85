"""Executions of n8n: one Run each, from the newest fact alone, as n8n shows an execution whole each time.

One that is over is told at once, unless it names a record that nobody knows yet, to stand in its trace or to be linked
to it (docs/decisions/0006): that waits until Odoo was read later than its end. Where it stands is said in
fold/execution_places.py, its parts in execution_steps.py.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import ExecutionSeen
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import BAD, Attributes, Failure, Result, Run, Step, Teller, known
from exporter.domain.sources import DOCUMENTS
from exporter.fold.execution_places import KEY, MODEL, Place, linked, place_of, record_of
from exporter.fold.execution_steps import steps
from exporter.fold.happening import FINISHED
from exporter.fold.integrations import tolerated
from exporter.fold.joining import asked, unresolved
from exporter.fold.subjects import Cut, Flow, Kind, order

RESULTS: dict[str, Result] = {
    "success": "success",
    "error": "failure",
    "crashed": "error",
    "canceled": "cancellation",
}
_ENDLESS = 3000
_TIMED_OUT = "TimeoutExecution"  # n8n cancels what runs for too long


class ExecutionMemory(Struct, frozen=True, kw_only=True, gc=False):
    """That the Run was told, and with which word of n8n's."""

    told: bool = False
    status: str = ""


def subject_of(event: Event) -> str:
    """The Subject of an execution; ids of another database of n8n's are others."""
    body = event.body
    if not isinstance(body, ExecutionSeen):
        return ""
    return f"execution/{record_of(body.execution, _epoch(event))}"


def asks(facts: Iterable[Event]) -> Iterable[str]:
    """Link keys of the records that executions name."""
    for event in facts:
        if isinstance(event.body, ExecutionSeen):
            yield from asked(dict.fromkeys((*_named(event.body), *linked(event.body))))


def cut(facts: Sequence[Event], memory: ExecutionMemory, until: datetime, flow: Flow) -> Cut[ExecutionMemory]:
    """Close the Run when n8n shows how it ended and nothing is waited for."""
    seen = [event for event in facts if isinstance(event.body, ExecutionSeen)]
    if not seen or memory.told:
        return Cut(closed=(), open=None, facts=(), memory=memory)
    ends = [event for event in seen if event.name == FINISHED]
    if not ends:
        newest = max(seen, key=lambda event: (event.seen, order(event)))
        return Cut(closed=(), open=_run(newest, _place(newest, flow), flow), facts=tuple(seen), memory=memory)
    last = ends[-1]
    place = _place(last, flow)
    run = _run(last, place, flow)
    if last.at > until and _is_awaited(_body(last), place, flow):
        return Cut(closed=(), open=run, facts=tuple(seen), memory=memory, ready_at=last.at)
    return Cut(closed=(run,), open=None, facts=(), memory=ExecutionMemory(told=True, status=_body(last).status))


def _is_awaited(body: ExecutionSeen, place: Place, flow: Flow) -> bool:
    """Whether Odoo may still make known where it stands, or which record it is linked to."""
    return unresolved(linked(body), flow) or (not place.is_certain and unresolved(_named(body), flow))


def _body(event: Event) -> ExecutionSeen:
    assert isinstance(event.body, ExecutionSeen)  # noqa: S101 - cut keeps no others
    return event.body


def _epoch(event: Event) -> str:
    return event.key.partition("/")[0]


def _named(body: ExecutionSeen) -> tuple[str, ...]:
    """The link keys that decide in whose trace it stands."""
    return body.outermost.correlation if body.outermost else body.correlation


def _place(event: Event, flow: Flow) -> Place:
    return place_of(_body(event), _epoch(event), flow)


def _run(event: Event, place: Place, flow: Flow) -> Run:
    body, end = _body(event), event.at if event.name == FINISHED else None
    result = _result(body) if end else None
    start = min(body.started_at, end) if end else body.started_at
    return Run(
        kind="execution",
        workflow=body.workflow or body.workflow_id or "unknown",
        subject=subject_of(event),
        model=MODEL,
        record_id=record_of(body.execution, _epoch(event)),
        key=KEY,
        trace_key=KEY,
        title=f"n8n execution {body.execution} of {body.workflow or body.workflow_id}",
        started_at=start,
        ended_at=end,
        result=result,
        failure=_failure(body, result),
        origin="live" if end is None or flow.is_live(end) else "history",
        steps=_steps(body, place, end),
        links=place.links,
        attributes=_attributes(body, flow) + (tolerated(event, flow) if end else ()),
        state="" if end else body.status,
        since=None if end else _since(body),
        joins=place.joins,
        traceparent=place.traceparent,
        teller=_teller(body, end),
    )


def _steps(body: ExecutionSeen, place: Place, end: datetime | None) -> tuple[Step, ...]:
    """All of it once it is over; before that only where its place is certain, as a Step that was told cannot move."""
    return steps(body, end) if end is not None or place.is_certain else ()


def _teller(body: ExecutionSeen, end: datetime | None) -> Teller:
    """n8n exports a root when it ends, so that of one that crashed it never does."""
    if body.sampled_out and body.outermost is None:
        return "us, as theirs"
    if not body.native:
        return "us"
    return "us, as theirs" if end is not None and body.status == "crashed" else "them"


def _since(body: ExecutionSeen) -> datetime:
    parked = body.stopped_at if body.status == "waiting" else None
    return parked or body.started_at


def _result(body: ExecutionSeen) -> Result:
    if body.status == "canceled" and body.error_type.startswith(_TIMED_OUT):
        return "timeout"
    return RESULTS.get(body.status, "unknown")


def _failure(body: ExecutionSeen, result: Result | None) -> Failure | None:
    return failure(body.error_type or "_OTHER", body.error, body.http_status) if result in BAD else None


def _attributes(body: ExecutionSeen, flow: Flow) -> Attributes:
    continued = sum(node.continued for node in body.nodes)
    url = f"{flow.n8n}/workflow/{body.workflow_id}/executions/{body.execution}" if flow.n8n else None
    found: dict[str, str | int | None] = {
        "n8n.execution.id": body.execution,
        "n8n.execution.mode": body.mode or None,
        "n8n.execution.status": body.status,
        "n8n.workflow.id": body.workflow_id or None,
        "n8n.execution.retry_of": body.retry_of or None,
        "n8n.execution.parent": body.parent or None,
        "n8n.execution.wait_till": _limit(body),
        "n8n.execution.continued": continued or None,
        "n8n.execution.nodes_left_out": body.nodes_left_out or None,
        "http.response.status_code": body.http_status,
        "url.full": url,
    }
    return known(found)


def _limit(body: ExecutionSeen) -> str | None:
    """Until when a parked execution waits at the longest; n8n writes the year 3000 where there is no limit."""
    till = body.wait_till
    return till.isoformat() if till and body.status == "waiting" and till.year < _ENDLESS else None


def late(event: Event, memory: ExecutionMemory) -> str | None:
    """What comes behind the Run that was told belongs to it."""
    del event
    return KEY if memory.told else None


def differs(run: Run, event: Event) -> str:
    """Another end than the one that was told."""
    body, told = event.body, dict(run.attributes).get("n8n.execution.status")
    if event.name != FINISHED or not isinstance(body, ExecutionSeen) or body.status == told:
        return ""
    return f"n8n says {body.status} at {event.at.isoformat()}, was told as {told}"


KIND = Kind(
    name="execution",
    source=DOCUMENTS,
    settle=timedelta(seconds=2),
    memory=ExecutionMemory,
    cut=cut,
    late=late,
    differs=differs,
    asks=asks,
)
