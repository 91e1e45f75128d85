"""A database that was put back: rows under ids that were told before are Runs and Steps of their own (R3, R7)."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.events import Event
from exporter.fold.epochs import named, placed
from tests.searching import searching
from tests.worlds import BILL, Review, Row, World, at, counted, document, gone, job, moved, story

THEN, NOW = 100.0, 10_000.0  # what was before the backup, and what came after the restore


def later(events: Iterable[Event], **body: Any) -> list[Event]:
    """The same rows under the same ids, in the epoch behind the restore, as other ones."""
    return [replace(one, key="1" + one.key[1:], body=replace(one.body, **body)) for one in events]


def run(number: int, start: float) -> list[Event]:
    """A run of two seconds that went well, and ir.cron behind it."""
    return [Row(number=number, start=start, end=start + 2).ended(), counted(start + 3, start)]


def approval(begin: float, number: int) -> list[Event]:
    """The order's row, its way to approval and beyond, and its review; made at `begin`."""
    review = Review(number=number, asked=begin + 10)
    return [
        document(begin, "draft"),
        moved(begin + 10, "draft", "to approve", number),
        review.requested(),
        review.decided(begin + 20),
        moved(begin + 30, "to approve", "purchase", number + 1),
    ]


def made(events: Iterable[Event], when: float) -> list[Event]:
    """The same, the document made at that time."""
    rows = ([one] if one.name != "odoo.record.changed" else later([one], create_date=at(when)) for one in events)
    return [one for part in rows for one in part]


def keys(world: World) -> list[tuple[str, str, str | None]]:
    """(subject, run key, result) of every Run."""
    return sorted((run.subject, run.key, run.result) for run in world.runs())


CRONS = [*run(5, THEN), *run(6, THEN + 50), *run(7, THEN + 90), counted(NOW, THEN), *later(run(6, NOW + 60))]
JOBS = [
    job(THEN, "pending", created=THEN),
    job(THEN + 9, "done", started=THEN + 1, done=THEN + 5, created=THEN),
    *later([job(NOW, "pending", created=NOW)], uuid="another"),
    *later([job(NOW + 9, "done", started=NOW + 1, done=NOW + 5, created=NOW)], uuid="another"),
]
ORDERS = [*made(approval(THEN, 31), THEN), *later(made(approval(NOW, 31), NOW)[1:]), *made(approval(NOW, 31), NOW)[:1]]


def test_a_row_is_placed_behind_all_of_earlier_epochs() -> None:
    """Row 5 behind a restore is later than row 900 before it, and is called 1:5; before one a row is its id."""
    first, second = replace(run(5, 0)[0], key="0/a"), replace(run(5, 0)[0], key="1/a")
    assert placed(first, 900) == 900 < placed(second, 5)
    assert [named(placed(one, 5)) for one in (first, second)] == ["5", "1:5"]


def test_runs_of_an_action_whose_rows_come_again() -> None:
    """Row 6 of now is another run than row 6 of then: both are told, under keys of their own, each as it went."""
    world = World().append(CRONS).read_until(NOW + 300)
    assert keys(world) == [("cron/42", key, "success") for key in ("1:6", "5", "6", "7")]
    assert world.corrections() == []


def test_a_run_nobody_saw_counted_is_not_judged_by_the_backup() -> None:
    """What ir.cron says behind a restore is of yesterday: a run whose end was not read before is unknown."""
    old = [*run(5, THEN), Row(number=6, start=THEN + 50, end=THEN + 52).ended()]
    world = World().append([*old, counted(NOW, THEN - 60, failures=2)]).read_until(NOW + 300)
    assert keys(world) == [("cron/42", "5", "success"), ("cron/42", "6", "unknown")]


def test_a_job_under_an_id_that_was_another_ones() -> None:
    """Its uuid says that it is another job: it waits since it was made, and its trace is its own."""
    world = World().append(JOBS).read_until(NOW + 300)
    first, second = sorted(world.runs(), key=lambda one: one.started_at)
    assert (first.record_id, second.record_id) == ("uuid-7", "another")
    assert (second.scheduled_at, second.ended_at, second.result) == (at(NOW), at(NOW + 5), "success")
    assert len({span.trace_id for span in world.spans}) == 2


def test_a_job_that_waited_when_its_id_was_given_to_another() -> None:
    """Nobody will see how it ended: it is told as unknown, and the other one by itself."""
    world = World().append([JOBS[0], *JOBS[2:]]).read_until(NOW + 300)
    assert [(one.record_id, one.result) for one in world.runs()] == [("uuid-7", "unknown"), ("another", "success")]


def test_a_job_that_is_run_again_is_its_next_episode() -> None:
    """Done, and by the backup still waiting: it runs twice indeed, as after a requeue."""
    again = [job(NOW, "pending", created=THEN), job(NOW + 9, "done", started=NOW + 1, done=NOW + 5, created=THEN)]
    world = World().append([*JOBS[:2], *again]).read_until(NOW + 300)
    assert keys(world) == [("job/7", "1", "success"), ("job/7", "2", "success")]


def test_an_order_under_an_id_that_was_another_ones() -> None:
    """It was made later than the one known by its id: a life of its own, in a trace of its own, from its start on."""
    world = World().append(ORDERS).read_until(NOW + 300)
    first, second = sorted(world.runs(), key=lambda one: one.started_at)
    assert [(one.key, one.result, one.started_at) for one in (first, second)] == [
        ("1", "success", at(THEN)),
        ("1:1", "success", at(NOW)),
    ]
    assert [len(one.steps) for one in (first, second)] == [3, 3]
    assert len({span.trace_id for span in world.spans}) == 2
    assert len({span.span_id for span in world.spans}) == len(world.spans) == 8


def test_an_order_that_waited_when_its_id_was_given_to_another() -> None:
    """It is over when the other one was made, as unknown; a fact of it that comes late is not the other one's."""
    old, new = ORDERS[:3], ORDERS[5:]
    world = World().append([*old, *new]).read_until(NOW + 300)
    first, second = sorted(world.runs(), key=lambda one: one.started_at)
    assert [(one.key, one.result, one.ended_at) for one in (first, second)] == [
        ("1", "unknown", at(NOW)),
        ("1:1", "success", at(NOW + 30)),
    ]
    world.append(ORDERS[3:4]).read_until(NOW + 400)
    assert len(world.runs()) == 2


def test_work_that_is_done_once_more_on_an_order_of_before() -> None:
    """Its review and its change come again under their ids while it is open: each is a Step of its own."""
    work = approval(THEN, 31)[:4]  # it is reviewed, and not bought yet when the database is put back
    again = later(approval(NOW, 31)[1:4])
    again = [replace(one, body=replace(one.body, **_asked(one))) for one in again]
    end = later([moved(NOW + 30, "to approve", "purchase", 32)])
    world = World().append(made(work, THEN)).read_until(NOW - 100).append([*again, *end]).read_until(NOW + 300)
    (only,) = world.runs()
    assert [step.role for step in only.steps] == [
        "state/0",
        "review/31",
        "state/31",
        "review/31/2",
        "state/1:31",
    ]
    assert [step.ended_at for step in only.steps if step.role.startswith("review")] == [at(THEN + 20), at(NOW + 20)]
    assert len({span.span_id for span in world.spans}) == len(world.spans) == 7, "its marker, too"


def _asked(event: Event) -> dict[str, Any]:
    return {"create_date": at(NOW + 10)} if event.name.startswith("odoo.review") else {}


def test_reviews_alone_come_again() -> None:
    """A model without final states: the review of then is over, the one of now under its id is the next episode."""
    then, now = Review(number=3, asked=THEN, of=BILL), Review(number=3, asked=NOW, of=BILL)
    facts = [then.requested(), then.vanished(THEN + 50), *later([now.requested(), now.decided(NOW + 9)])]
    facts = [replace(one, body=replace(one.body, create_date=at(NOW))) if one.key[0] == "1" else one for one in facts]
    world = World().append(facts).read_until(NOW + 300)
    assert [(one.result, one.ended_at) for one in world.runs()] == [
        ("cancellation", at(THEN + 50)),
        ("success", at(NOW + 9)),
    ]


@searching()
@given(st.randoms(use_true_random=True), st.sampled_from([1, 2, 7, 1000]))
def test_any_order_tells_the_same(rng: Random, batch: int) -> None:
    """Shuffled, and saved and loaded between any two Commits: what came again tells the same story."""
    facts = [*CRONS, *JOBS, *ORDERS, gone(NOW + 500, number=900)]
    shuffled = [*facts, *rng.sample(facts, 5)]
    rng.shuffle(shuffled)
    world = World().append(shuffled, batch=batch).read_until(NOW + 900)
    assert story(world) == story(World().append(facts).read_until(NOW + 900))
    assert not world.quarantined
