"""Queue jobs: what the versions of a row mean, one truth a test (feature 3; facts/odoo.md section 5)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from exporter.domain.events import Event
from exporter.domain.runs import Run, RunLink
from tests.worlds import World, at, gone, job, posted, read

DONE = (job(0, "pending"), job(5, "started", started=3), job(20, "done", 1, started=3, done=9, exec_time=6.25))
FAILED = (
    job(0, "pending"),
    job(15, "failed", 1, enqueued=2, started=3),
    posted(9, seen=15),
)


def one_run(*events: Event, until: float = 900) -> Run:
    """The only Run that these facts tell."""
    (run,) = World().append(events).read_until(until).runs()
    return run


def drawn(run: Run) -> list[tuple[object, ...]]:
    """(role, start, end, result) of every Step."""
    return [(s.role, s.started_at, s.ended_at, s.result) for s in run.steps]


def test_a_done_job_ends_at_its_start_plus_exec_time() -> None:
    """exec_time has microseconds where the dates have seconds (decision 11)."""
    run = one_run(*DONE)
    assert (run.result, run.scheduled_at, run.started_at, run.ended_at) == ("success", at(0), at(3), at(9.25))
    assert drawn(run) == [("pending", at(0), at(3), None), ("attempt/1", at(3), at(9.25), "success")]


def test_a_failed_job_ends_with_its_message() -> None:
    """The row of a failed job has no end; the message was posted in the same transaction."""
    run = one_run(*FAILED)
    assert (run.result, run.ended_at) == ("failure", at(9))
    assert run.failure is not None
    assert (run.failure.type, run.failure.failure_class) == ("odoo.exceptions.UserError", "business")


def test_a_job_found_dead_posts_no_message_and_is_told_after_half_a_minute() -> None:
    """JobFoundDead is written by raw SQL: nothing tells the end, so its start has to do."""
    world = World().append(FAILED[:2]).read_until(44)
    assert world.runs() == []
    (run,) = world.read_until(46).runs()
    assert (run.result, run.ended_at) == ("failure", at(3))


def test_a_message_that_comes_after_that_is_a_correction() -> None:
    """The end that was told was wrong by more than a second: the log says so."""
    world = World().append(FAILED[:2]).read_until(46).append([posted(9, seen=60)]).read_until(61)
    assert ["failed at" in text for text in world.corrections()] == [True]
    assert world.subjects["job/7"].facts == ()


def test_retries_that_were_seen_are_attempts_that_failed() -> None:
    """Given back at 9 with an ETA of 20: the pause until then is nobody's queue (eta excluded from the wait)."""
    run = one_run(
        job(0, "pending"),
        job(5, "started", started=3),
        job(9, "pending", 1, eta=20),
        job(22, "started", 1, enqueued=21, started=22, eta=20),
        job(30, "done", 2, started=22, done=25, exec_time=3.0, eta=20),
    )
    assert drawn(run) == [
        ("pending", at(0), at(3), None),
        ("attempt/1", at(3), at(9), "failure"),
        ("pending/2", at(20), at(22), None),
        ("attempt/2", at(22), at(25), "success"),
    ]
    assert dict(run.attributes)["odoo.job.attempts.unseen"] == 0


def test_retries_nobody_saw_are_counted_and_never_drawn() -> None:
    """`retry` says 3 when the job is done and one start was seen: two attempts are missing (decision 11)."""
    run = one_run(job(0, "pending"), job(99, "done", 3, started=90, done=95, exec_time=5.0))
    attributes = dict(run.attributes)
    assert (attributes["odoo.job.attempts"], attributes["odoo.job.attempts.unseen"]) == (3, 2)
    assert [s.role for s in run.steps] == ["pending", "attempt/3"]


def test_an_attempt_that_does_not_count_keeps_a_name_of_its_own() -> None:
    """A retry with `ignore_retry` leaves the counter alone: two spans must not share an id."""
    run = one_run(
        job(5, "started", started=3),
        job(9, "pending", 0, eta=20),
        job(25, "started", 0, started=22),
        job(30, "done", 1, started=22, done=25, exec_time=3.0),
    )
    assert [s.role for s in run.steps] == ["pending", "attempt/1", "pending/2", "attempt/2"]


def test_a_job_found_dead_keeps_its_start_while_it_waits_again() -> None:
    """Raw SQL leaves date_started: the enqueued row of the next attempt still shows the dead one's."""
    run = one_run(
        job(5, "started", started=3, enqueued=2),
        job(70, "pending", 1, started=3, enqueued=2),
        job(85, "enqueued", 1, started=3, enqueued=80),
        job(100, "done", 2, started=90, enqueued=80, done=95, exec_time=5.0),
    )
    assert [(s.role, s.result) for s in run.steps if s.name == "attempt"] == [
        ("attempt/1", "failure"),
        ("attempt/2", "success"),
    ]
    assert run.steps[1].ended_at == at(70)


def test_the_first_eta_is_when_the_job_was_wanted() -> None:
    """Created at 0 for 100: it waited two seconds, not 102."""
    run = one_run(job(0, "pending", eta=100), job(110, "done", 1, eta=100, started=102, done=103, exec_time=1.0))
    assert (run.scheduled_at, run.started_at) == (at(100), at(102))


def test_links_name_the_jobs_it_waited_for() -> None:
    """`dependencies` of the row: a link each, computed from the uuid alone."""
    depends = [replace(e, body=replace(e.body, depends_on=("uuid-1", "uuid-2"))) for e in DONE]  # type: ignore[type-var]
    run = one_run(*depends)
    assert run.links[0] == RunLink(reason="depends_on", model="queue.job", record_id="uuid-1", key="1", trace_key="1")
    assert len(run.links) == 2


AGAIN = (
    job(30, "pending"),
    job(60, "started", enqueued=50, started=51),
    job(75, "done", 1, enqueued=50, started=51, done=55, exec_time=4.0),
)


@pytest.mark.parametrize("polls", [(900,), (16, 31, 61, 900)])
def test_a_requeue_begins_the_next_episode(polls: Sequence[float]) -> None:
    """The same job, another Run: it waits since the requeue was seen, whenever the facts came (decision 11)."""
    world, events = World(), [*FAILED, *AGAIN]
    for until in polls:
        world.append([e for e in events if e.seen <= at(until)]).read_until(until)
    first, second = world.runs()
    assert [(r.key, r.result) for r in (first, second)] == [("1", "failure"), ("2", "success")]
    assert (second.scheduled_at, second.started_at, first.ended_at) == (at(30), at(51), at(9))
    assert first.trace_key != second.trace_key


def test_a_requeue_between_two_polls_is_seen_by_its_start_or_by_its_counter() -> None:
    """Failed, requeued and done before we looked again: date_started is another one."""
    world = World().append([*FAILED, AGAIN[-1]]).read_until(900)
    assert world.results() == [("1", "failure"), ("2", "success")]


def test_an_end_nobody_saw_before_a_requeue_is_unknown() -> None:
    """The counter begins again at zero: something ended in between, and nobody can say how."""
    world = World().append([job(5, "started", 2, started=3), job(30, "pending", 0), *AGAIN[1:]]).read_until(900)
    assert world.results() == [("1", "unknown"), ("2", "success")]
    assert world.run("1").ended_at == at(30)


def test_a_job_cancelled_before_it_started_waited_until_then() -> None:
    """No attempt, one wait, result cancellation."""
    run = one_run(job(0, "pending"), job(45, "cancelled", cancelled=40))
    assert (run.result, run.failure, drawn(run)) == ("cancellation", None, [("pending", at(0), at(40), None)])
    assert (run.scheduled_at, run.started_at, run.ended_at) == (at(0), at(40), at(40))


def test_a_job_cancelled_after_a_failure_nobody_saw_keeps_the_attempt() -> None:
    """Odoo keeps date_started of the failed attempt: it was over by the cancellation."""
    run = one_run(job(0, "pending"), job(45, "cancelled", 1, started=3, cancelled=40))
    assert (run.result, run.ended_at, drawn(run)[-1][0]) == ("cancellation", at(40), "attempt/1")


@pytest.mark.parametrize("polls", [(900,), (16, 900)])
@pytest.mark.parametrize("state", ["done", "cancelled"])
def test_what_a_person_makes_of_a_failed_job_is_a_correction(state: str, polls: Sequence[float]) -> None:
    """Set to done or cancelled by hand after it failed: the failure stays told, the log says what became of it."""
    by_hand = job(700, state, 1, enqueued=2, started=3, done=690, cancelled=690, exec_time=687.0)
    world, events = World(), [*FAILED, by_hand]
    for until in polls:
        world.append([e for e in events if e.seen <= at(until)]).read_until(until)
    assert world.results() == [("1", "failure")]
    assert world.corrections() == [f"Send: is {state} now, was told as failure"]
    assert world.total("odoo_job_runs_total") == 1


def test_a_job_judged_by_a_person_may_run_again() -> None:
    """Failed, cancelled by hand, requeued: the next episode is number two."""
    by_hand = job(20, "cancelled", 1, enqueued=2, started=3, cancelled=18)
    world = World().append([*FAILED, by_hand, *AGAIN]).read_until(900)
    assert world.results() == [("1", "failure"), ("2", "success")]


@pytest.mark.parametrize("state", ["pending", "started"])
def test_an_open_job_that_vanished_is_closed_as_cancelled(state: str) -> None:
    """Somebody deleted the row: nothing stays open for ever, and the span says why."""
    run = one_run(job(5, state, started=3 if state == "started" else None), gone(30))
    assert (run.result, run.ended_at) == ("cancellation", at(30))
    assert dict(run.attributes)["odoo.job.vanished"] is True


def test_a_job_that_vanished_before_it_was_seen_says_nothing() -> None:
    """No version of it is known: nothing is told, nothing waits."""
    world = World().append([gone(30)]).read_until(60)
    assert (world.runs(), world.timers, world.subjects["job/7"].facts) == ([], {}, ())


def test_a_finished_job_that_vanishes_says_nothing() -> None:
    """Odoo deletes finished jobs after thirty days."""
    world = World().append(DONE).read_until(30)
    spans = list(world.spans)
    world.append([gone(900)]).read_until(901)
    assert (world.spans, world.corrections(), len(world.runs())) == (spans, [], 1)


def test_an_open_job_says_what_it_waits_for_and_since_when() -> None:
    """pending since its creation, started since its start, pending again since it was given back."""
    world, since = World(), []
    for event in (job(0, "pending"), job(5, "started", started=3), job(9, "pending", 1, eta=600)):
        world.append([event])
        run = world.open("job/7")
        since.append(run and (run.state, run.since))
    assert since == [("pending", at(0)), ("started", at(3)), ("pending", at(9))]


def test_steps_are_told_early_and_once() -> None:
    """The wait and a finished attempt are told while the job goes on, and not again at its close (decision 3)."""
    world = World().append([job(0, "pending"), job(5, "started", started=3)]).read_until(6)
    assert [s.name for s in world.spans] == ["pending"]
    world.append([job(9, "pending", 1, eta=20)]).read_until(15)
    assert [s.name for s in world.spans] == ["pending", "attempt"]
    world.append([job(30, "done", 2, started=22, done=25, exec_time=3.0, eta=20)]).read_until(40)
    assert sorted(s.name for s in world.spans) == ["attempt", "attempt", "pending", "pending", "process root.lab"]
    assert len({s.span_id for s in world.spans}) == 5


def test_numbers_of_a_job_are_counted_once() -> None:
    """One run, one error, one retry, two attempts: whatever was seen of it."""
    world = World().append([job(0, "pending"), job(15, "failed", 2, started=3), posted(9, seen=15)]).read_until(90)
    names = ("odoo_job_runs_total", "odoo_job_errors_total", "odoo_job_retries_total", "odoo_job_unseen_attempts_total")
    assert [world.total(name) for name in names] == [1, 1, 1, 1]


def test_nothing_closes_between_two_marks() -> None:
    """Facts that came without a mark may be half a poll: however old they are, the next mark decides (decision 1)."""
    world = World().append(DONE[:2]).read_until(500)
    world.append([job(505, "failed", 1, started=3), posted(9, seen=505)])
    assert world.runs() == []
    world.append([read("odoo/jobs", 505.5)])
    assert world.results() == [("1", "failure")]


def test_the_next_mark_that_could_say_more_is_the_one_waited_for() -> None:
    """Two Steps ended, at 3 and at 100: the first is told without waiting for the second."""
    world = World().append([job(0, "pending"), job(5, "started", started=3), job(100, "pending", 1, eta=700)])
    assert world.timers["job/7", "settle"].due == at(4)
    assert [span.name for span in world.read_until(50).spans if not span.name.endswith("started")] == ["pending"]
