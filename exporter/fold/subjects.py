"""A Subject: the facts of one thing that are not settled yet, and what its kind remembers of the settled ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from exporter.domain.events import Event, decode_body, encode_body
from exporter.domain.runs import Run
from exporter.domain.tenants import Tenant
from exporter.domain.times import EPOCH, from_micros, micros
from exporter.fold.limits import Limits
from exporter.fold.workflows import Workflow

Memory = TypeVar("Memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the fold is told about a tenant: its name and ids, its Workflows by model, its limits by workflow label."""

    tenant: Tenant
    workflows: dict[str, Workflow] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)


class Cut(Struct, Generic[Memory], frozen=True, kw_only=True, gc=False):
    """What a kind makes of sorted facts.

    Attributes:
        closed: Runs that are over and whose witnesses were all read, oldest first.
        open: the Run that is still going on (or not settled), with the Steps known so far.
        facts: what is left to wait.
        memory: what the kind remembers of everything cut so far.
        ready_at: the earliest mark at which another cut says more than this one; None while only new facts can.
        late: (run key, fact) of facts that turned out to belong to a Run closed before, or by this cut.
    """

    closed: tuple[Run, ...]
    open: Run | None
    facts: tuple[Event, ...]
    memory: Memory
    ready_at: datetime | None = None
    late: tuple[tuple[str, Event], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[Memory]):
    """One kind of Subject as a table of functions.

    Attributes:
        source: the Source whose mark its Timers wait for.
        settle: how much later than an end that Source must have been read.
        cut: (sorted facts, memory, until, flow) -> Cut: pure, independent of the order in which facts came.
        late: (fact, memory) -> key of the closed Run it belongs to, or None.
        differs: (closed Run, late fact) -> what it would have changed, "" if nothing that was told.
        at_once: whether an open Run is shown as soon as it is known, and not only when it lasts.
    """

    name: str
    source: str
    settle: timedelta
    memory: type[Memory]
    cut: Callable[[Sequence[Event], Memory, datetime, Flow], Cut[Memory]]
    late: Callable[[Event, Memory], str | None]
    differs: Callable[[Run, Event], str]
    at_once: bool = False


class Subject(Struct, frozen=True, kw_only=True, gc=False):
    """The state of one Subject between Commits.

    Attributes:
        facts: sorted by `order`.
        until: everything that ended up to here (on the Source's mark) was cut.
        told: run key # role of the open Run's Steps that were told already, and of its `started` marker.
        due: Timers that are set, by name.
        claims: declared limits that were broken at the last mark: detector -> the sentence that was said.
    """

    key: str
    kind: str
    memory: Any
    facts: tuple[Event, ...] = ()
    until: datetime = EPOCH
    told: frozenset[str] = frozenset()
    due: dict[str, datetime] = msgspec.field(default_factory=dict)
    claims: dict[str, str] = msgspec.field(default_factory=dict)


def order(event: Event) -> tuple[datetime, str, int, str]:
    """The order of facts: when it happened, then its key; never when it came.

    Shorter keys first, so that row 99 stands before row 100 of the same second.
    """
    return (event.at, event.source, len(event.key), event.key)


class _Saved(msgspec.Struct, array_like=True):
    kind: str
    memory: msgspec.Raw
    facts: list[tuple[str, str, str, int, int, int, msgspec.Raw]]
    until: int
    told: list[str]
    due: dict[str, int]
    version: int = 1
    claims: dict[str, str] = {}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Saved).decode


def save(subject: Subject) -> bytes:
    """The Subject as it is stored."""
    return _encode(
        _Saved(
            subject.kind,
            msgspec.Raw(_encode(subject.memory)),
            [
                (e.source, e.key, e.name, micros(e.at), micros(e.seen), e.precision, msgspec.Raw(encode_body(e.body)))
                for e in subject.facts
            ],
            micros(subject.until),
            sorted(subject.told),
            {name: micros(due) for name, due in subject.due.items()},
            claims=subject.claims,
        )
    )


def load(key: str, state: bytes, memory: Callable[[str, bytes], object]) -> Subject:
    """The Subject of a stored state; `memory` decodes what its kind remembers."""
    saved = _decode(state)
    return Subject(
        key=key,
        kind=saved.kind,
        memory=memory(saved.kind, bytes(saved.memory)),
        facts=tuple(
            Event(
                source=source,
                key=fact,
                name=name,
                at=from_micros(at),
                seen=from_micros(seen),
                precision=precision,
                body=decode_body(name, bytes(body)),
            )
            for source, fact, name, at, seen, precision, body in saved.facts
        ),
        until=from_micros(saved.until),
        told=frozenset(saved.told),
        due={name: from_micros(due) for name, due in saved.due.items()},
        claims=saved.claims,
    )
