"""How long a document waits for what else happened in the second of its end: that second, and no longer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.events import Event
from exporter.fold import advance, records
from tests.searching import searching
from tests.truths import Truth, marked, polled, purchases
from tests.worlds import Review, World, at, document, moved, story

Gaps = st.lists(st.integers(30, 3000).map(lambda ms: ms / 1000), min_size=3, max_size=9)
SetSettle = Callable[[float], None]


@pytest.fixture
def settle(monkeypatch: pytest.MonkeyPatch) -> SetSettle:
    """Have documents settle after other seconds."""

    def change(seconds: float) -> None:
        kind = replace(records.KIND, settle=timedelta(seconds=seconds))
        monkeypatch.setitem(advance.KINDS, "record", kind)

    return change


def moments(truth: Truth, gaps: Sequence[float]) -> list[float]:
    """When it is looked: again and again after these gaps, and once when all is over."""
    found = [0.0]
    while found[-1] < truth.end + 5:
        found.append(found[-1] + gaps[len(found) % len(gaps)])
    return [*found, truth.end + 200]


def live(truth: Truth, times: Sequence[float]) -> World:
    """Poll after poll, the marks behind each."""
    world = World()
    for events in marked(polled(truth, times), times):
        world.append(events)
    return world


@searching(200)
@given(purchases(least=0.01, most=1.5), Gaps)
def test_however_often_we_look_the_story_is_the_same(truth: Truth, gaps: Sequence[float]) -> None:
    """Nudged at any moment, in the middle of a second that goes on: nothing is told too early (decision 1)."""
    times = moments(truth, gaps)
    found = live(truth, times)
    events = [event for poll in polled(truth, times) for event in poll]
    assert story(found) == story(World().append(events).read_until(truth.end + 200))
    assert not found.corrections()


def same_second() -> tuple[list[Event], list[Event]]:
    """An order confirmed at 10.2 and seen at 10.5, its review decided at 10.8: both say 10."""
    review = Review(number=1, asked=5)
    before = [document(0, "draft"), review.requested(), moved(10, "draft", "purchase", 1)]
    return before, [replace(review.decided(10), seen=at(10.8))]


def told(first: float) -> World:
    """Looked at in the middle of the second, then when it is over."""
    before, after = same_second()
    return World().live(before, first).live(after, 60)


def test_what_happened_in_the_second_of_the_end_belongs_to_it() -> None:
    """A review of the same second is a part of the Run, though it was seen after the end."""
    world = told(10.5)
    assert [run.steps[-1].result for run in world.runs() if run.steps[-1].role == "review/1"] == ["success"]
    assert not world.corrections()


def test_a_shorter_wait_would_tell_it_too_early(settle: SetSettle) -> None:
    """The control: with a quarter of a second the Run is closed without its review, and corrected."""
    settle(0.25)
    assert told(10.5).corrections()
