"""Events by the Subjects they are given to, and in the parts that are folded one after the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from exporter.domain.bodies import (
    CronCounted,
    CronProgress,
    SourceRead,
)
from exporter.domain.events import Event
from exporter.fold.overhearing import overhearing
from exporter.fold.route import route
from exporter.fold.scheduler import KEY as SCHEDULER
from exporter.fold.subjects import Flow

OF_SCHEDULER = frozenset({CronCounted, CronProgress})
NO_LINKS: Mapping[str, str] = {}


def group(
    events: Iterable[Event], known: Mapping[str, str] = NO_LINKS, flow: Flow | None = None
) -> dict[str, list[Event]]:
    """Events by Subject; the scheduler as a whole comes first, what it says explains single actions.

    With a flow also those that say something of another Subject than their own (fold/overhearing.py).
    """
    groups: dict[str, list[Event]] = {}
    whole: list[Event] = []
    for event in events:
        for beside in overhearing(event, flow) if flow is not None else ():
            groups.setdefault(beside, []).append(event)
        if key := route(event, known):
            groups.setdefault(key, []).append(event)
            if type(event.body) in OF_SCHEDULER:
                whole.append(event)
    return {SCHEDULER: whole, **groups} if whole else groups


def in_order(groups: Mapping[str, Sequence[Event]]) -> dict[str, Sequence[Event]]:
    """The scheduler as a whole before single actions, also where a Timer woke it."""
    return {key: groups[key] for key in sorted(groups, key=lambda key: key != SCHEDULER)}


def parts(events: Iterable[Event]) -> Iterator[tuple[list[Event], dict[str, datetime]]]:
    """Events up to a mark (or the last one), and the marks there: each is folded before the next begins.

    Facts behind a mark must not change what was known at it: so a backlog tells what it would have told live.
    """
    found: list[Event] = []
    marks: dict[str, datetime] = {}
    for event in events:
        body = event.body
        if marks and (not isinstance(body, SourceRead) or event.source in marks):
            yield found, marks
            found, marks = [], {}
        found.append(event)
        if isinstance(body, SourceRead):
            marks[event.source] = body.until
    if found:
        yield found, marks
