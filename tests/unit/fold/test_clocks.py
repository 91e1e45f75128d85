"""Clocks may lie (R14): whatever times Odoo writes, what we tell has an order."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.events import Event
from tests.searching import searching
from tests.worlds import BILL, Review, Row, World, counted, document, job, moved, posted

Time = st.integers(-86_400, 86_400)
Maybe = st.none() | Time


@st.composite
def lying(draw: st.DrawFn) -> list[Event]:
    """Rows of everything, with any times within a day."""
    events: list[Event] = [counted(draw(Time), draw(Maybe), draw(st.integers(0, 6)), nextcall=draw(Time))]
    for number in range(1, draw(st.integers(1, 4)) + 1):
        row = Row(number=number, start=draw(Time), end=draw(Time), done=draw(st.integers(0, 5)), remaining=5)
        events += [row.started(seen=draw(Time)), row.ended(seen=draw(Time)), counted(draw(Time), draw(Maybe))]
    for state in draw(st.lists(st.sampled_from(["pending", "started", "failed", "done", "cancelled"]), max_size=6)):
        dates = {name: draw(Maybe) for name in ("eta", "enqueued", "started", "done", "cancelled")}
        events.append(job(draw(Time), state, draw(st.integers(0, 3)), created=draw(Time), **dates))
    events += [posted(draw(Time)), document(draw(Time), "draft")]
    states = ("draft", "to approve", "purchase", "cancel")
    for number in range(draw(st.integers(0, 4))):
        events.append(moved(draw(Time), draw(st.sampled_from(states)), draw(st.sampled_from(states)), number + 1))
    for number in range(draw(st.integers(0, 3))):
        review = Review(number=number + 1, asked=draw(Time), of=draw(st.sampled_from([BILL, ("purchase.order", 17)])))
        events += [review.requested(), review.decided(draw(Time)), review.vanished(draw(Time))]
    return events


def told(events: Sequence[Event]) -> World:
    """Everything, long after."""
    world = World().append(events).read_until(200_000)
    assert not world.quarantined
    return world


@searching()
@given(lying())
def test_no_duration_is_ever_negative(events: Sequence[Event]) -> None:
    """Spans, Runs, Steps, histograms and observations."""
    world = told(events)
    assert all(span.ended_at >= span.started_at for span in world.spans)
    assert all(run.ended_at is None or run.ended_at >= run.started_at for run in world.runs())
    assert all(one.value >= 0 for one in world.observations)
    assert all(one.value >= 0 for one in world.measurements if one.name.endswith("duration_seconds"))
    steps = [step for run in world.runs() for step in run.steps]
    assert all(step.ended_at is None or step.ended_at >= step.started_at for step in steps)


@searching()
@given(lying())
def test_children_lie_inside_their_root(events: Sequence[Event]) -> None:
    """Jaeger would shift them and warn of skewed clocks."""
    world = told(events)
    roots = {span.span_id: span for span in world.spans if not span.parent_id}
    for span in world.spans:
        root = roots.get(span.parent_id)
        if root is not None and not span.name.endswith(" started"):
            assert root.started_at <= span.started_at
            assert span.ended_at <= root.ended_at


def test_a_duration_that_was_made_zero_is_marked() -> None:
    """Written before it was created: the span says that its end is not what the row said."""
    rows = [Row(number=1, start=100, end=40).ended(), counted(115, 100)]
    world = World().append([counted(-10, -60, nextcall=9999), *rows]).read_until(200)
    (span,) = world.spans
    assert dict(span.attributes)["odoo.time.clamped"] is True
    assert span.ended_at - span.started_at <= timedelta(microseconds=1)


def test_honest_times_are_not_marked() -> None:
    """The attribute means something."""
    rows = [Row(number=1, start=0, end=40).ended(), counted(115, 0)]
    world = World().append([counted(-10, -60, nextcall=9999), *rows]).read_until(200)
    assert not any("odoo.time.clamped" in dict(span.attributes) for span in world.spans)
