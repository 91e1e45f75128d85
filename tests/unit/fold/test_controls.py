"""Negative controls: folds that do what this one must not, on the same facts; if they told the same, nothing is proven.

Each control is the mistake one would make first (facts/kernel.md): close on the first end that is seen, apply facts as
they arrive, count episodes as they come.
"""

from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from exporter.domain.events import Event
from exporter.fold import advance
from tests.worlds import SOURCES, Row, World, counted, document, job, moved, posted, read, story

SHUFFLES = 20
END = 2000.0


def facts() -> list[Event]:
    """Two runs, a job that is requeued, a purchase that is reopened."""
    return [
        counted(-10, -3600, nextcall=-1),
        *(Row(number=1, start=0, end=4).ended(), counted(15, 0, 1, nextcall=50)),
        *(Row(number=2, start=60, end=64).ended(), counted(75, 60, 0, nextcall=110)),
        *(job(0, "pending"), job(9, "failed", 1, started=3), posted(5, seen=9)),
        *(job(30, "pending"), job(40, "done", 1, started=35, done=38, exec_time=3.0)),
        *(document(0, "draft"), moved(10, "draft", "cancel", 1)),
        *(moved(20, "cancel", "draft", 2), moved(30, "draft", "purchase", 3)),
    ]


def shuffles() -> list[list[Event]]:
    """The facts in many orders, always the same ones."""
    return [Random(seed).sample(facts(), len(facts())) for seed in range(SHUFFLES)]


def differing(fold: Callable[[list[Event]], World]) -> int:
    """In how many orders a fold tells another story than in the order of time."""
    expected = story(fold(facts()))
    return sum(story(fold(events)) != expected for events in shuffles())


def settled(events: list[Event]) -> World:
    """Our fold."""
    return World().append(events, batch=1).read_until(END)


def impatient(events: list[Event]) -> World:
    """A fold that closes on the first end it sees: everything counts as read after every fact."""
    world = World()
    for number, event in enumerate(events):
        world.append([event, *(read(source, END + number) for source in SOURCES)])
    return world


def test_our_fold_tells_one_story_in_every_order() -> None:
    """What the controls below do not."""
    assert differing(settled) == 0


def test_a_fold_that_closes_on_the_first_end_it_sees_differs() -> None:
    """Results, corrections and episode numbers then depend on who spoke first."""
    assert differing(impatient) > SHUFFLES // 2


def test_a_fold_that_applies_facts_as_they_arrive_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts kept in the order in which they came."""
    arrival = count()
    places: dict[str, int] = {}
    monkeypatch.setattr(advance, "order", lambda event: places.setdefault(event.key, next(arrival)))

    def fold(events: list[Event]) -> World:
        places.clear()
        return settled(events)

    assert differing(fold) > SHUFFLES // 2


def test_a_fold_that_counts_episodes_as_they_come_differs() -> None:
    """The two episodes of the job, numbered by arrival, would swap their ids."""
    events = [job(9, "failed", 1, started=3), posted(5, seen=9), job(40, "done", 1, started=35, done=38)]
    first, second = impatient(events), impatient([events[2], events[0], events[1]])
    assert [(run.key, run.result) for run in first.runs()] == [("1", "failure"), ("2", "success")]
    assert [(run.key, run.result) for run in second.runs()] != [(run.key, run.result) for run in first.runs()]
