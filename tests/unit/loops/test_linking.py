"""Link keys and parked Events: what waits for a fact is folded with it, in whatever order and batches they come."""

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain.events import Event
from exporter.fold.route import route
from exporter.loops.linking import Linking
from exporter.store.entries import Stored
from tests.worlds import World, counted, event


def line(number: int, name: str = "LAB action") -> Event:
    """A line of a log that names its scheduled action but no id, as Odoo wrote it before version 18."""
    body = b.LogWritten(says="cron.started", cron=name, pid=1)
    return event("odoo.log.written", number, f"0/log/{number}", body, source="odoo/log")


def document(number: int, name: str = "S00023") -> Event:
    """A document that bears a name."""
    body = b.RecordChanged(model="sale.order", record_id=number, name=name)
    return event("odoo.record.changed", number, f"0/record/{number}", body, source="odoo/approvals")


def linking(waiting: Sequence[Event] = ()) -> Linking:
    """Over an empty store in which Events may wait."""
    return Linking(find=lambda _: {}, waiting=lambda _: [Stored(seq=1, event=one) for one in waiting])


def test_an_event_without_a_subject_waits_for_the_fact_that_gives_it_one() -> None:
    """A line that only names its action is parked with its place, and released by the row that bears the name."""
    links = linking()
    assert links.placed([line(1), line(2, "other")]) == []
    assert links.parked == {"cron:LAB action": [line(1)], "cron:other": [line(2, "other")]}
    row = counted(3, None)
    assert links.placed([row]) == [row, line(1)]
    assert (links.made, links.released) == ({"cron:LAB action": "cron/42"}, ["cron:LAB action"])
    assert route(line(1), links.known) == "cron/42"


def test_stored_events_are_released_too() -> None:
    """What an earlier batch parked comes back with the fact it waited for, and is not parked again."""
    links = linking([line(1)])
    row = counted(3, None)
    assert links.placed([row]) == [row, line(1)]
    assert links.released == ["cron:LAB action"]
    links.begin()
    assert (links.made, links.released, links.placed([row])) == ({}, [], [row])


def test_places_are_those_of_the_batch() -> None:
    """A parked Event is remembered by its sequence number."""
    links, lines = linking(), [line(1), line(2)]
    links.placed(lines)
    stored = [Stored(seq=number, event=one) for number, one in enumerate(lines, 7)]
    assert links.places(stored) == [("cron:LAB action", 7), ("cron:LAB action", 8)]


@given(st.permutations(range(1, 5)))
def test_of_two_records_of_one_name_the_same_is_linked(order: list[int]) -> None:
    """The link leads to the first Subject by name, whichever record was read first."""
    links = linking()
    for number in order:
        links.placed([document(number)])
    assert links.made == {"sale.order:S00023": "record/sale.order/1", ":S00023": "record/sale.order/1"}


@given(st.randoms(use_true_random=True), st.sampled_from([1, 2, 100]))
def test_parked_lines_reach_their_subject_in_any_order(rng: Random, batch: int) -> None:
    """However lines and the row that names them are mixed, nothing waits at the end and nothing is set aside."""
    events = [counted(0, None), *(line(number) for number in range(1, 6))]
    rng.shuffle(events)
    world = World().append(events, batch=batch)
    assert (world.waiting, world.quarantined, set(world.subjects) - {"scheduler/all"}) == ([], [], {"cron/42"})
