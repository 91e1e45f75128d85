"""Scheduled actions: what Odoo's rows mean, one truth a test (feature 2; facts/odoo.md section 2)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from exporter.domain.bodies import RecordVanished
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.domain.times import MICRO
from exporter.fold.subjects import Flow
from tests.worlds import FLOW, TENANT, Row, World, at, counted, event, trigger

BEFORE = counted(-10, -3600, nextcall=-1, interval=60)


def one_run(*events: Event, until: float = 100) -> Run:
    """The only Run that these facts tell."""
    (run,) = World().append([BEFORE, *events]).read_until(until).runs()
    return run


@pytest.mark.parametrize(("failures", "result"), [(0, "success"), (1, "failure")])
def test_the_read_of_ir_cron_behind_the_end_tells_success_and_failure(failures: int, result: str) -> None:
    """`lastcall` moved to the run: it failed if the counter is above zero, else it succeeded (decision 10)."""
    run = one_run(Row(number=1, start=0, end=4).ended(), counted(15, 0, failures, nextcall=3600))
    assert (run.result, run.started_at, run.ended_at) == (result, at(0), at(4))


@pytest.mark.parametrize(
    ("failures", "results"),
    [
        (0, ["unknown", "unknown", "success"]),
        (1, ["unknown", "success", "failure"]),
        (2, ["success", "failure", "failure"]),
        (3, ["failure", "failure", "failure"]),
        (9, ["failure", "failure", "failure"]),
    ],
)
def test_of_several_unread_runs_the_counter_says_how_the_newest_ended(failures: int, results: Sequence[str]) -> None:
    """Of k unread runs the newest min(k, failure_count) failed, the one before did not, older ones are unknown."""
    rows = [Row(number=n + 1, start=n * 60, end=n * 60 + 2).ended() for n in range(3)]
    world = World().append([BEFORE, *rows, counted(130, 120, failures)]).read_until(200)
    assert [result for _, result in world.results()] == results


def test_a_partial_run_among_the_unread_ones_broke_the_row_of_failures() -> None:
    """A run that left work over heals the counter: what failed before it is not told as a success (trap of C:612)."""
    rows = [
        Row(number=1, start=0, end=2).ended(),
        Row(number=2, start=60, end=62, remaining=9).ended(),
        Row(number=3, start=120, end=122).ended(),
    ]
    world = World().append([BEFORE, *rows, counted(130, 120, 1)]).read_until(200)
    assert world.results() == [("1", "unknown"), ("2", "partial"), ("3", "failure")]


def test_a_partial_run_behind_an_unread_one_hides_its_result() -> None:
    """The counter was set to zero behind the run it would speak of: unknown, not success."""
    rows = [Row(number=1, start=0, end=2), Row(number=2, start=5, end=7, done=1, remaining=9)]
    world = World().append([BEFORE, *(row.ended() for row in rows), counted(15, 0, 0)]).read_until(60)
    assert world.results() == [("1", "unknown"), ("2", "partial")]


def test_a_loop_that_goes_on_at_the_read_hides_nothing() -> None:
    """What looked partial at the read was the middle of a run: the counter speaks of the run before it."""
    rows = [Row(number=1, start=0, end=2), Row(number=2, start=5, end=14, done=1, remaining=9)]
    world = World().append([BEFORE, *(row.ended() for row in rows), counted(15, 0, 1)]).read_until(15)
    assert world.runs() == []
    following = Row(number=3, start=14, end=20, done=9)
    world.append([following.started(seen=16)]).read_until(16)
    assert world.results() == [("1", "failure")]


def test_a_run_that_left_work_over_is_partial_and_its_continuation_waits_since_its_end() -> None:
    """Odoo leaves `lastcall` alone and starts the action again at once: the wait begins at the end before it."""
    partial = Row(number=1, start=0, end=5, done=5, remaining=10).ended()
    following = Row(number=2, start=60, end=65, done=10).ended()
    world = World().append([BEFORE, partial]).read_until(16)
    world.append([following, counted(75, 60, nextcall=3599, interval=60)]).read_until(90)
    assert world.results() == [("1", "partial"), ("2", "success")]
    assert (world.run("2").scheduled_at, world.run("2").steps[0].wait) == (at(5), "queue")


def test_the_continuation_of_a_triggered_partial_run_waits_since_its_end_too() -> None:
    """Not due by its schedule, but wanted: the trigger Odoo sets is as old as the start of the run before."""
    ahead = counted(-10, -3600, nextcall=9999)
    rows = [Row(number=1, start=0, end=5, done=5, remaining=9), Row(number=2, start=60, end=65, done=9)]
    facts = [ahead, trigger(1, -3), *(row.ended() for row in rows), trigger(2, 0), counted(75, 60, nextcall=9999)]
    second = World().append(facts).read_until(90).run("2")
    assert (second.scheduled_at, dict(second.attributes)["odoo.cron.trigger"]) == (at(5), "trigger")


def test_loop_iterations_that_follow_at_once_are_batches_of_one_run() -> None:
    """A row continues a run if the one before had done and left work and ended a second earlier at most."""
    rows = [
        Row(number=1, start=0, end=3, done=5, remaining=10),
        Row(number=2, start=3, end=6, done=5, remaining=5),
        Row(number=3, start=7, end=9, done=5),
    ]
    run = one_run(*(row.ended() for row in rows), counted(15, 0))
    batches = [(s.role, s.started_at, s.ended_at) for s in run.steps if s.name == "batch"]
    assert (run.key, run.result, run.ended_at) == ("1", "success", at(9))
    assert batches == [("batch/1", at(0), at(3)), ("batch/2", at(3), at(6)), ("batch/3", at(7), at(9))]


def test_a_row_that_follows_later_or_after_no_progress_is_another_run() -> None:
    """Two seconds later, or behind a row that had done nothing: not the same run (decision 9)."""
    rows = [
        Row(number=1, start=0, end=3, done=5, remaining=10),
        Row(number=2, start=5, end=6, remaining=5),
        Row(number=3, start=6, end=9),
    ]
    world = World().append([BEFORE, *(row.ended() for row in rows), counted(15, 5)]).read_until(60)
    assert [run.key for run in world.runs()] == ["1", "2", "3"]


def test_a_crash_is_known_when_a_newer_row_exists() -> None:
    """The row never ended and the action runs again: error, of type crashed, at its last sign of life."""
    world = World().append([BEFORE, Row(number=1, start=0).started()]).read_until(50)
    assert world.runs() == []
    world.append([Row(number=2, start=100, end=101).ended(), counted(105, 100)]).read_until(120)
    crashed = world.run("1")
    assert (crashed.result, crashed.ended_at) == ("error", at(0))
    assert crashed.failure is not None
    assert crashed.failure.type == "crashed"
    assert world.run("2").links[0].key == "1"


def test_an_open_row_that_is_purged_closes_its_run_as_crashed() -> None:
    """A week after its process was killed Odoo deletes the row: nothing stays open for ever."""
    world = World().append([BEFORE, Row(number=1, start=0).started()]).read_until(50)
    world.append([Row(number=1, start=0).vanished(700_000)]).read_until(700_015)
    assert world.results() == [("1", "error")]
    assert {name for _, name in world.timers} <= {"limit"}


def test_an_action_that_is_deleted_closes_its_open_run() -> None:
    """The row of ir.cron is gone, and with it, unseen, its progress."""
    gone = event("odoo.record.vanished", 60, "0/cron/42/vanished", RecordVanished(model="ir.cron", record_id=42))
    world = World().append([BEFORE, Row(number=1, start=0).started()]).read_until(50).append([gone]).read_until(70)
    assert world.results() == [("1", "error")]
    assert set(world.subjects) == {"cron/42", "scheduler/all"}


def test_a_run_killed_before_ir_cron_counted_it_is_unknown() -> None:
    """Its row ended, `lastcall` never moved, and ir.cron was read ten seconds later."""
    world = World().append([BEFORE, Row(number=1, start=0, end=4).ended()]).read_until(14)
    assert world.results() == [("1", "unknown")]
    world.append([Row(number=2, start=60, end=62).ended(), counted(75, 60, 1)]).read_until(90)
    assert world.results() == [("1", "unknown"), ("2", "failure")]


def test_nothing_is_concluded_before_ir_cron_was_read_late_enough() -> None:
    """After an outage the Source's mark, not the wall clock, lets a run close (decision 1)."""
    world = World().append([BEFORE, Row(number=1, start=0, end=4).ended()]).read_until(13)
    assert world.runs() == []


def test_a_long_run_is_shown_open_and_its_wait_is_told_once() -> None:
    """Open for more than 60 s: a marker, an open state, the wait told early and not again at the close (decision 3)."""
    world = World().append([counted(-10, -3600, nextcall=-5, interval=60), Row(number=1, start=0).started()])
    world.read_until(30)
    assert [span.name for span in world.spans] == ["wait"]
    world.read_until(59)
    assert len(world.spans) == 1
    world.read_until(61)
    marker = world.spans[-1]
    assert (marker.name, marker.started_at, marker.ended_at) == ("cron LAB action started", at(-5), at(-5) + MICRO)
    assert world.logs[-1].event_name == "odoo.cron.started"
    assert next(iter(world.rows.values())).ended_at is None
    world.append([Row(number=1, start=0, end=120).ended(), counted(135, 0, nextcall=3595)]).read_until(150)
    assert sorted(span.name for span in world.spans) == ["cron LAB action", "cron LAB action started", "wait"]
    root = next(span for span in world.spans if span.name == "cron LAB action")
    assert {span.parent_id for span in world.spans if span is not root} == {root.span_id}


def test_a_time_out_that_odoo_counts_is_a_run_without_a_row() -> None:
    """After three crashes Odoo resets the old row, counts a failure, starts nothing: timeout, and the row crashed."""
    crashes = [Row(number=n, start=n * 60, counter=n).started() for n in (1, 2, 3)]
    reset = Row(number=3, start=180, end=180).ended(seen=245)
    world = World().append([BEFORE, *crashes]).read_until(200)
    world.append([reset, counted(245, 240, 1)]).read_until(300)
    assert [result for _, result in world.results()] == ["error", "error", "error", "timeout"]
    assert world.runs()[-1].key == "2026-11-22T10:04:00Z"


def test_a_sub_second_run_after_two_crashes_is_no_time_out() -> None:
    """Its row bears timed_out_counter 3 and no duration, as a reset one does, but `lastcall` moved to it."""
    crashes = [Row(number=n, start=n * 60, counter=n).started() for n in (1, 2)]
    good = Row(number=3, start=180, end=180, counter=3)
    world = World().append([BEFORE, *crashes, good.started(), good.ended(), counted(190, 180)]).read_until(300)
    assert world.results()[-1] == ("3", "success")


def test_a_failure_without_a_row_and_without_crashes_is_a_failure() -> None:
    """The user of the action is archived: Odoo counts a failure and writes no progress."""
    world = World().append([BEFORE, counted(15, 5, 1)]).read_until(60)
    assert world.results() == [("2026-11-22T10:00:05Z", "failure")]


def test_deactivation_at_the_fifth_failure_resets_the_counter_but_was_a_failure() -> None:
    """failure_count goes from 4 to 0 and `active` off in one write: the run that did it failed."""
    before = counted(-10, -3600, 4, nextcall=-1)
    off = counted(15, 0, 0, active=False)
    (run,) = World().append([before, Row(number=1, start=0, end=4).ended(), off]).read_until(60).runs()
    assert run.result == "failure"


@pytest.mark.parametrize(
    ("nextcall", "triggers", "expected"),
    [
        (-5, [], ("schedule", at(-5))),
        (500, [-3], ("trigger", at(-3))),
        (500, [-3, -8], ("trigger", at(-8))),
        (500, [], ("unknown", None)),
        (500, [7], ("unknown", None)),
    ],
)
def test_the_reason_of_a_start_is_its_schedule_a_trigger_or_unknown(
    nextcall: float, triggers: Sequence[float], expected: tuple[str, object]
) -> None:
    """Due by `nextcall`, else asked for by a trigger, else started by hand or for a reason nobody saw."""
    before = counted(-10, -3600, nextcall=nextcall)
    asked = [trigger(number, when) for number, when in enumerate(triggers)]
    facts = [before, *asked, Row(number=1, start=0, end=4).ended(), counted(15, 0, nextcall=nextcall + 600)]
    (run,) = World().append(facts).read_until(60).runs()
    assert (dict(run.attributes)["odoo.cron.trigger"], run.scheduled_at) == expected


def test_unread_runs_wait_since_their_own_due_time_not_since_the_run_before() -> None:
    """`nextcall` was last read before three runs: Odoo has moved it on by the interval at each of them."""
    before = counted(-10, -60, nextcall=-1, interval=1)
    rows = [Row(number=n + 1, start=n * 60, end=n * 60 + 2).ended() for n in range(3)]
    world = World().append([before, *rows, counted(130, 120, nextcall=179, interval=1)]).read_until(200)
    assert [run.scheduled_at for run in world.runs()] == [at(-1), at(59), at(119)]


def test_a_run_shorter_than_a_second_waits_for_ir_cron_like_any_other() -> None:
    """Started and ended in the same second: told when counted, with no duration."""
    world = World().append([BEFORE, Row(number=1, start=0, end=0).ended()]).read_until(9)
    assert world.runs() == []
    world.append([counted(9.5, 0)]).read_until(20)
    assert world.results() == [("1", "success")]


def test_two_runs_in_one_second_share_a_lastcall_which_is_that_of_the_second() -> None:
    """The counter speaks of the newest run, also when the one before began in the same second."""
    rows = [Row(number=1, start=0, end=0).ended(), Row(number=2, start=0, end=3).ended()]
    world = World().append([BEFORE, *rows, counted(15, 0, 1)]).read_until(60)
    assert world.results() == [("1", "success"), ("2", "failure")]


def test_a_failure_in_the_same_second_moves_the_counter_alone() -> None:
    """The run before was counted already with the same `lastcall`: the grown counter shows the next one."""
    world = World().append([BEFORE, Row(number=1, start=0, end=0).ended(), counted(0.5, 0)]).read_until(5)
    world.append([Row(number=2, start=0, end=3).ended(), counted(15, 0, 1)]).read_until(60)
    assert world.results() == [("1", "success"), ("2", "failure")]


def test_a_run_that_ended_between_two_reads_of_one_poll_is_matched_by_the_next() -> None:
    """Rows are read before ir.cron: the count may be seen a poll before the end (order of commits, A6, A10)."""
    row = Row(number=1, start=0, end=14.9)
    world = World().append([BEFORE, row.started(), counted(15, 0, 1)]).read_until(15)
    assert world.runs() == []
    world.append([row.ended(seen=30)]).read_until(30)
    assert world.results() == [("1", "failure")]


def test_a_slow_poll_reads_ir_cron_of_a_run_that_ended_after_the_poll_began() -> None:
    """The read bears the time at which the poll began; the run it counts may have ended seconds later."""
    row = Row(number=1, start=14, end=18)
    world = World().append([BEFORE, counted(15, 14, 1)]).read_until(15)
    world.append([row.ended(seen=30)]).read_until(30)
    assert world.results() == [("1", "failure")]


def test_a_failed_run_is_linked_from_the_run_behind_it_only() -> None:
    """The link says what was wrong just before; a success in between ends the story."""
    rows = [Row(number=n + 1, start=n * 60, end=n * 60 + 2) for n in range(3)]
    world = World().append([BEFORE])
    for number, (row, failures) in enumerate(zip(rows, (1, 0, 0), strict=True)):
        end = number * 60 + 5.0
        world.append([row.ended(), counted(end, row.start, failures, nextcall=end)]).read_until(end + 1)
    assert [[link.key for link in run.links] for run in world.runs()] == [[], ["1"], []]


def test_the_first_start_tells_history_and_counts_nobody() -> None:
    """Runs that ended before the first start are drawn and observed, never counted, never logged (decision 6)."""
    flow = Flow(tenant=replace(TENANT, first_start=at(1000)), workflows=FLOW.workflows)
    rows = [Row(number=n + 1, start=n * 60, end=n * 60 + 2).ended(seen=1000) for n in range(3)]
    world = World(flow=flow).append([*rows, counted(1000, 120, 2, nextcall=1100)]).read_until(1015)
    assert world.results() == [("1", "success"), ("2", "failure"), ("3", "failure")]
    assert {run.origin for run in world.runs()} == {"history"}
    assert {run.workflow for run in world.runs()} == {"lab.action"}
    assert len(world.spans) == len(world.observations) == 3
    assert (world.total("odoo_cron_runs_total"), world.logs) == (0, [])


def test_what_runs_at_the_first_start_is_live() -> None:
    """Open when we came, ended later: counted."""
    flow = Flow(tenant=replace(TENANT, first_start=at(1000)), workflows=FLOW.workflows)
    row = Row(number=1, start=990, end=1005)
    world = World(flow=flow).append([row.started(seen=1000), counted(1000, 0, nextcall=989)]).read_until(1001)
    world.append([row.ended(), counted(1015, 990, nextcall=4000)]).read_until(1030)
    assert (world.run("1").origin, world.total("odoo_cron_runs_total")) == ("live", 1)


@pytest.mark.parametrize(("end", "corrected"), [(4, False), (4.5, False), (30, True)])
def test_a_late_row_of_a_told_run_is_silent_or_a_correction(end: float, *, corrected: bool) -> None:
    """A late fact that changes nothing told is silent; one that does is a log linked to the span, never a rewrite."""
    world = World().append([BEFORE, Row(number=1, start=0, end=4).ended(), counted(15, 0)]).read_until(30)
    spans = list(world.spans)
    late = replace(Row(number=1, start=0, end=end).ended(), key="0/progress/1/again")
    world.append([late]).read_until(60)
    assert bool(world.corrections()) == corrected
    assert world.spans == spans
    assert world.total("odoo_otel_corrections_total") == corrected


def test_facts_that_were_used_up_are_not_kept() -> None:
    """A Subject holds what is not settled, however long the action lives."""
    world = World().append([BEFORE])
    for start in range(0, 6000, 60):
        row = Row(number=start + 1, start=start, end=start + 2)
        world.append([row.ended(), counted(start + 5, start, nextcall=start + 59), trigger(start, start)]).read_until(
            start + 20
        )
    assert len(world.runs()) == 100
    assert len(world.subjects["cron/42"].facts) <= 1


def test_what_a_run_did_and_left_is_told() -> None:
    """An action that tells its progress shows whether its backlog shrinks, another shows nothing (feature 29)."""
    world = World().append(
        [
            counted(-10, None),
            *(Row(number=1, start=0, end=4, done=20, remaining=15).ended(), counted(15, 0)),
            *(Row(number=2, start=60, end=64, done=15).ended(), counted(75, 60)),
            *(Row(number=3, start=120, end=121).ended(), counted(135, 120)),
        ]
    )
    world.read_until(200)
    told = [
        {name: value for name, value in run.attributes if "cron.done" in name or "remaining" in name}
        for run in world.runs()
    ]
    assert told == [
        {"odoo.cron.done": 20, "odoo.cron.remaining": 15},
        {"odoo.cron.done": 15, "odoo.cron.remaining": 0},
        {},
    ]
    assert world.total("odoo_cron_done_total") == 35
    assert [one.value for one in world.measurements if one.name == "odoo_cron_remaining"] == [15, 0]
