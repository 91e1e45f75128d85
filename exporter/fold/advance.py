"""One Subject, some Events: insert the facts, cut what is over, say what was made true and which Timers are wanted."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.events import Event
from exporter.domain.runs import Run, Step, Timer
from exporter.domain.sources import EXECUTIONS, RULES
from exporter.domain.times import EPOCH
from exporter.fold import (
    calls,
    crons,
    deliveries,
    doubles,
    executions,
    expectations,
    findings,
    inbound,
    integrations,
    jobs,
    mails,
    records,
    scheduler,
    sends,
)
from exporter.fold.judging import judge
from exporter.fold.subjects import Cut, Flow, Kind, Subject, order

_ALL: tuple[Kind[Any], ...] = (
    crons.KIND,
    jobs.KIND,
    records.KIND,
    scheduler.KIND,
    findings.KIND,
    deliveries.KIND,
    calls.KIND,
    inbound.KIND,
    mails.KIND,
    sends.KIND,
    executions.KIND,
    integrations.KIND,
    expectations.KIND,
    doubles.KIND,
)
KINDS: Mapping[str, Kind[Any]] = {kind.name: kind for kind in _ALL}
LONG = timedelta(seconds=60)  # a Run open for longer shows a `started` marker (decision 3)
SETTLE, STARTED, LIMIT = "settle", "started", "limit"
_AWAITED = frozenset({kind.source for kind in _ALL} | {RULES, EXECUTIONS})
_MEMORIES = {name: msgspec.json.Decoder(kind.memory).decode for name, kind in KINDS.items()}


class Late(Struct, frozen=True, kw_only=True, gc=False):
    """A fact of a Run that was told already."""

    run: str
    event: Event


class Advanced(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a Subject.

    Attributes:
        subject: its new state.
        closed: (Run, marks of what was told before) for every Run that is over now.
        fresh: Steps of the open Run that are over and not told yet.
        marker: whether the open Run is to be shown as started.
        open: the open Run, if there is one.
        late: facts of Runs told before.
        claimed: Events of Findings that became or ceased to be true at the mark.
    """

    subject: Subject
    closed: tuple[tuple[Run, frozenset[str]], ...]
    fresh: tuple[Step, ...]
    marker: bool
    open: Run | None
    late: tuple[Late, ...]
    claimed: tuple[Event, ...] = ()


def begin(key: str) -> Subject:
    """A Subject nobody has heard of yet."""
    kind = KINDS[key.partition("/")[0]]
    return Subject(key=key, kind=kind.name, memory=kind.memory())


def memory_of(kind: str, raw: bytes) -> object:
    """What a kind remembers, decoded."""
    return _MEMORIES[kind](raw)


def unheard(flow: Flow) -> frozenset[str]:
    """The Sources that nobody reads: what waits for one of them, from before a reload, would wait for ever."""
    return frozenset(source for source in _AWAITED if not flow.hears(source))


def advance(
    subject: Subject, events: Sequence[Event], flow: Flow, read_until: datetime | None = None, *, silent: bool = False
) -> Advanced:
    """Insert facts (a repeat changes nothing), let Timers due by the Source's mark fire, and cut.

    The result depends on the set of facts and on the mark, never on the order of `events`. Without a mark nothing is
    closed or told, whatever an older mark would allow: the rest of the same poll may still be to come. `silent` says
    that the whole scheduler stands still, which explains that this action is late.
    """
    kind = KINDS[subject.kind]
    facts, late = _insert(subject, events, kind)
    fired = {name for name, due in subject.due.items() if read_until is not None and due <= read_until}
    until = EPOCH if read_until is None else max(subject.until, read_until - kind.settle)
    cut = kind.cut(facts, subject.memory, until, flow)
    told = _still(cut.closed, subject.told)
    fresh = _fresh(cut, until, told)
    shown = kind.at_once or STARTED in fired
    marker = cut.open is not None and shown and mark(cut.open, STARTED) not in told
    if cut.open is not None:
        told |= {mark(cut.open, step.role) for step in fresh} | ({mark(cut.open, STARTED)} if marker else set())
    wanted = _wanted(cut, told, kind)
    judged = judge(subject, cut, flow, read_until, silent=silent)
    if judged.again is not None:
        wanted[LIMIT] = judged.again
    return Advanced(
        subject=replace(
            subject,
            facts=cut.facts,
            memory=cut.memory,
            until=max(until, subject.until),
            told=told,
            due=wanted,
            claims=judged.claims,
        ),
        closed=tuple((run, subject.told) for run in cut.closed),
        fresh=fresh,
        marker=marker,
        open=cut.open,
        late=late + tuple(Late(run=f"{subject.key}#{key}", event=event) for key, event in cut.late),
        claimed=judged.events,
    )


def timers(before: Subject, after: Subject) -> tuple[list[Timer], list[str]]:
    """Timers to set or to move, and the names of those no longer wanted."""
    source_of = KINDS[after.kind].source_of
    moved = [
        Timer(subject=after.key, name=name, due=at, source=source_of(name))
        for name, at in after.due.items()
        if before.due.get(name) != at
    ]
    return moved, [name for name in before.due if name not in after.due]


def _insert(subject: Subject, events: Sequence[Event], kind: Kind[Any]) -> tuple[list[Event], tuple[Late, ...]]:
    facts = list(subject.facts)
    late: list[Late] = []
    for event in events:
        run = kind.late(event, subject.memory)
        if run is None:
            facts.append(event)
        else:
            late.append(Late(run=f"{subject.key}#{run}", event=event))
    facts.sort(key=order)
    if len({event.key for event in facts}) < len(facts):  # Sources seldom share keys: that is looked at then
        facts = list({(event.source, event.key): event for event in reversed(facts)}.values())[::-1]
    return facts, tuple(late)


def mark(run: Run, role: str) -> str:
    """How a Subject remembers that a Step of a Run was told."""
    return f"{run.key}#{role}"


def _still(closed: Sequence[Run], told: frozenset[str]) -> frozenset[str]:
    """Marks of Runs that are not closed yet."""
    if not closed or not told:
        return told
    keys = {run.key for run in closed}
    return frozenset(one for one in told if one.rpartition("#")[0] not in keys)


def _untold(cut: Cut[Any], told: frozenset[str]) -> list[tuple[Step, datetime]]:
    """Steps of the open Run that ended and were not told, with their ends."""
    if cut.open is None:
        return []
    return [(s, s.ended_at) for s in cut.open.steps if s.ended_at is not None and mark(cut.open, s.role) not in told]


def _fresh(cut: Cut[Any], until: datetime, told: frozenset[str]) -> tuple[Step, ...]:
    """Steps of the open Run that ended up to the mark: they need not wait for the Run."""
    return tuple(step for step, end in _untold(cut, told) if end <= until)


def _wanted(cut: Cut[Any], told: frozenset[str], kind: Kind[Any]) -> dict[str, datetime]:
    """The Timers this state needs, due at the first mark that changes it: a cut in between would say no more."""
    wanted = dict(cut.waits)
    ends = [end for _, end in _untold(cut, told)] + ([cut.ready_at] if cut.ready_at else [])
    if ends:
        wanted[SETTLE] = min(ends) + kind.settle
    if cut.open is not None and mark(cut.open, STARTED) not in told:
        wanted[STARTED] = cut.open.started_at + LONG
    return wanted
