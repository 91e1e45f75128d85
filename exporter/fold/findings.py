"""Findings: a claim is a Run of its own, opened, updated and closed by Events of detectors, or of the fold itself.

Its key is its first example (decision 13); later examples update it. One Finding a detector and subject is open at a
time. Detectors close theirs by Event; while they are silent it stays open.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import FindingClosed, FindingSeen
from exporter.domain.events import Event
from exporter.domain.runs import Attributes, Run, RunLink, known
from exporter.fold.quiet import quiet_until
from exporter.fold.subjects import Cut, Flow, Kind

SOURCE = "detectors/findings"


class FindingMemory(Struct, frozen=True, kw_only=True, gc=False):
    """The open claim as it was last seen, since when it is open, and its first example."""

    seen: FindingSeen | None = None
    opened_at: datetime | None = None
    example: str = ""
    closed_at: datetime | None = None


def subject_of(body: FindingSeen | FindingClosed) -> str:
    """The Subject of a detector's claims about a subject."""
    return f"finding/{body.detector}/{body.subject}"


def cut(facts: Sequence[Event], memory: FindingMemory, until: datetime, flow: Flow) -> Cut[FindingMemory]:
    """Open, update and close in the order of the facts: one ordered witness, so nothing is waited for."""
    del until
    closed: list[Run] = []
    for event in facts:
        body = event.body
        if isinstance(body, FindingSeen) and _is_told(body, event.at, memory, flow):
            opened = memory.opened_at or event.at
            memory = FindingMemory(seen=body, opened_at=opened, example=memory.example or body.example)
        elif isinstance(body, FindingClosed) and memory.seen is not None:
            closed.append(_run(memory, event.at, body.reason))
            memory = FindingMemory(closed_at=event.at)
    return Cut(
        closed=tuple(closed), open=_run(memory, None, "") if memory.seen is not None else None, facts=(), memory=memory
    )


def _is_told(seen: FindingSeen, at: datetime, memory: FindingMemory, flow: Flow) -> bool:
    """Not behind its end; and nothing learned is opened in a quiet window, in which what is unusual is ordinary."""
    if memory.closed_at is not None and at < memory.closed_at:
        return False
    declared = flow.limits.get(seen.subject, flow.usual)
    return memory.seen is not None or seen.p is None or quiet_until(declared.quiet, at) is None


def _run(memory: FindingMemory, end: datetime | None, reason: str) -> Run:
    seen = memory.seen
    assert seen is not None  # noqa: S101 - only called while a claim is open
    opened = memory.opened_at or seen.since
    return Run(
        kind="finding",
        workflow=seen.subject,
        subject=subject_of(seen),
        model=seen.model or "odoo.otel.finding",
        record_id=seen.record_id or seen.subject,
        key=f"{seen.detector}/{memory.example}",
        trace_key=f"{seen.detector}/{memory.example}",
        title=seen.name or seen.subject,
        started_at=min(opened, end) if end else opened,
        ended_at=end,
        result="success" if end else None,
        links=tuple(link for one in (memory.example, *seen.examples) if (link := _link(one, seen)) is not None),
        attributes=_attributes(seen, reason),
        state=seen.detector,
        since=opened,
    )


def _link(example: str, seen: FindingSeen) -> RunLink | None:
    """The example Run, where its ids can be computed from its name and what the Finding says of it."""
    subject, _, key = example.partition("#")
    kind, _, record = subject.partition("/")
    if kind == "cron" and key.isdigit():
        return RunLink(reason="example", model="ir.cron", record_id=record, key=key, trace_key=key)
    if kind == "record":  # its first episode, as a document's episodes are one trace unless that was chosen otherwise
        model, _, number = record.rpartition("/")
        return RunLink(reason="example", model=model, record_id=number, key=key, trace_key="")
    if kind == "job" and seen.model == "queue.job" and seen.record_id:
        return RunLink(reason="example", model="queue.job", record_id=seen.record_id, key=key, trace_key=key)
    return None


def _attributes(seen: FindingSeen, reason: str) -> Attributes:
    found: dict[str, str | float | int | None] = {
        "odoo.finding.detector": seen.detector,
        "odoo.finding.severity": seen.severity,
        "odoo.finding.sentence": seen.sentence,
        "odoo.finding.since": seen.since.isoformat(),
        "odoo.finding.p": seen.p,
        "odoo.finding.observed": seen.observed,
        "odoo.finding.low": seen.low,
        "odoo.finding.high": seen.high,
        "odoo.finding.ratio": seen.ratio,
        "odoo.finding.learned_from": seen.learned_from,
        "odoo.finding.closed_because": reason or None,
    }
    return known(found)


def late(event: Event, memory: FindingMemory) -> str | None:
    """An update of a claim that was closed since says nothing any more."""
    closed = memory.closed_at
    return "" if closed is not None and isinstance(event.body, FindingSeen) and event.at < closed else None


KIND = Kind(
    name="finding",
    source=SOURCE,
    settle=timedelta(0),
    memory=FindingMemory,
    cut=cut,
    late=late,
    at_once=True,
)
