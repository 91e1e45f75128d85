"""What is remembered of a document, and what it and its facts say it is."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.bodies import FieldChanged, RecordChanged, RecordVanished, ReviewChanged
from exporter.domain.events import Event
from exporter.domain.times import EPOCH
from exporter.fold.subjects import Flow
from exporter.fold.workflows import Workflow


class RecordMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of a document.

    Attributes:
        ended_at: when its last episode ended; `key`: that episode's key.
        change: id of the tracking value that ended it (0: reviews did); a second holds several changes.
        state: the state it was left in.
        about: the newest row of the document itself; `about_at`: when it was written.
        lives: how many documents had its id before it; `born`: when it was made, if any had; `before`: the key of the
            last Run of those.
    """

    ended_at: datetime = EPOCH
    change: int = 0
    key: str = ""
    state: str = ""
    about: RecordChanged | None = None
    about_at: datetime = EPOCH
    lives: int = 0
    born: datetime = EPOCH
    before: str = ""


def learn(facts: Sequence[Event], memory: RecordMemory) -> RecordMemory:
    """The newest row of the document, whatever order the rows came in."""
    newest = next((e for e in reversed(facts) if isinstance(e.body, RecordChanged)), None)
    if newest is None or newest.at < memory.about_at or not isinstance(newest.body, RecordChanged):
        return memory
    return replace(memory, about=newest.body, about_at=newest.at)


def workflow_of(facts: Sequence[Event], memory: RecordMemory, flow: Flow) -> Workflow:
    """The Workflow of the document; one that knows no state where nobody described its model."""
    model, _ = subject_of(facts, memory)
    return flow.workflows.get(model) or Workflow(name=model, model=model)


def subject_of(facts: Sequence[Event], memory: RecordMemory) -> tuple[str, int]:
    """(model, id) of the document that facts are about."""
    bodies: Iterator[object] = iter([memory.about, *(e.body for e in facts)])
    for body in bodies:
        if isinstance(body, RecordVanished) and body.subject_model is not None and body.subject_id is not None:
            return body.subject_model, body.subject_id
        if isinstance(body, (FieldChanged, RecordChanged, ReviewChanged)):
            return body.model, body.record_id
    return "", 0
