"""How many runs must go wrong in a row before somebody is told, and how many well before it is over (feature 80)."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from exporter.domain.runs import Result, Run
from exporter.fold.advance import memory_of
from exporter.fold.limits import Limits
from exporter.fold.streaks import WELL, Streak, after
from exporter.fold.subjects import Flow, load, save
from tests.searching import searching
from tests.truths import Truth, crons, marked, polled, times
from tests.worlds import FLOW, T0, TENANT, Row, World, at, counted

DAY = 86_400.0
RESULTS: dict[str, Result] = {
    "B": "failure",
    "E": "error",
    "T": "timeout",
    "G": "success",
    "P": "partial",
    "U": "unknown",
}


def limited(failures: int, recoveries: int, **others: object) -> Flow:
    """The flow with thresholds for the action of the tests."""
    limits = structs.replace(Limits(failures=failures, recoveries=recoveries), **others)
    return replace(FLOW, limits={"lab.action": limits})


def standing(results: str, failures: int, recoveries: int) -> str:
    """`#` while it is failing and `.` while it is not, after each of some results."""
    streak, shown, limits = WELL, "", Limits(failures=failures, recoveries=recoveries)
    for number, letter in enumerate(results):
        streak = after(streak, RESULTS[letter], at(number), limits, live=True)
        shown += "#" if streak.failing else "."
    return shown


@pytest.mark.parametrize(
    ("failures", "recoveries", "results", "shown"),
    [
        (1, 1, "BGBBG", "#.##."),
        (1, 1, "GPETU", "..###"),
        (2, 1, "BGBGBB", ".....#"),
        (3, 1, "BBGBBBG", ".....#."),
        (3, 1, "BB", ".."),
        (1, 2, "BGBGG", "####."),
        (3, 2, "BBBGGBB", "..##..."),
        (2, 3, "BBGGBGGG", ".######."),
        (2, 1, "BUB", "..#"),
        (1, 2, "BGUG", "###."),
        (2, 1, "EPT", "..."),
    ],
)
def test_it_opens_and_closes_by_the_numbers(failures: int, recoveries: int, results: str, shown: str) -> None:
    """Bad runs in a row open, good ones close, a run of unknown end says neither; short history opens nothing (80)."""
    assert standing(results, failures, recoveries) == shown


@given(st.text("BETGPU", max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_it_is_what_counting_by_hand_gives(results: str, failures: int, recoveries: int) -> None:
    """Open from the first place where so many bad ones end in a row, until so many good ones do (feature 80)."""
    known, failing, expected = "", False, ""
    for letter in results:
        known += "" if letter == "U" else "b" if letter in "BET" else "g"
        wanted = "g" * recoveries if failing else "b" * failures
        failing ^= letter != "U" and known.endswith(wanted)
        expected += "#" if failing else "."
    assert standing(results, failures, recoveries) == expected


def played(results: str, flow: Flow) -> World:
    """An action that ran once a minute and ended so (B or G), polled after each run."""
    world, failed = World(flow=flow).append([counted(-10, None, nextcall=0)]).read_until(-5), 0
    for number, letter in enumerate(results, start=1):
        world, failed = run(world, number, letter, failed), failed + 1 if letter == "B" else 0
    return world


def run(world: World, number: int, letter: str, failed: int) -> World:
    """One run further."""
    start = 60.0 * number
    read = counted(start + 15, start, failed + 1 if letter == "B" else 0, nextcall=DAY)
    return world.live([Row(number=number, start=start, end=start + 1).ended(), read], start + 15)


def finding(world: World) -> Run | None:
    """The newest Finding of failing."""
    return world.findings().get("result.failing")


def sentence(world: World) -> str:
    """What it says."""
    found = finding(world)
    return str(dict(found.attributes)["odoo.finding.sentence"]) if found else ""


def test_the_sentence_names_the_numbers() -> None:
    """At the third failure, and with the first success of two (feature 80)."""
    flow = limited(3, 2)
    assert finding(played("BB", flow)) is None
    told = "It is told from 3 bad runs in a row on, until 2 good runs in a row"
    assert sentence(played("BBB", flow)) == f"LAB action failed at 2026-11-22 10:03:01 UTC, 3 times in a row. {told}."
    world = played("BBBG", flow)
    assert sentence(world).endswith(f" 10:03:01 UTC, 3 times in a row. {told}, 1 so far.")
    run(world, 5, "G", 0)
    assert [log.event_name for log in world.found.logs] == ["finding.opened", "finding.closed"]


def test_a_relapse_goes_on_with_the_same_finding() -> None:
    """Bad, good, bad while two good ones are wanted: one Finding that counts anew, not two (feature 80)."""
    world = played("BBGB", limited(1, 2))
    assert sentence(world).startswith("LAB action failed at 2026-11-22 10:04:01 UTC. It is told from one bad run on")
    for number, letter in enumerate("GBGG", start=5):
        run(world, number, letter, 0)
    assert len(world.claimed) == 1
    assert [log.event_name for log in world.found.logs] == ["finding.opened", "finding.closed"]


def test_failures_of_the_past_count_and_open_nothing() -> None:
    """Two before our first start and one after it are three in a row; three before it notify nobody (feature 111)."""
    past = replace(limited(3, 1), tenant=replace(TENANT, first_start=at(150)))
    assert finding(played("BB", past)) is None
    assert sentence(played("BBB", past)).startswith("LAB action failed at 2026-11-22 10:03:01 UTC, 3 times in a row.")
    later = replace(past, tenant=replace(TENANT, first_start=at(190)))
    assert finding(played("BBB", later)) is None


def test_an_action_without_limits_of_its_own_has_the_usual_ones() -> None:
    """Another label's thresholds are not ours."""
    other = replace(FLOW, limits={"lab.other": Limits(failures=3)})
    assert finding(played("B", other)) is not None
    assert finding(played("B", replace(other, usual=Limits(failures=2)))) is None


def test_a_state_of_an_earlier_version_keeps_what_is_open() -> None:
    """A state saved without counts: the open Finding stays open, and closes by the next good run."""
    world = played("B", FLOW)
    subject = world.subjects["cron/42"]
    old = structs.replace(subject, memory=structs.replace(subject.memory, streak=None))
    world.subjects["cron/42"] = old
    assert b'"bad"' not in save(old)
    world.live([counted(600, 60, 1, nextcall=DAY)], 600)
    assert is_open(world)
    assert sentence(world) == "LAB action failed at 2026-11-22 10:01:01 UTC."
    run(world, 11, "G", 0)
    assert [log.event_name for log in world.found.logs] == ["finding.opened", "finding.closed"]


def test_counts_survive_a_restart() -> None:
    """Saved and loaded, the memory is the same."""
    subject = played("BB", limited(3, 2)).subjects["cron/42"]
    again = load(subject.key, save(subject), memory_of)
    assert again.memory == subject.memory
    assert again.memory.streak == Streak(bad=2, ended_at=T0 + timedelta(seconds=121))


@searching()
@given(crons(), st.integers(1, 3), st.integers(1, 3), st.randoms(use_true_random=True), st.sampled_from([1, 3, 1000]))
def test_any_order_and_any_batches_find_the_same(
    truth: Truth, failures: int, recoveries: int, rng: Random, batch: int
) -> None:
    """Shuffled, and saved and loaded between Commits: the same Findings, logs and traces of them (feature 80; R1)."""
    flow = limited(failures, recoveries)
    events = [event for poll in polled(truth, times(truth)) for event in poll]
    shuffled = rng.sample(events, len(events))
    one, other = World(flow=flow).append(events), World(flow=flow).append(shuffled, batch=batch)
    for world in (one, other):
        world.read_until(truth.end + 200)
    assert other.findings() == one.findings()
    assert (other.found.logs, other.found.spans) == (one.found.logs, one.found.spans)


@searching()
@given(crons(), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 3, 10]))
def test_where_a_batch_ends_finds_the_same(truth: Truth, failures: int, recoveries: int, batch: int) -> None:
    """Polls with their marks, cut into Commits anywhere (feature 80; R1)."""
    flow = limited(failures, recoveries)
    polls = marked(polled(truth, times(truth)), times(truth))
    whole, anywhere = World(flow=flow), World(flow=flow).append([e for poll in polls for e in poll], batch=batch)
    for poll in polls:
        whole.append(poll)
    assert anywhere.findings() == whole.findings()
    assert anywhere.found.logs == whole.found.logs


@searching()
@given(crons(killed=False), st.integers(1, 3), st.integers(1, 3))
def test_a_backlog_ends_where_live_ended(truth: Truth, failures: int, recoveries: int) -> None:
    """Whether failing is open after everything was read does not depend on how often we looked (feature 80)."""
    flow = limited(failures, recoveries)
    polls = polled(truth, times(truth))
    live, at_once = World(flow=flow), World(flow=flow)
    for poll in marked(polls, times(truth)):
        live.append(poll)
    at_once.append([event for poll in polls for event in poll]).read_until(truth.end + 200)
    live.read_until(truth.end + 200)
    assert is_open(live) == is_open(at_once)


def is_open(world: World) -> bool:
    """Whether failing is told at the moment."""
    found = finding(world)
    return found is not None and found.ended_at is None
