"""Business documents: approvals as tier reviews and tracked states, one Run an episode of a record.

The record is the Subject. An episode begins with the first change after the last one ended, and is named by the key of
that change; it ends when the document reaches a final state of its Workflow, or, for a model without one, when no
review is open any more. A review is a Step by review id, a tracked state a Step by message id (decision 12).

A document that was made later than the one known by its id is another one, in a database that was restored: it has a
life of its own, and what its predecessor waited for nobody will see.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from exporter.domain.bodies import FieldChanged, RecordChanged, RecordVanished, ReviewChanged
from exporter.domain.events import Event
from exporter.domain.runs import Attributes, Result, Run, RunLink, Step
from exporter.domain.sources import DOCUMENTS
from exporter.domain.times import EPOCH
from exporter.fold.epochs import SPAN, named
from exporter.fold.record_memory import RecordMemory, learn, subject_of, workflow_of
from exporter.fold.record_steps import Reviewed, identity, review_steps, reviews, states
from exporter.fold.subjects import Cut, Flow, Kind, order
from exporter.fold.workflows import Workflow

REVIEW = "review"  # the state of a document that waits for a tier review
SETTLE = timedelta(seconds=1)  # over RPC a second is all there is: only when it is over is all of it read
DECISION_RESULTS: dict[str, Result] = {"approved": "success", "refused": "success", "cancelled": "cancellation"}


def cut(facts: Sequence[Event], memory: RecordMemory, until: datetime, flow: Flow) -> Cut[RecordMemory]:
    """Close every episode that ended up to `until`, life by life."""
    born = _born_again(facts, memory)
    if born is None:
        return _cut_life(facts, memory, until, flow)
    mine, rest = [e for e in facts if e.at < born], tuple(e for e in facts if e.at >= born)
    ours, theirs = _parted(memory, born)
    old = _cut_life(mine, ours, until, flow)
    if born > until:
        rows = () if theirs.about is None else (e for e in mine if isinstance(e.body, RecordChanged))
        about = old.memory if theirs.about is None else memory
        kept = tuple(sorted((*rows, *old.facts), key=order)) + rest
        both = replace(old.memory, about=about.about, about_at=about.about_at)
        return replace(old, facts=kept, memory=both, ready_at=min(old.ready_at or born, born))
    lost = () if old.open is None else (replace(old.open, ended_at=born, result="unknown", state="", since=None),)
    last = lost[-1].key if lost else old.memory.key
    new = cut(rest, replace(theirs, before=last or memory.before or "1"), until, flow)
    return replace(new, closed=(*old.closed, *lost, *new.closed), late=(*old.late, *new.late))


def _parted(memory: RecordMemory, born: datetime) -> tuple[RecordMemory, RecordMemory]:
    """What is remembered of a document, and of the next one of its id: a row of that may have come first."""
    next_one = RecordMemory(lives=memory.lives + 1, born=born)
    about = memory.about
    if about is None or about.create_date is None or about.create_date < born:
        return memory, next_one
    theirs = replace(next_one, about=about, about_at=memory.about_at)
    return replace(memory, about=None, about_at=EPOCH), theirs


def _born_again(facts: Sequence[Event], memory: RecordMemory) -> datetime | None:
    """When the next document of this id was made; None while it is the same."""
    if not any(type(e.body) is RecordChanged for e in facts):
        return None
    rows = [memory.about, *(e.body for e in facts)]
    made = sorted({row.create_date for row in rows if isinstance(row, RecordChanged) and row.create_date is not None})
    known = memory.born if memory.lives else min(made, default=EPOCH)
    return next((at for at in made if at > known + SETTLE), None)


def _cut_life(facts: Sequence[Event], memory: RecordMemory, until: datetime, flow: Flow) -> Cut[RecordMemory]:
    """Close every episode of one document; the open one keeps its facts."""
    memory = learn(facts, memory)
    workflow = workflow_of(facts, memory, flow)
    left = [e for e in facts if not isinstance(e.body, RecordChanged)]
    closed: list[Run] = []
    behind: list[tuple[str, Event]] = []
    end: datetime | None = None
    while left:
        episode, rest, end = _first_episode(left, workflow)
        if end is None or end > until:
            break
        run = _run(episode, memory, (workflow, flow), end)
        closed.append(run)
        memory = _remember(run, end, episode, memory, workflow=workflow)
        behind += [(run.key, e) for e in rest if late(e, memory)]
        left, end = [e for e in rest if not late(e, memory)], None
    left = _known(left, until)
    opened = _run(left, memory, (workflow, flow), None) if end is None and _opens(left, memory, workflow) else None
    return Cut(closed=tuple(closed), open=opened, facts=tuple(left), memory=memory, ready_at=end, late=tuple(behind))


def _remember(
    run: Run, end: datetime, episode: Sequence[Event], memory: RecordMemory, *, workflow: Workflow
) -> RecordMemory:
    changes = [e.body.tracking_id for e in episode if isinstance(e.body, FieldChanged)]
    return replace(
        memory,
        ended_at=end,
        change=changes[-1] if changes else 0,
        key=run.key,
        state=_state(episode, memory, workflow),
    )


def _known(facts: list[Event], until: datetime) -> list[Event]:
    """Without rows that vanished and of which nothing is waiting: they belonged to an episode that is told."""
    if not any(isinstance(e.body, RecordVanished) for e in facts):
        return facts
    here = {e.body.review_id for e in facts if isinstance(e.body, ReviewChanged)}
    return [e for e in facts if not isinstance(e.body, RecordVanished) or e.body.record_id in here or e.at > until]


def _opens(episode: Sequence[Event], memory: RecordMemory, workflow: Workflow) -> bool:
    """Whether facts are an open episode: stray reviews after a final state do not begin another one."""
    opening = _openings(memory, workflow)
    return any(isinstance(e.body, opening) for e in episode)


def _openings(memory: RecordMemory, workflow: Workflow) -> tuple[type[Any], ...]:
    """What begins an episode: behind a final state only a change does."""
    return (FieldChanged,) if memory.key and workflow.final else (FieldChanged, ReviewChanged)


def _first_episode(facts: list[Event], workflow: Workflow) -> tuple[list[Event], list[Event], datetime | None]:
    """The facts of the first episode, those behind it, and when it ended (None while it is open)."""
    if not workflow.final:
        return _reviewed_episode(facts, reviews(facts))
    for place, event in enumerate(facts):
        change = event.body
        if isinstance(change, FieldChanged) and change.new in workflow.final:
            mine, rest = _with_same_instant(facts, place)
            return mine, rest, event.at
    return facts, [], None


def _with_same_instant(facts: list[Event], place: int) -> tuple[list[Event], list[Event]]:
    """Up to the final change; reviews of the same second belong to it (over RPC a second is all there is)."""
    end = facts[place].at
    same = [e for e in facts[place + 1 :] if e.at <= end and not isinstance(e.body, FieldChanged)]
    return facts[: place + 1] + same, [e for e in facts[place + 1 :] if e not in same]


def _reviewed_episode(facts: list[Event], seen: Sequence[Reviewed]) -> tuple[list[Event], list[Event], datetime | None]:
    """Without final states an episode lasts as long as reviews overlap: it ends when none is open."""
    mine: set[tuple[int, datetime | None]] = set()
    end: datetime | None = EPOCH
    for one in seen:
        if mine and end is not None and one.asked_at > end:
            break
        mine.add(identity(one.row))
        end = None if one.ended_at is None or end is None else max(end, one.ended_at)
    if not mine:
        return facts, [], None
    inside = [e for e in facts if _is_of(e, mine) or (end is None or e.at <= end)]
    kept = {id(e) for e in inside}
    return inside, [e for e in facts if id(e) not in kept], end


def _is_of(event: Event, mine: set[tuple[int, datetime | None]]) -> bool:
    return isinstance(event.body, ReviewChanged) and identity(event.body) in mine


def _state(facts: Sequence[Event], memory: RecordMemory, workflow: Workflow) -> str:
    changes = [e.body.new for e in facts if isinstance(e.body, FieldChanged)]
    return (changes[-1] if changes else memory.state) or workflow.initial


def _run(facts: Sequence[Event], memory: RecordMemory, of: tuple[Workflow, Flow], end: datetime | None) -> Run:
    workflow, flow = of
    model, record_id = subject_of(facts, memory)
    opening = _opening(facts, memory, workflow)
    began = _began(opening, memory)
    created = not memory.key and memory.about is not None and memory.about.create_date is not None
    initial = (began if created else None, memory.state or workflow.initial)
    state_steps = states(facts, workflow, initial, end)
    seen = reviews(facts)
    steps = sorted([*state_steps, *review_steps(seen)], key=lambda s: (s.started_at, s.role))
    decision = _decision(facts, seen, workflow)
    state = _state(facts, memory, workflow)
    waiting = _waiting(steps, (state, began))
    first = flow.tenant.first_start
    about = memory.about
    key = opening.key if memory.key else named(memory.lives * SPAN + 1)
    trace_key = str(memory.lives or "")
    return Run(
        kind="record",
        workflow=workflow.name,
        subject=f"record/{model}/{record_id}",
        model=model,
        record_id=str(record_id),
        key=key,
        trace_key=key if workflow.traces == "episodes" else trace_key,
        title=(about.name if about and about.name else f"{model} {record_id}"),
        started_at=min([began, *(s.started_at for s in steps)]),
        ended_at=end,
        result=DECISION_RESULTS.get(decision, "success") if end else None,
        origin="history" if end is not None and first is not None and end < first else "live",
        steps=tuple(steps),
        links=_before((model, record_id), memory, workflow),
        attributes=_attributes(about, state, decision if end else ""),
        state="" if end else waiting[0],
        since=None if end else waiting[1],
    )


def _before(document: tuple[str, int], memory: RecordMemory, workflow: Workflow) -> tuple[RunLink, ...]:
    """The episode before, where each is a trace of its own."""
    if not memory.key or workflow.traces == "single":
        return ()
    model, record_id = document[0], str(document[1])
    key = memory.key
    return (RunLink(reason="previous_episode", model=model, record_id=record_id, key=key, trace_key=key),)


def _waiting(steps: Sequence[Step], state: tuple[str, datetime]) -> tuple[str, datetime]:
    """What an open document waits for and since when: the first open review, else the state it is in."""
    open_steps = [s for s in steps if s.ended_at is None]
    asked = [s.started_at for s in open_steps if s.role.startswith("review/")]
    if asked:
        return REVIEW, min(asked)
    return state[0], max((s.started_at for s in open_steps), default=state[1])


def _opening(facts: Sequence[Event], memory: RecordMemory, workflow: Workflow) -> Event:
    """The fact an episode begins with: where states are tracked, only a change reopens a document."""
    opening = _openings(memory, workflow)
    return next((e for e in facts if isinstance(e.body, opening)), facts[0])


def _began(opening: Event, memory: RecordMemory) -> datetime:
    """When the episode began: the creation of the record for the first one, else its first change."""
    if memory.key or memory.about is None or memory.about.create_date is None:
        return opening.at
    return min(opening.at, memory.about.create_date)


def _decision(facts: Sequence[Event], seen: Sequence[Reviewed], workflow: Workflow) -> str:
    """How the episode was decided: by its final state, else by its reviews (one refusal refuses)."""
    finals = [workflow.final.get(e.body.new or "") for e in facts if isinstance(e.body, FieldChanged)]
    if finals and finals[-1]:
        return finals[-1]
    taken = [one.decision for one in seen]
    for decision in ("refused", "approved", "cancelled"):
        if decision in taken:
            return decision
    return ""


def _attributes(about: RecordChanged | None, state: str, decision: str) -> Attributes:
    found: list[tuple[str, str | int | float | None]] = [
        ("odoo.record.state", state or None),
        ("odoo.approval.decision", decision or None),
        ("odoo.company.id", about.company if about else None),
        ("odoo.record.amount", about.amount if about else None),
    ]
    return tuple((name, value) for name, value in found if value is not None)


def late(event: Event, memory: RecordMemory) -> str | None:
    """A fact older than the end of the last episode belongs to that episode (decision 4); reviews by when asked."""
    body = event.body
    if isinstance(body, RecordChanged):
        return None
    if event.at < memory.born:
        return memory.before
    if not memory.key:
        return None
    if isinstance(body, FieldChanged):
        return memory.key if (event.at, body.tracking_id) <= (memory.ended_at, memory.change) else None
    began = (body.create_date or event.at) if isinstance(body, ReviewChanged) else event.at
    return memory.key if began <= memory.ended_at else None


def differs(run: Run, event: Event) -> str:
    """What a late fact would have changed: a decision or a state that was not told."""
    body = event.body
    if isinstance(body, FieldChanged):
        return f"{body.field} went from {body.old} to {body.new} at {event.at.isoformat()}"
    if isinstance(body, ReviewChanged) and event.name == "odoo.review.decided":
        told = next((s for s in run.steps if s.role == f"review/{body.review_id}"), None)
        return "" if told and told.ended_at else f"review {body.review_id} was {body.status} at {event.at.isoformat()}"
    return ""


KIND = Kind(
    name="record",
    source=DOCUMENTS,
    settle=SETTLE,
    memory=RecordMemory,
    cut=cut,
    late=late,
    differs=differs,
)
