"""A Subject: the facts of one thing that are not settled yet, and what its kind remembers of the settled ones."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from exporter.domain.bodies import CronCounted
from exporter.domain.events import Event, decode_body, encode_body
from exporter.domain.runs import Run
from exporter.domain.sources import DOCUMENTS, EXECUTIONS, RULES
from exporter.domain.tenants import Tenant
from exporter.domain.times import EPOCH, from_micros, micros
from exporter.fold.choosing import EVERYTHING, Choice
from exporter.fold.happening import Expectation
from exporter.fold.limits import DEFAULT, Limits
from exporter.fold.workflows import Workflow

Memory = TypeVar("Memory")
GRACE = timedelta(seconds=120)
RECONCILERS = frozenset({DOCUMENTS, RULES})  # without them nobody knows what should have come
UNPLACED = "?"  # the key of a late fact's Run that has to be looked for by when it began


class Integration(Struct, frozen=True, kw_only=True, gc=False):
    """What the operator said of a sender of webhooks: what its failure means, and which latency nobody minds.

    `native` says that Odoo itself posts there.
    """

    criticality: str = "normal"
    tolerance: timedelta | None = None
    native: bool = False


ORDINARY = Integration()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the fold is told about a tenant: its name and ids, its Workflows by model, its limits by workflow label.

    `links` leads from a link key to a Subject, as far as facts have made it and a Subject asked for it; `usual` are the
    limits of every action that has none of its own; `hooks` are the senders of webhooks by name; `witnesses` are the
    names of the Sources there are, polled or handed in (`odoo/log`): of others nothing is expected; `choice` is what
    the operator wants to be told; `grace` is how long a webhook, an execution or a change is waited for before it
    counts as missing; `n8n` is where n8n shows executions, `engine` what the operator said of it; `expected` is what
    has to follow what; `unique` are the models of which a key is declared unique, with their criticality.
    """

    tenant: Tenant
    workflows: dict[str, Workflow] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[str, Integration] = field(default_factory=dict)
    usual: Limits = DEFAULT
    witnesses: frozenset[str] = frozenset()
    choice: Choice = EVERYTHING
    grace: timedelta = GRACE
    n8n: str = ""
    engine: Integration = ORDINARY
    expected: tuple[Expectation, ...] = ()
    unique: Mapping[str, str] = field(default_factory=dict)

    @property
    def reconciles(self) -> bool:
        """Whether somebody would hear of a webhook that Odoo sends."""
        read = self.witnesses >= RECONCILERS
        return read and (EXECUTIONS in self.witnesses or any(hook.native for hook in self.hooks.values()))

    def hears(self, source: str) -> bool:
        """Whether a Source is read at all, so that it can be waited for; each is where nobody said which there are."""
        return not self.witnesses or source in self.witnesses

    def posts_natively(self, hook: str) -> bool:
        """Whether Odoo itself posts to a hook."""
        return (found := self.hooks.get(hook)) is not None and found.native

    def limits_of(self, row: CronCounted | None) -> Limits:
        """The limits of an action."""
        if row is None or not self.limits:
            return self.usual
        return self.limits.get(row.xmlid or str(row.cron_id), self.usual)

    def is_live(self, at: datetime) -> bool:
        """Whether something that ended then is no history."""
        return self.tenant.first_start is None or at >= self.tenant.first_start


def nobody(facts: Iterable[Event]) -> Iterable[str]:
    """The link keys of a kind that looks none up."""
    del facts
    return ()


def never(run: Run, event: Event) -> bool:
    """For a kind that knows the Run of every late fact."""
    del run, event
    return False


def taken_in(event: Event, memory: object) -> None:
    """For a kind that takes every fact in, whenever it comes."""
    del event, memory


def nothing(run: Run, event: Event) -> str:
    """For a kind of which no late fact changes what was told."""
    del run, event
    return ""


class Cut(Struct, Generic[Memory], frozen=True, kw_only=True, gc=False):
    """What a kind makes of sorted facts.

    Attributes:
        closed: Runs that are over and whose witnesses were all read, oldest first.
        open: the Run that is still going on (or not settled), with the Steps known so far.
        facts: what is left to wait.
        memory: what the kind remembers of everything cut so far.
        ready_at: the earliest mark at which another cut says more than this one; None while only new facts can.
        late: (run key, fact) of facts that turned out to belong to a Run closed before, or by this cut.
        waits: other Sources, and the kind's own, with the mark of each at which another cut says more.
    """

    closed: tuple[Run, ...]
    open: Run | None
    facts: tuple[Event, ...]
    memory: Memory
    ready_at: datetime | None = None
    late: tuple[tuple[str, Event], ...] = ()
    waits: dict[str, datetime] = {}


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
        asks: (facts) -> link keys that the cut wants to look up in Flow.links.
        near: (late fact whose Run is UNPLACED) -> between which two times its Run began; `same`: (Run, fact) -> whether
            it is that Run.
    """

    name: str
    source: str
    settle: timedelta
    memory: type[Memory]
    cut: Callable[[Sequence[Event], Memory, datetime, Flow], Cut[Memory]]
    late: Callable[[Event, Memory], str | None] = taken_in
    differs: Callable[[Run, Event], str] = nothing
    at_once: bool = False
    asks: Callable[[Iterable[Event]], Iterable[str]] = nobody
    near: Callable[[Event], tuple[datetime, datetime]] | None = None
    same: Callable[[Run, Event], bool] = never

    def source_of(self, timer: str) -> str:
        """The Source whose mark a Timer waits for: one that is named by a Source waits for that."""
        return timer if "/" in timer else self.source


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
