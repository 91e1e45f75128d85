"""Odoo's log as a second witness of scheduled actions: one run, told once, with the most exact facts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain.events import Event
from exporter.domain.runs import Result
from exporter.fold import cron_lines, crons
from tests.searching import searching
from tests.worlds import FLOW, Row, World, at, counted, event, story

LINED = replace(FLOW, witnesses=frozenset({"odoo/log", "odoo/crons"}))
ROWED = replace(FLOW, witnesses=frozenset({"odoo/logging", "odoo/crons"}))
BOTH = replace(FLOW, witnesses=frozenset({"odoo/log", "odoo/logging", "odoo/crons"}))
CRON, USER_ERROR = 42, "odoo.exceptions.UserError"


def started(when: float, *, pid: int = 7, named: bool = False) -> Event:
    """The line that begins a run; `named`: as Odoo 14 to 17 write it, without the action's id."""
    body = b.LogWritten(says="cron.started", pid=pid, cron="LAB action", cron_id=None if named else CRON)
    return event("odoo.log.written", when, f"0/s{pid}/{when}", body, source="odoo/log")


def ended(
    when: float, seconds: float | None, result: Result = "success", *, pid: int = 7, named: bool = False
) -> Event:
    """The line that ends one."""
    number = None if named else CRON
    body = b.LogWritten(
        says="cron.ended", pid=pid, cron="LAB action", cron_id=number, result=result, seconds=seconds, loops=1
    )
    return event("odoo.log.written", when, f"0/e{pid}/{when}", body, source="odoo/log")


def raised(when: float, *, pid: int = 7) -> Event:
    """The traceback in between."""
    body = b.LogWritten(
        says="cron.raised",
        pid=pid,
        cron_id=CRON,
        cron="LAB action",
        error_type=USER_ERROR,
        error="No.",
    )
    return event("odoo.log.written", when, f"0/r{pid}/{when}", body, source="odoo/log")


@dataclass(frozen=True, slots=True)
class Truth:
    """A run as it was: start and end to the millisecond, and whether it failed."""

    number: int
    start: float
    end: float
    failed: bool

    def polled(self, before: int) -> list[Event]:
        """What RPC shows of it: whole seconds, and ir.cron a while later with the failures in a row."""
        row = Row(number=self.number, start=int(self.start), end=int(self.end))
        read = counted(int(self.end) + 1.5, int(self.start), before + 1 if self.failed else 0)
        return [row.started(), row.ended(), read]

    def logged(self, pid: int = 7) -> list[Event]:
        """What the log shows of it."""
        why = [raised(self.end, pid=pid)] if self.failed else []
        took = round(self.end - self.start, 2)
        return [
            started(self.start, pid=pid),
            *why,
            ended(self.end, took, "failure" if self.failed else "success", pid=pid),
        ]

    def rows(self) -> list[Event]:
        """What ir.logging shows of it: the same lines without a process, in whole seconds, by id."""
        lines = self.logged(pid=0)
        return [
            replace(
                line, source="odoo/logging", key=f"0/odoo/logging/log/{self.number * 10 + n}", at=to_the_second(line)
            )
            for n, line in enumerate(lines)
        ]


def to_the_second(line: Event) -> datetime:
    """When a line was written, as RPC shows it."""
    return line.at.replace(microsecond=0)


def truths(runs: Sequence[tuple[float, float, bool]]) -> list[Truth]:
    """Runs one after the other: (pause before, duration, failed)."""
    found: list[Truth] = []
    now = 1.0
    for number, (pause, duration, failed) in enumerate(runs, 1):
        start = round(now + pause, 3)
        now = round(start + duration, 3)
        found.append(Truth(number, start, now, failed))
    return found


def facts(runs: Sequence[Truth], *, polled: bool = True, logged: bool = True, rows: bool = False) -> list[Event]:
    """Everything the witnesses say."""
    found: list[Event] = [counted(0, None)]
    failures = 0
    for run in runs:
        found += run.polled(failures) if polled else []
        found += run.logged() if logged else []
        found += run.rows() if rows else []
        failures = failures + 1 if run.failed else 0
    return found


ONE = truths([(9.123, 2.345, True)])


def test_what_both_saw_is_one_run_with_the_logs_times() -> None:
    """Milliseconds, exception and result of the log, under the key of the progress row (features 2, 10, 110)."""
    (run,) = World(flow=LINED).append(facts(ONE)).read_until(120).runs()
    assert (run.key, run.result, run.started_at, run.ended_at) == ("1", "failure", at(10.123), at(12.468))
    assert run.failure is not None
    assert (run.failure.type, run.failure.message) == ("odoo.exceptions.UserError", "No.")


def test_polling_alone_waits_for_the_log_only_where_one_is_expected() -> None:
    """Half a minute on the mark of the polls, then it is told as polling knows it; without a log at once."""
    for flow, until in ((FLOW, 16), (LINED, 46)):
        world = World(flow=flow).append(facts(ONE, logged=False)).read_until(until - 3)
        assert world.runs() == []
        (run,) = world.read_until(until).runs()
        assert (run.started_at, run.failure and run.failure.type) == (at(10), "_OTHER")


def test_a_line_that_comes_late_corrects_and_never_doubles() -> None:
    """The exception was not told: one correction on the Run's span; what agrees is silent."""
    world = World(flow=LINED).append(facts(ONE, logged=False)).read_until(60)
    world.append(ONE[0].logged()).read_until(120)
    assert len(world.runs()) == 1
    assert world.corrections() == ["LAB action: the log says odoo.exceptions.UserError: No."]


def test_a_line_of_an_older_run_finds_it_by_its_time() -> None:
    """Yesterday's log, read today: every line finds the Run it is of, none becomes one."""
    runs = truths([(9.1, 2.2, True), (60, 3.3, False), (60, 1.4, True)])
    world = World(flow=LINED).append(facts(runs, logged=False)).read_until(400)
    before = len(world.spans)
    world.append([line for run in runs for line in run.logged()]).read_until(900)
    assert (len(world.runs()), len(world.spans)) == (3, before)
    assert len(world.corrections()) == 2


def test_the_log_alone_tells_runs_too() -> None:
    """Odoo 14 to 17, whose tables tell of no run: the key is when it began (features 2, 115)."""
    world = World(flow=LINED).append(
        [counted(0, None), started(10.5, named=True), ended(12.75, None, named=True), started(20.25), ended(20.5, 0.25)]
    )
    runs = world.read_until(200).runs()
    assert [(run.started_at, run.ended_at, run.result) for run in runs] == [
        (at(10.5), at(12.75), "success"),
        (at(20.25), at(20.5), "success"),
    ]
    assert runs[0].key == at(10.5).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_processes_do_not_mix() -> None:
    """Lines that interleave belong to the run of their process."""
    lines = [started(10, pid=1), started(10.2, pid=2), ended(11, 0.8, pid=2), ended(12, 2.0, "failure", pid=1)]
    runs = World(flow=LINED).append([counted(0, None), *lines]).read_until(200).runs()
    assert [(run.started_at, run.ended_at, run.result) for run in runs] == [
        (at(10), at(12), "failure"),
        (at(10.2), at(11), "success"),
    ]


def test_a_witness_that_is_not_configured_never_delays() -> None:
    """The same facts without a log: told when polling is sure, byte for byte as ever."""
    polled = facts(ONE, logged=False)
    assert story(World().append(polled).read_until(60)) == story(World(flow=FLOW).append(polled).read_until(60))


# Odoo's scheduler begins an action at most once a second: of two in one second ir.cron tells only the last.
RUNS = st.lists(
    st.tuples(st.sampled_from([1.06, 1.4, 2.0, 61.7]), st.sampled_from([0.013, 0.7, 1.05, 4.2]), st.booleans()),
    min_size=1,
    max_size=8,
)


@searching(150)
@given(RUNS, st.randoms(use_true_random=True), st.sampled_from([1, 3, 1000]))
def test_any_order_of_both_witnesses_tells_the_same(
    runs: list[tuple[float, float, bool]], rng: Random, batch: int
) -> None:
    """Shuffled, repeated, saved and loaded between any two Commits: one story."""
    events = facts(truths(runs))
    shuffled = [*events, *rng.sample(events, len(events) // 3)]
    rng.shuffle(shuffled)
    world = World(flow=LINED).append(shuffled, batch=batch).read_until(2_000)
    assert story(world) == story(World(flow=LINED).append(events).read_until(2_000))
    assert not world.quarantined


@searching(150)
@given(RUNS)
def test_every_run_is_told_once_and_exactly(runs: list[tuple[float, float, bool]]) -> None:
    """As many Runs as there were, however close, each with the log's times and result."""
    whole = truths(runs)
    told = World(flow=LINED).append(facts(whole)).read_until(2_000).runs()
    assert [(run.started_at, run.ended_at) for run in told] == [(at(one.start), at(one.end)) for one in whole]
    assert [run.result for run in told] == ["failure" if one.failed else "success" for one in whole]


def test_one_tolerance_for_all_tells_another_number_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the end not looked at and everything within five seconds near, runs would be lost (negative control)."""
    whole = truths([(9.0, 0.5, False), (2.2, 0.5, False), (2.2, 0.5, False)])
    blind = facts(whole[1:2]) + facts(whole[::2], polled=False)[1:]
    right = len(World(flow=LINED).append(blind).read_until(500).runs())
    for module in (cron_lines, crons):
        monkeypatch.setattr(module, "NEAR", timedelta(seconds=0))
    assert right == 3
    assert len(World(flow=LINED).append(blind).read_until(500).runs()) != right


def test_rows_of_the_database_say_what_polling_cannot() -> None:
    """Without the log's file: the exception, the result, and a duration to 10 ms from whole seconds (feature 10)."""
    (run,) = World(flow=ROWED).append(facts(ONE, logged=False, rows=True)).read_until(120).runs()
    assert (run.key, run.result, run.started_at, run.ended_at) == ("1", "failure", at(10), at(12.35))
    assert run.failure is not None
    assert run.failure.type == USER_ERROR


def test_only_a_better_witness_is_waited_for() -> None:
    """ir.logging spoke: told at once, unless the log itself is to come; once it spoke nothing is waited for."""
    for flow, logged, until in ((ROWED, False, 15), (BOTH, False, 46), (BOTH, True, 15)):
        world = World(flow=flow).append(facts(ONE, logged=logged, rows=not logged)).read_until(until - 3)
        assert world.runs() == []
        assert len(world.read_until(until).runs()) == 1


def test_rows_of_one_second_stay_the_runs_they_were() -> None:
    """Four lines of two runs within a second, in order of their ids (negative control: were they sorted, one)."""
    runs = [Truth(1, 10.1, 10.3, failed=True), Truth(2, 10.4, 10.8, failed=False)]
    told = World(flow=ROWED).append([counted(0, None), *runs[0].rows(), *runs[1].rows()]).read_until(99).runs()
    assert [(run.started_at, run.ended_at, run.result) for run in told] == [
        (at(10), at(10.2), "failure"),
        (at(10.2), at(10.6), "success"),
    ]


SEEN = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=8, max_size=8)


@searching(200)
@given(RUNS, SEEN, st.randoms(use_true_random=True), st.sampled_from([1, 3, 1000]))
def test_three_witnesses_in_any_order_tell_each_run_once_with_the_best_words(
    runs: list[tuple[float, float, bool]], seen: list[tuple[bool, bool]], rng: Random, batch: int
) -> None:
    """Polling sees every run, the log and ir.logging some: each is told once, by the log, else by its rows, else so."""
    whole = truths(runs)
    events = facts(whole, logged=False)
    for truth, (logged, rows) in zip(whole, seen, strict=False):
        events += [*(truth.logged() if logged else []), *(truth.rows() if rows else [])]
    told = World(flow=BOTH).append(events).read_until(2_000)
    assert [run.key for run in told.runs()] == [str(truth.number) for truth in whole]
    for run, truth, (logged, rows) in zip(told.runs(), whole, seen, strict=False):
        assert run.result == ("failure" if truth.failed else "success")
        if logged:
            assert (run.started_at, run.ended_at) == (at(truth.start), at(truth.end))
        else:
            assert abs(run.started_at - at(truth.start)) < timedelta(seconds=1)
        if truth.failed and run.failure is not None:
            assert run.failure.type == (USER_ERROR if logged or rows else "_OTHER")
    shuffled = [*events, *rng.sample(events, len(events) // 3)]
    rng.shuffle(shuffled)
    assert story(World(flow=BOTH).append(shuffled, batch=batch).read_until(2_000)) == story(told)


@searching()
@given(RUNS)
def test_rows_alone_tell_every_run_with_its_duration(runs: list[tuple[float, float, bool]]) -> None:
    """Odoo 14 to 17 with `log_db`: no table tells of runs, these do (features 2, 115)."""
    whole = truths(runs)
    events = [counted(0, None), *(row for truth in whole for row in truth.rows())]
    told = World(flow=ROWED).append(events).read_until(2_000).runs()
    assert [run.result for run in told] == ["failure" if truth.failed else "success" for truth in whole]
    for run, truth in zip(told, whole, strict=True):
        assert run.ended_at is not None
        assert abs(run.ended_at - run.started_at - timedelta(seconds=truth.end - truth.start)) < timedelta(seconds=0.02)


def test_where_actions_are_not_read_no_line_waits_for_them() -> None:
    """A log alone tells no run: with `odoo/crons` left out to save cost its lines are not kept for ever."""
    lines = [started(10), ended(14, 4)]
    for flow, kept in ((LINED, 2), (replace(FLOW, witnesses=frozenset({"odoo/log", "odoo/jobs"})), 0)):
        assert len(World(flow=flow).append(lines).subjects[f"cron/{CRON}"].facts) == kept
