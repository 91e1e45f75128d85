"""Records that share a key which is declared unique: one event made two of them. A claim a model, as long as one does.

Each record behind the first is told once, in its own trace, linked to the first. A claim is over when the records share
their key no more (one was cancelled, renamed, deleted), or when the time is over within which they must not.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain import links
from exporter.domain.bodies import FindingSeen, RecordDoubled, Twin
from exporter.domain.events import Event
from exporter.domain.runs import Failure, Run, RunLink
from exporter.domain.sources import DOCUMENTS
from exporter.domain.times import EPOCH, in_words
from exporter.fold.joining import joined
from exporter.fold.subjects import Cut, Flow, Kind
from exporter.fold.troubles import SEVERITIES

KEY = "double/all"
DETECTOR = "record.duplicate"
CLOSED = {DETECTOR: "No two of them share a key any more, or the time is over in which they must not."}
NAMED = 5  # records of one key that a sentence names


class Double(Struct, frozen=True, kw_only=True, gc=False):
    """What was last seen of one key: `told` are the records that were told as duplicates."""

    at: datetime
    model: str
    shared: str
    until: datetime
    records: tuple[Twin, ...] = ()
    told: tuple[int, ...] = ()


class DoubleMemory(Struct, frozen=True, kw_only=True, gc=False):
    """Keys by `model/digest`, until nobody looks at them any more."""

    doubles: dict[str, Double] = {}


def cut(facts: Sequence[Event], memory: DoubleMemory, until: datetime, flow: Flow) -> Cut[DoubleMemory]:
    """Of each key the newest fact counts; every record behind its first is told once."""
    found = dict(memory.doubles)
    closed: list[Run] = []
    for event in facts:
        body = event.body
        assert isinstance(body, RecordDoubled)  # noqa: S101 - route sends no others
        name = f"{body.model}/{body.key}"
        known = found.get(name)
        if known is None or event.at > known.at:
            one = _double(event.at, body, known)
            fresh = [twin for twin in one.records[1:] if twin.record_id not in one.told and flow.is_live(twin.created)]
            closed += [_run(one, twin, body.key, flow) for twin in fresh]
            told = (*one.told, *(twin.record_id for twin in fresh))
            found[name] = Double(
                at=one.at, model=one.model, shared=one.shared, until=one.until, records=one.records, told=told
            )
    found = {name: one for name, one in found.items() if until < one.until}
    over = min((one.until for one in found.values()), default=None)
    return Cut(
        closed=tuple(closed),
        open=None,
        facts=(),
        memory=DoubleMemory(doubles=found),
        waits={DOCUMENTS: over} if over else {},
    )


def _double(at: datetime, body: RecordDoubled, known: Double | None) -> Double:
    """What is shared no more is remembered for as long as it may be shared again."""
    newest = max((twin.created for twin in body.records), default=EPOCH) + timedelta(seconds=body.within)
    return Double(
        at=at,
        model=body.model,
        shared=body.shared or (known.shared if known else ""),
        until=max(newest, known.until if known else at),
        records=tuple(sorted(body.records, key=lambda twin: (twin.created, twin.record_id))),
        told=known.told if known else (),
    )


def _run(one: Double, twin: Twin, key: str, flow: Flow) -> Run:
    """From the first to this one; it stands in the trace of this one."""
    first = one.records[0]
    return Run(
        kind="double",
        workflow=one.model,
        subject=KEY,
        model=one.model,
        record_id=str(twin.record_id),
        key=f"duplicate/{key}/{twin.record_id}",
        trace_key="",
        title=_named(one.model, twin),
        started_at=first.created,
        ended_at=twin.created,
        result="failure",
        failure=Failure(type=DETECTOR, message=_sentence(one, (first, twin)), cause="data"),
        links=tuple(_links(one.model, (first,), flow)),
        attributes=(("odoo.duplicate.of", f"{one.model},{first.record_id}"), ("odoo.duplicate.key", one.shared)),
        joins=joined((links.by_id(one.model, twin.record_id),), flow),
    )


def _links(model: str, twins: Sequence[Twin], flow: Flow) -> Iterator[RunLink]:
    for twin in twins:
        of = joined((links.by_id(model, twin.record_id),), flow)
        if of is not None:
            yield RunLink(
                reason="duplicate_of", model=of.model, record_id=of.record_id, key=of.key, trace_key=of.trace_key
            )


def _named(model: str, twin: Twin) -> str:
    reference = links.by_id(model, twin.record_id)
    return f"{twin.name} ({reference})" if twin.name and twin.name not in links.NAMELESS else reference


def _sentence(one: Double, twins: Sequence[Twin]) -> str:
    """Who shares which key, and how far apart they were made."""
    *most, last = [_named(one.model, twin) for twin in twins[:NAMED]]
    more = f" and {len(twins) - NAMED} more" if len(twins) > NAMED else ""
    names = f"{', '.join(most)} and {last}" if not more else f"{', '.join([*most, last])}"
    seconds = (twins[-1].created - twins[0].created) / timedelta(seconds=1)
    return f"{names}{more} share {one.shared}; they were made within {in_words(seconds)}."


def sayings(memory: DoubleMemory, flow: Flow) -> dict[str, FindingSeen]:
    """One claim a model: it names the newest that share a key, and counts the other keys."""
    by_model: dict[str, list[Double]] = {}
    for one in memory.doubles.values():
        if len(one.records) > 1 and one.model in flow.unique and flow.is_live(one.records[-1].created):
            by_model.setdefault(one.model, []).append(one)
    return {f"{DETECTOR}/{model}": _claim(model, found, flow) for model, found in sorted(by_model.items())}


def _claim(model: str, found: Sequence[Double], flow: Flow) -> FindingSeen:
    newest = max(found, key=lambda one: (one.records[-1].created, one.records[-1].record_id))
    others = len(found) - 1
    more = f" {others} more key{'s are' if others > 1 else ' is'} shared." if others else ""
    examples = [f"record/{model}/{twin.record_id}#1" for twin in reversed(newest.records[:NAMED])]
    return FindingSeen(
        detector=DETECTOR,
        subject=model,
        severity=SEVERITIES[flow.unique[model]],
        example=examples[0],
        examples=tuple(examples[1:]),
        since=min(one.records[1].created for one in found),
        sentence=_sentence(newest, newest.records) + more,
        name=model,
    )


KIND = Kind(
    name="double",
    source=DOCUMENTS,
    settle=timedelta(0),
    memory=DoubleMemory,
    cut=cut,
)
