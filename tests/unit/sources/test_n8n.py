"""How n8n is read: nothing twice, nothing lost though executions finish out of order, and as little as is needed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.bodies import ExecutionSeen
from exporter.domain.events import Event
from exporter.errors import SourceDown, SourceRefused
from exporter.sources.n8n import reading
from exporter.sources.n8n.marks import GAPS
from tests.fakes.n8n import STATES, FakeN8n
from tests.fakes.n8n_reader import Reader
from tests.searching import searching

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def keys(events: Iterable[Event]) -> list[str]:
    """What is left of a key behind epoch and source."""
    return [event.key.removeprefix("0/n8n/executions/") for event in events]


def bodies(events: Iterable[Event]) -> dict[str, ExecutionSeen]:
    """The executions, the newest word of each."""
    return {event.body.execution: event.body for event in events if isinstance(event.body, ExecutionSeen)}


def test_what_is_over_is_told_once_with_its_nodes() -> None:
    """Also after a restart, and an idle poll costs four lists and no detail (features 5, 99)."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    for name in ("success", "error401", "loop"):
        n8n.put(name)
    assert sorted(keys(reader.told())) == ["26/success", "3/success", "5/error"]
    reader.again()
    assert reader.told() == []
    assert n8n.asked == ["list new", "list running", "list waiting", "list "]
    n8n.put("timeout", 40)
    (event,) = reader.told()
    assert (event.key, event.name) == ("0/n8n/executions/40/error", "n8n.execution.finished")
    assert event.at == event.body.stopped_at  # type: ignore[union-attr]
    assert n8n.asked[4:] == ["one 40"]


def test_an_execution_is_followed_from_running_to_its_end() -> None:
    """Running, parked, resumed, over: each seen once, under one id (feature 33)."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("waiting", status="running", stoppedAt=None)
    assert keys(reader.told()) == ["27/running"]
    assert reader.told() == []
    n8n.put("waiting")
    (event,) = reader.told()
    assert event.name == "n8n.execution.changed"
    assert event.body.nodes[-1].wait == "human"  # type: ignore[union-attr]
    assert reader.told() == []
    n8n.put("resumed", status="running")
    (event,) = reader.told()
    assert event.key.startswith("0/n8n/executions/27/running-")
    n8n.put("resumed")
    assert keys(reader.told()) == ["27/success"]
    assert not [key for key in reader.marks if key.startswith(("open/", "todo/", "gap/"))]


def test_a_second_wait_is_another_version() -> None:
    """Parked twice between two polls: the time it parked tells them apart."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("waiting")
    reader.told()
    n8n.put("waiting", stoppedAt="2026-11-22T13:40:00.000Z")
    assert len(reader.told()) == 1
    assert reader.told() == []


def test_a_wait_of_weeks_is_not_walked_to() -> None:
    """What waits is found in its own list, however many came since; each poll asks for as much."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("waiting")
    reader.told()
    for number in range(100, 1600):
        n8n.put("success", number)
    reader.told()
    n8n.now += timedelta(days=20)
    reader.told()
    assert n8n.asked == ["list new", "list running", "list waiting", "list "]
    n8n.put("resumed")
    assert keys(reader.told()) == ["27/success"]


def test_what_waits_behind_all_that_is_listed_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """More executions wait than are listed: what ends is told at once, of those behind a few are asked for in turns."""
    monkeypatch.setattr(reading, "OPEN_PAGES", 2)
    monkeypatch.setattr(reading, "DETAILS", 5)
    monkeypatch.setattr(reading, "BEHIND", 2)
    n8n = FakeN8n(cap=5)
    reader = Reader(n8n)
    for number in range(1, 23):
        n8n.put("waiting", number)
    assert len(reader.told()) == 22
    for number in range(30, 34):
        n8n.put("error401", number)
    poll = reader.poll()
    assert keys(poll.events) == [f"{number}/error" for number in range(30, 34)]
    assert (poll.more, poll.read_until) == (False, n8n.now)
    assert [said for said in poll.missing if "waiting" in said]
    for number in (2, 9, 12):
        n8n.put("resumed", number)
    asked: list[str] = []
    told: list[str] = []
    for _ in range(6):
        poll = reader.poll()
        assert not poll.more
        told += keys(poll.events)
        asked += [line for line in n8n.asked if line.startswith("one")]
    assert sorted(told) == ["12/success", "2/success", "9/success"]
    assert len(asked) == len(set(asked)) == 12


def test_history_is_read_though_more_wait_than_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for what no list reached does not stand before the walk back, which waits until nothing else is to do."""
    monkeypatch.setattr(reading, "OPEN_PAGES", 1)
    n8n = FakeN8n(cap=5)
    reader = Reader(n8n)
    for number in range(1, 11):
        n8n.put("waiting", number)
    reader.told()
    for number in range(11, 61):
        n8n.put("success", number)
    assert len(reader.told()) == 50


def test_one_that_shows_late_is_found_in_its_gap() -> None:
    """A lower id that commits after a higher one was seen is told; an id that never shows is given up in time."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 10)
    reader.told()
    n8n.put("success", 14)
    assert keys(reader.told()) == ["14/success"]
    assert "gap/11-13" in reader.marks
    n8n.put("success", 12)
    assert keys(reader.told()) == ["12/success"]
    assert {key for key in reader.marks if key.startswith("gap/")} == {"gap/11-11", "gap/13-13"}
    n8n.now += 3 * MINUTE
    reader.told()
    assert not [key for key in reader.marks if key.startswith("gap/")]


def test_gaps_are_bounded() -> None:
    """Every second execution is not saved: what is remembered of that does not grow without end."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 1)
    reader.told()
    for number in range(3, 3 + 2 * (GAPS + 100), 2):
        n8n.put("success", number)
    reader.told()
    assert sum(key.startswith("gap/") for key in reader.marks) in range(GAPS // 2, GAPS + 1)


def test_history_is_read_behind_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first poll takes the newest, the others go back a page each, to the beginning or as far as is wanted."""
    monkeypatch.setattr(reading, "LIVE_PAGES", 1)
    n8n = FakeN8n(cap=10)
    reader = Reader(n8n, history_days=30)
    for number in range(1, 6):
        n8n.put("success", number, startedAt="2026-10-01T00:00:00.000Z", stoppedAt="2026-10-01T00:00:01.000Z")
    for number in range(6, 61):
        n8n.put("success", number)
    polls = reader.drained()
    told = [event for poll in polls for event in poll.events]
    assert sorted(bodies(told), key=int) == [str(number) for number in range(6, 61)]
    assert len(told) == 55
    assert keys(polls[0].events)[0] == "51/success"
    assert [poll.read_until is None for poll in polls] == [True] * (len(polls) - 1) + [False]
    assert {key.partition("/")[0] for key in reader.marks} == {"high"}


def test_after_an_outage_everything_between_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one poll takes: the newest first, then back to what was known, nothing twice and nothing lost."""
    monkeypatch.setattr(reading, "LIVE_PAGES", 1)
    n8n = FakeN8n(cap=10)
    reader = Reader(n8n)
    n8n.put("success", 1)
    reader.told()
    for number in range(2, 90):
        n8n.put("success", number)
    first = reader.poll()
    for number in range(90, 120):
        n8n.put("success", number)
    reader.again()
    told = [*first.events, *reader.told()]
    assert len(keys(told)) == len(set(keys(told)))
    assert {int(one) for one in bodies(told)} == set(range(2, 120))


def test_one_poll_reads_so_many_details() -> None:
    """Odoo's polls wait meanwhile: the rest is read at once behind them."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    for number in range(1, 121):
        n8n.put("success", number)
    polls = reader.drained()
    assert [len(poll.events) for poll in polls] == [50, 50, 20]
    assert [poll.more for poll in polls] == [True, True, False]


def test_what_is_deleted_while_it_goes_on_has_ended() -> None:
    """A success that is not saved, or a wait somebody deleted: nobody can say how, so that is what is said."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("waiting")
    n8n.put("success", 30, status="running", stoppedAt=None)
    reader.told()
    n8n.drop(27)
    n8n.drop(30)
    told = reader.told()
    assert sorted(keys(told)) == ["27/unknown", "30/unknown"]
    body = bodies(told)["27"]
    assert (body.workflow, body.started_at.isoformat()) == ("Approval", "2026-11-22T13:33:05.791000+00:00")
    assert reader.told() == []


def test_another_database_begins_another_epoch() -> None:
    """Ids that start again are other executions: their keys and their Subjects differ (decision 14)."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 500)
    reader.told()
    n8n.rows.clear()
    n8n.now += DAY
    n8n.put("success", 3, at=n8n.now - MINUTE)
    (event,) = reader.told()
    assert event.key == "1/n8n/executions/3/success"
    assert reader.told() == []


def test_deleting_the_newest_is_no_new_database() -> None:
    """The newest id that is left is lower, but it began before."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 500)
    n8n.put("loop", 501)
    reader.told()
    n8n.drop(501)
    n8n.now += DAY
    assert reader.told() == []
    assert "epoch" not in reader.marks


def test_an_execution_whose_data_cannot_be_read_is_told_without_it() -> None:
    """Three times n8n fails on it: then what it says without data; the others are not held up for good."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 7)
    reader.door.broken.add(7)
    for _ in range(3):
        poll = reader.poll()
        assert (poll.events, poll.more, len(poll.refused)) == ((), False, 1)
    (event,) = reader.told()
    assert event.body.nodes == ()  # type: ignore[union-attr]
    assert reader.told() == []


def test_an_answer_of_another_shape_is_left_out_and_counted() -> None:
    """Without its nodes, or at all; one refusal each, and the others are told."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 7)["data"]["resultData"]["runData"]["Tag"][0]["startTime"] = "yesterday"
    n8n.put("success", 8)
    n8n.rows[9] = n8n.rows[8] | {"id": "nanoid"}
    (poll,) = reader.drained()
    assert keys(poll.events) == ["7/success", "8/success"]
    assert [len(body.nodes) for body in bodies(poll.events).values()] == [0, 4]
    assert sorted(row.row for row in poll.refused) == ["7", "?"]
    assert reader.told() == []


def test_an_older_n8n_lists_no_running_ones() -> None:
    """That is said, and what ends is told all the same."""
    n8n = FakeN8n(states=STATES - {"running", "new"})
    reader = Reader(n8n)
    n8n.put("success")
    poll = reader.poll()
    assert keys(poll.events) == ["3/success"]
    assert len(poll.missing) == 2


def test_an_older_n8n_may_run_long() -> None:
    """What is running is not listed there: its id is missed for an hour, not for two minutes."""
    n8n = FakeN8n(states=STATES - {"running", "new"})
    reader = Reader(n8n)
    n8n.put("success", 10)
    reader.told()
    n8n.put("success", 12)
    reader.told()
    n8n.now += 50 * MINUTE
    reader.told()
    n8n.put("success", 11)
    assert keys(reader.told()) == ["11/success"]


def test_what_went_on_in_another_database_has_ended() -> None:
    """Else it would be shown as waiting for ever: how it ended nobody can say."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 26)
    n8n.put("waiting", 27)
    reader.told()
    n8n.rows.clear()
    n8n.now += DAY
    n8n.put("success", 1, at=n8n.now)
    told = reader.told()
    assert [event.key for event in told] == ["0/n8n/executions/27/unknown", "1/n8n/executions/1/success"]
    assert reader.told() == []


def test_one_that_started_late_is_no_new_database() -> None:
    """Queued with a lower id, begun and ended while a higher one runs: its start alone proves nothing."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 99, status="new", startedAt=None, stoppedAt=None)
    n8n.put("success", 100, status="running", stoppedAt=None)
    reader.told()
    n8n.put("success", 99, at=n8n.now + MINUTE)
    n8n.now += 2 * MINUTE
    assert keys(reader.told()) == ["99/success"]
    n8n.put("success", 100)
    assert keys(reader.told()) == ["100/success"]
    assert "epoch" not in reader.marks


def test_an_unsaved_success_that_is_gone_is_no_new_database() -> None:
    """It had the highest id; the one below it began within the same second as the poll that saw both."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 100, at=n8n.now + timedelta(milliseconds=300))
    n8n.put("success", 101, status="running", stoppedAt=None)
    reader.told()
    n8n.drop(101)
    n8n.now += MINUTE
    assert keys(reader.told()) == ["101/unknown"]
    assert "epoch" not in reader.marks


def test_one_that_was_deleted_in_the_queue_began_when_it_was_seen() -> None:
    """It never started: its Run must not last since 1970."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 5, status="new", startedAt=None, stoppedAt=None)
    reader.told()
    first = n8n.now
    n8n.drop(5)
    n8n.now += MINUTE
    body = bodies(reader.told())["5"]
    assert (body.started_at, body.stopped_at) == (first, n8n.now)


def test_a_cursor_that_n8n_does_not_know_any_more_ends_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade in the middle of the history: that is counted, and what is new is read for ever after."""
    monkeypatch.setattr(reading, "LIVE_PAGES", 1)
    n8n = FakeN8n(cap=10)
    reader = Reader(n8n)
    for number in range(1, 31):
        n8n.put("success", number)
    reader.poll()
    n8n.outdated = {key.removeprefix("past/"): mark for key, mark in reader.marks.items() if "past" in key}["0"]
    refused = [row.reason for poll in reader.drained() for row in poll.refused]
    assert len(refused) == 1
    assert "cursor" in refused[0]
    n8n.put("success", 31)
    assert keys(reader.told()) == ["31/success"]


def test_words_that_are_not_given_out_are_counted() -> None:
    """The redacted answer is told, and the page of sources says what is missing from it."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("continued")
    reader.door.closed = True
    poll = reader.poll()
    assert keys(poll.events) == ["23/success"]
    assert [row.row for row in poll.refused] == ["23"]


def test_a_key_that_may_list_and_not_read_is_no_success() -> None:
    """Every detail is refused: the poll fails, so that somebody hears of it, and nothing is given up meanwhile."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success")
    reader.door.refusing = True
    with pytest.raises(SourceRefused):
        reader.poll()
    reader.door.refusing = False
    assert keys(reader.told()) == ["3/success"]


def test_a_caller_that_cannot_be_read_in_time_holds_up_nobody_for_good() -> None:
    """Three polls wait for it and count it; then those it called are told, in its trace, and it is left alone."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    parent = n8n.put("parent", status="running", stoppedAt=None)
    n8n.put("child")
    n8n.put("error401", 26)
    reader.door.slow.add(24)
    for _ in range(3):
        poll = reader.poll()
        assert (poll.more, poll.read_until, [row.row for row in poll.refused]) == (False, None, ["25"])
        assert "Execution 24" in poll.refused[0].reason
    told = bodies(reader.told())
    assert set(told) == {"25", "26"}
    assert told["25"].nodes
    outermost = told["25"].outermost
    assert outermost is not None
    assert (outermost.execution, outermost.traceparent) == ("24", parent["tracingContext"]["traceparent"])
    n8n.put("child", 27)
    assert [set(bodies(poll.events)) for poll in reader.drained()] == [{"27"}]
    reader.door.slow.clear()
    n8n.put("parent")
    n8n.put("child", 28)
    assert bodies(reader.told())["28"].outermost == outermost


def test_what_was_known_of_a_caller_outlives_its_slowness() -> None:
    """It was read while it was small: of its later children, too, it is known which record it named."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("parent", status="running", stoppedAt=None, customData={"odoo_ref": "S00023"}, tracingContext=None)
    n8n.put("child")
    before = bodies(reader.told())["25"].outermost
    assert before is not None
    assert before.correlation == (":S00023",)
    reader.door.slow.add(24)
    n8n.put("child", 26)
    for _ in range(3):
        assert not reader.poll().events
    assert bodies(reader.told())["26"].outermost == before


def test_an_n8n_that_dies_while_kin_is_read_is_tried_again() -> None:
    """Nothing is told out of place because of one bad minute, and the poll of an n8n that lists nothing fails."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("parent", status="running", stoppedAt=None)
    n8n.put("child")
    reader.door.slow.add(24)
    assert keys(reader.poll().events) == ["24/running"]
    reader.door.down = True
    for _ in range(5):
        with pytest.raises(SourceDown):
            reader.poll()
    reader.door.down = False
    reader.door.slow.clear()
    told = bodies(reader.told())
    assert told["25"].parent_step == "Child/0"


def test_kin_that_goes_on_is_asked_once_a_poll() -> None:
    """A parent that still runs has fifty children: its details are read once for them all."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("parent", status="waiting")
    for number in range(100, 110):
        n8n.put("child", number)
    reader.poll()
    assert n8n.asked.count("one 24") == 1
    n8n.put("child", 110)
    reader.poll()
    assert n8n.asked.count("one 24") == 1


def test_only_what_needs_it_is_read_unredacted() -> None:
    """A node whose failure is ignored; of a failure with a code, and of successes, never. And not where forbidden."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    for name in ("success", "error401", "continued", "resumed", "canceled", "crashed"):
        n8n.put(name)
    told = bodies(reader.told())
    assert [node.name for node in told["23"].nodes if node.continued] == ["HTTP Request"]
    other = Reader(n8n, words=False)
    n8n.asked.clear()
    assert not any(node.continued for node in bodies(other.told())["23"].nodes)
    assert not any("whole" in line for line in n8n.asked)


def test_what_is_read_unredacted_is_named() -> None:
    """One whole read for the one execution that needs it."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    for name in ("success", "error401", "continued", "resumed", "canceled", "crashed"):
        n8n.put(name)
    reader.poll()
    assert [line for line in n8n.asked if "whole" in line] == ["one 23 whole"]


def test_kin_stands_where_its_callers_stand() -> None:
    """A sub-workflow knows which node called it; an error workflow whose failure it is; a retry what it retries."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    for name in ("parent", "child", "error401", "error_workflow", "error500", "retry"):
        n8n.put(name)
    told = bodies(reader.told())
    child, handler, retry = told["25"], told["6"], told["32"]
    assert (child.parent, child.parent_step) == ("24", "Child/0")
    assert child.outermost is not None
    assert (child.outermost.execution, child.outermost.traceparent) == ("24", told["24"].traceparent)
    assert handler.outermost is not None
    assert handler.outermost.correlation == (":SOerr401",)
    assert retry.retried is not None
    assert (retry.retried.execution, retry.retried.correlation) == ("11", (":SOerr500",))


def test_kin_that_was_told_long_ago_is_read_again() -> None:
    """After a restart the parent is asked for; where it is gone, its id is all that is known."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("parent")
    reader.told()
    reader.again()
    n8n.put("child")
    assert bodies(reader.told())["25"].parent_step == "Child/0"
    n8n.put("retry")
    retried = bodies(reader.told())["32"].retried
    assert retried is not None
    assert (retried.execution, retried.traceparent) == ("11", "")


def test_names_are_asked_for_once() -> None:
    """A running execution is listed without its workflow's name."""
    n8n = FakeN8n()
    reader = Reader(n8n)
    n8n.put("success", 3, status="running", stoppedAt=None)
    n8n.put("success", 4, status="running", stoppedAt=None, workflowId="nobody")
    told = bodies(reader.told())
    assert (told["3"].workflow, told["4"].workflow) == ("Order sync", "nobody")
    n8n.put("success", 5, status="running", stoppedAt=None, workflowId="nobody")
    reader.poll()
    assert "workflows" not in n8n.asked


@searching()
@given(st.integers(0, 2**32))
def test_whatever_happens_between_polls_every_end_is_told_once(seed: int) -> None:
    """Executions begin, park, resume and end in any order, polls and restarts between: each end is one Event (R1)."""
    rng = Random(seed)
    n8n, ended, gone = FakeN8n(cap=rng.choice([3, 250])), set[int](), set[int]()
    reader = Reader(n8n)
    told: list[Event] = []
    live: dict[int, datetime] = {}
    last = 0
    for _ in range(rng.randrange(5, 40)):
        n8n.now += timedelta(seconds=rng.choice([0, 5, 30]))
        what = rng.random()
        if what < 0.4:
            last += rng.choice([1, 1, 1, 3])
            live[last] = n8n.now + timedelta(seconds=rng.choice([0, 0, 40]))  # some are queued before they start
            n8n.put("success", last, at=live[last], status=rng.choice(["new", "running"]), stoppedAt=None)
        elif what < 0.7 and live:
            one = rng.choice([*live])
            state = rng.choice(["waiting", "running", "end", "end", "gone"])
            if state == "gone":  # a success that is not saved
                del live[one]
                n8n.drop(one)
                gone.add(one)
            elif state == "end":
                ended.add(one)
                n8n.put(rng.choice(["success", "error401", "continued", "parent"]), one, at=min(live.pop(one), n8n.now))
            else:
                stopped = n8n.now.isoformat(timespec="milliseconds")
                n8n.put("waiting", one, at=min(live[one], n8n.now), status=state, stoppedAt=stopped)
        else:
            told += reader.told()
        if rng.random() < 0.2:
            reader.again()
    told += reader.told()
    found = [event.body.execution for event in told if event.name == "n8n.execution.finished"]  # type: ignore[union-attr]
    assert sorted(int(one) for one in found if int(one) not in gone) == sorted(ended)
    assert len(found) == len(set(found))
    assert len({event.key for event in told}) == len(told)
