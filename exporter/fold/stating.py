"""Claims that a kind words itself, as Events of Findings: opened, updated and closed by what the kind remembers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from exporter.domain.bodies import FindingClosed, FindingSeen
from exporter.domain.events import Event
from exporter.domain.times import from_micros
from exporter.fold import doubles, expectations, integrations, send_claims
from exporter.fold.quiet import quiet_until
from exporter.fold.subjects import Flow, Subject

SOURCE = "fold"
Sayings = Callable[[Any, Flow], dict[str, FindingSeen]]


def _parted(name: str) -> tuple[str, str]:
    detector, _, label = name.partition("/")
    return detector, label


class Stater(Struct, frozen=True, kw_only=True):
    """One kind: what it says by name, why that is over by detector, and a name's detector and label.

    `at` is by what its memory says the time is, for a kind that hears of more marks than its own Source's.
    """

    sayings: Sayings
    closed: Mapping[str, str]
    names: Callable[[str], tuple[str, str]] = _parted
    at: Callable[[Any], datetime | None] | None = None


class Stated(Struct, frozen=True, kw_only=True):
    """Claims that hold (name -> sentence), what became or ceased to be true, and until when it is quiet."""

    claims: dict[str, str]
    events: tuple[Event, ...]
    quiet_until: datetime | None


def _read(memory: Any) -> datetime | None:  # noqa: ANN401 - of its own kind
    return from_micros(max(memory.marks.values())) if memory.marks else None


STATERS: Mapping[str, Stater] = {
    "send": Stater(sayings=send_claims.sayings, closed=send_claims.CLOSED, names=send_claims.subject_of, at=_read),
    "integration": Stater(sayings=integrations.sayings, closed=integrations.CLOSED),
    "double": Stater(sayings=doubles.sayings, closed=doubles.CLOSED),
    "expectation": Stater(sayings=expectations.sayings, closed=expectations.CLOSED),
}


def state(subject: Subject, memory: object, flow: Flow, at: datetime) -> Stated:
    """What a kind claims at a time; in a quiet window nothing is opened."""
    stater = STATERS[subject.kind]
    quiet = quiet_until(flow.usual.quiet, at)
    said = stater.sayings(memory, flow)
    found = {name: body for name, body in said.items() if quiet is None or name in subject.claims}
    events = [_gone(name, at, stater) for name in subject.claims if name not in found]
    for name, body in found.items():
        if subject.claims.get(name) != body.sentence:
            word = "updated" if name in subject.claims else "opened"
            events.append(event_of(f"finding.{word}", f"{name}/{word}/{at.isoformat()}", at, body))
    return Stated(
        claims={name: body.sentence for name, body in found.items()},
        events=tuple(events),
        quiet_until=quiet if len(found) < len(said) else None,
    )


def _gone(name: str, at: datetime, stater: Stater) -> Event:
    detector, label = stater.names(name)
    body = FindingClosed(detector=detector, subject=label, reason=stater.closed[detector])
    return event_of("finding.closed", f"{name}/closed/{at.isoformat()}", at, body)


def event_of(name: str, key: str, at: datetime, body: FindingSeen | FindingClosed) -> Event:
    """An Event of a Finding that the fold itself found."""
    return Event(source=SOURCE, key=key, name=name, at=at, seen=at, precision=1, body=body)
