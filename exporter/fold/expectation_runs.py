"""An A and what became of it, as a Run: in the trace of the record it is about, ended by its B or by its time."""

from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.events import Event
from exporter.domain.runs import Attributes, Failure, Run, known
from exporter.domain.times import in_words
from exporter.fold.happening import Expectation, named
from exporter.fold.joining import joined
from exporter.fold.subjects import Flow

DETECTOR, MODEL = "expectation.absent", "odoo.otel.expectation"


class Absent(Struct, frozen=True, kw_only=True, gc=False):
    """What was told as absent and may still come.

    Attributes:
        name: of which expectation; `refs`: of which records; `words`: what is said of it.
        since: from when it might have come; `deadline`: until when it was due.
    """

    name: str
    deadline: datetime
    refs: tuple[str, ...] = ()
    since: datetime | None = None
    words: str = ""


class Met(Struct, frozen=True, kw_only=True):
    """An A of which is known what became of it: `then` is its B, None where that stayed away."""

    of: Expectation
    event: Event
    at: datetime
    ended_at: datetime
    then: Event | None = None
    refs: frozenset[str] = frozenset()


def key_of(of: Expectation, event: Event) -> str:
    """The Run's key."""
    return f"{of.name}/{event.source}/{event.key}"


def absent_of(one: Met, flow: Flow) -> Absent:
    """What is remembered of what stayed away."""
    return Absent(
        name=one.of.name,
        deadline=one.ended_at,
        refs=tuple(sorted(one.refs)),
        since=one.at,
        words=words_of(one, flow),
    )


def words_of(one: Met, flow: Flow) -> str:
    """In a sentence what stayed away, and of which record."""
    record = _record(one, flow)
    about = f" of {record}" if record else ""
    when = f"{one.at:%Y-%m-%d %H:%M:%S} UTC"
    within = in_words(one.of.within / timedelta(seconds=1))
    said = f"{one.of.then}{about} did not follow {one.of.after} of {when} within {within}"
    return f"{said}." if one.refs else f"{said}: it names no record that could be looked for."


def run_of(one: Met, flow: Flow) -> Run:
    """What is told of it."""
    return Run(
        kind="expectation",
        workflow=one.of.name,
        subject="expectation/all",
        model=MODEL,
        record_id=one.of.name,
        key=key_of(one.of, one.event),
        trace_key=key_of(one.of, one.event),
        title=one.of.name,
        started_at=one.at,
        ended_at=one.ended_at,
        result="success" if one.then else "timeout",
        failure=None if one.then else _failure(one, flow),
        attributes=_attributes(one, flow),
        joins=joined(named(one.event), flow),
    )


def _failure(one: Met, flow: Flow) -> Failure:
    return Failure(type=DETECTOR, message=words_of(one, flow), cause="timeout")


def _record(one: Met, flow: Flow) -> str:
    """Odoo's reference of the record, else the name it was given."""
    found = joined(named(one.event), flow)
    return f"{found.model},{found.record_id}" if found else next(iter(named(one.event)), "")


def _attributes(one: Met, flow: Flow) -> Attributes:
    found: dict[str, str | float | None] = {
        "odoo.expectation.after": str(one.of.after),
        "odoo.expectation.then": str(one.of.then),
        "odoo.expectation.within": one.of.within / timedelta(seconds=1),
        "odoo.expectation.outcome": "fulfilled" if one.then else "absent",
        "odoo.expectation.record": _record(one, flow) or None,
        "odoo.integration.criticality": one.of.criticality,
    }
    return known(found)
