"""Quiet windows: what breaks in one is told when it is over, if it is still so (feature 83)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.bodies import FindingSeen
from exporter.domain.events import Event
from exporter.fold.limits import Limits
from exporter.fold.quiet import Window, quiet_until
from tests.searching import searching
from tests.truths import Truth, crons, polled, times
from tests.unit.fold.test_limits import action, open_findings
from tests.worlds import FLOW, Row, World, at, counted, event

BERLIN, HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")  # Lord Howe is set by half an hour
SUNDAY = frozenset({6})
ALWAYS = frozenset(range(7))
HOUR, DAY = 3600.0, 86_400.0


def window(begin: str, end: str, zone: tzinfo = BERLIN, days: frozenset[int] = SUNDAY) -> Window:
    """A window of given times."""
    first, last = (timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in (begin, end))
    return Window(days=days, begin=first, end=last, zone=zone)


def utc(text: str) -> datetime:
    """`2026-03-29 01:00` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(found: Window, first: str, last: str) -> list[tuple[str, str]]:
    """From when until when it is quiet, asked every quarter of an hour; and the end it says is the end there is."""
    moment, shown, since = utc(first), [], ""
    while moment < utc(last):
        until = quiet_until([found], moment)
        if until is not None and not since:
            since, told = f"{moment:%d %H:%M}", until
        elif until is None and since:
            assert told == moment
            shown.append((since, f"{moment:%d %H:%M}"))
            since = ""
        moment += timedelta(minutes=15)
    return shown


@pytest.mark.parametrize(
    ("of", "day", "quiet"),
    [
        (("02:00", "04:00"), "2026-03-22", [("22 01:00", "22 03:00")]),
        (("02:00", "04:00"), "2026-03-29", [("29 01:00", "29 02:00")]),  # 02:00 is 03:00: one hour
        (("01:00", "03:00"), "2026-03-29", [("29 00:00", "29 01:00")]),
        (("01:30", "02:30"), "2026-03-29", [("29 00:30", "29 01:30")]),  # its end does not exist: as long as ever
        (("02:15", "02:45"), "2026-03-29", [("29 01:15", "29 01:45")]),  # all of it does not exist
        (("02:00", "04:00"), "2026-10-18", [("18 00:00", "18 02:00")]),
        (("02:00", "04:00"), "2026-10-25", [("25 00:00", "25 03:00")]),  # 02:00 comes twice: three hours
        (("02:15", "02:45"), "2026-10-25", [("25 00:15", "25 01:45")]),  # from the first 02:15 to the last 02:45
        (("01:00", "02:30"), "2026-10-25", [("24 23:00", "25 01:30")]),
        (("22:00", "02:30"), "2026-10-18", [("18 20:00", "19 00:30")]),  # into Monday
        (("00:00", "24:00"), "2026-10-25", [("24 22:00", "25 23:00")]),  # 25 hours
        (("00:00", "24:00"), "2026-03-29", [("28 23:00", "29 22:00")]),  # 23 hours
    ],
)
def test_a_window_keeps_to_the_clock_of_its_place(of: tuple[str, str], day: str, quiet: list[tuple[str, str]]) -> None:
    """In Berlin, in summer and winter, and on both days on which clocks are set (feature 83)."""
    middle = utc(f"{day} 00:00")
    first, last = (str((middle + timedelta(days=days)).replace(tzinfo=None)) for days in (-1, 2))
    assert spans(window(*of), first, last) == quiet


def test_half_an_hour_is_a_change_of_clocks_too() -> None:
    """Lord Howe: 2026-10-04 02:00 becomes 02:30, 2026-04-05 02:00 becomes 01:30."""
    one = window("01:00", "03:00", HOWE)
    assert spans(one, "2026-10-03 00:00", "2026-10-05 00:00") == [("03 14:30", "03 16:00")]
    assert spans(one, "2026-04-04 00:00", "2026-04-06 00:00") == [("04 14:00", "04 16:30")]


def test_the_later_of_two_ends_counts() -> None:
    """Windows may overlap, and the next may begin where one ends."""
    both = [window("02:00", "04:00"), window("03:00", "05:00"), window("05:00", "06:00")]
    assert quiet_until(both, utc("2026-03-22 01:30")) == utc("2026-03-22 03:00")
    assert quiet_until(both, utc("2026-03-22 02:30")) == utc("2026-03-22 04:00")
    assert quiet_until(both, utc("2026-03-22 04:00")) == utc("2026-03-22 05:00")
    assert quiet_until(both, utc("2026-03-22 05:00")) is None


Minute = st.integers(0, 1439)
Zone = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe"])


@given(st.integers(0, 525_600), Minute, Minute, st.sets(st.integers(0, 6)), Zone)
def test_where_clocks_are_not_set_it_is_what_the_clock_shows(
    minute: int, begin: int, end: int, days: set[int], name: str
) -> None:
    """Whatever place and window: quiet while the clock there shows a time between begin and end (feature 83)."""
    zone, moment = ZoneInfo(name), utc("2026-01-01 00:00") + timedelta(minutes=minute)
    if len({(moment + timedelta(days=day)).astimezone(zone).utcoffset() for day in (-2, 0, 2)}) > 1:
        return
    one = Window(days=frozenset(days), begin=timedelta(minutes=begin), end=timedelta(minutes=end), zone=zone)
    shown = moment.astimezone(zone)
    today, yesterday = shown.weekday() in days, (shown.weekday() - 1) % 7 in days
    since = shown.hour * 60 + shown.minute
    within = today and begin <= since < end
    around = (today and since >= begin) or (yesterday and since < end)
    assert (quiet_until([one], moment) is not None) == (within if begin < end else around)


# T0 of the worlds is a Sunday, 2026-11-22 10:00 UTC: 11:00 in Berlin.
NOON = window("12:00", "14:00")  # 3,600 s to 10,800 s behind T0
MUTED = replace(FLOW, usual=Limits(quiet=(NOON,)))
BEGINS, ENDS = HOUR, 3 * HOUR


def test_what_becomes_late_in_a_window_is_opened_at_its_end() -> None:
    """Due in the window: nothing in it, missed at its end, without a new fact (feature 83)."""
    world = World(flow=MUTED).append([counted(0, None, nextcall=BEGINS)]).read_until(BEGINS - 1)
    world.read_until(ENDS - 1)
    assert world.findings() == {}
    world.read_until(ENDS)
    assert open_findings(world) == {"schedule.missed"}


def test_what_is_well_again_at_the_end_of_a_window_is_never_told() -> None:
    """It ran late, within the window: nobody hears of it (feature 83)."""
    world = World(flow=MUTED).append([counted(0, None, nextcall=BEGINS)]).read_until(ENDS - 600)
    row = Row(number=1, start=ENDS - 500, end=ENDS - 499)
    world.live([row.ended(), counted(ENDS - 480, ENDS - 500, nextcall=DAY)], ENDS - 480)
    world.read_until(ENDS + HOUR)
    assert world.findings() == {}


def test_what_is_open_stays_open_and_closes_as_ever() -> None:
    """Late before the window: it stays late in it, is missed at its end, and over when it begins (features 81, 83)."""
    world = World(flow=MUTED).append([counted(0, None, nextcall=600)]).read_until(BEGINS - 1)
    assert open_findings(world) == {"schedule.late"}
    world.read_until(600 + HOUR).read_until(ENDS - 1)
    assert open_findings(world) == {"schedule.late"}
    assert [log.event_name for log in world.found.logs] == ["finding.opened"]
    world.read_until(ENDS)
    assert open_findings(world) == {"schedule.missed"}
    assert [log.event_name for log in world.found.logs] == ["finding.opened", "finding.closed", "finding.opened"]


def test_a_missed_action_that_begins_in_a_window_is_over_in_it() -> None:
    """Quiet opens nothing; it closes."""
    world = World(flow=MUTED).append([counted(-DAY, None, nextcall=-HOUR)]).read_until(0)
    assert open_findings(world) == {"schedule.missed"}
    world.live([Row(number=1, start=BEGINS + 60).started()], BEGINS + 61)
    assert open_findings(world) == set()


def test_a_run_that_is_stuck_in_a_window_is_told_at_its_end() -> None:
    """Longer than an hour by then, and still running (features 79, 83)."""
    started = Row(number=1, start=600).started()
    world = World(flow=MUTED).append([counted(-10, None, nextcall=0), started]).read_until(BEGINS - 1)
    world.read_until(ENDS - 1)
    assert open_findings(world) == set()
    world.read_until(ENDS)
    assert open_findings(world) == {"limit.stuck"}


def test_a_failure_in_a_window_is_told_at_its_end() -> None:
    """The newest run went wrong in the window and none went well since (features 2, 83)."""
    world = World(flow=MUTED).append([counted(-10, None, nextcall=BEGINS + 60)]).read_until(BEGINS - 1)
    row, read = Row(number=1, start=BEGINS + 60, end=BEGINS + 61), counted(BEGINS + 75, BEGINS + 60, 1, nextcall=DAY)
    world.live([row.ended(), read], BEGINS + 75)
    assert world.findings() == {}
    world.read_until(ENDS)
    assert open_findings(world) == {"result.failing"}


def test_a_silent_scheduler_is_told_at_the_end_of_the_window() -> None:
    """An upgrade stops every action: one Finding when it lasts longer than the window (features 83, 113)."""
    world = World(flow=MUTED).append([action(n, 0, BEGINS) for n in range(1, 9)]).read_until(BEGINS - 1)
    world.read_until(ENDS - 60)
    assert world.findings() == {}
    world.read_until(ENDS)
    assert open_findings(world) == {"scheduler.silent"}


def test_an_action_may_have_a_window_of_its_own() -> None:
    """What another action's window mutes is told of this one."""
    other = replace(FLOW, limits={"lab.other": Limits(quiet=(NOON,))})
    world = World(flow=other).append([counted(0, None, nextcall=BEGINS)]).read_until(ENDS - 1)
    assert open_findings(world) == {"schedule.missed"}


def test_a_window_follows_another() -> None:
    """Still quiet at the end of the first: told at the end of the last."""
    flow = replace(FLOW, usual=Limits(quiet=(NOON, window("14:00", "15:00"))))
    world = World(flow=flow).append([counted(0, None, nextcall=BEGINS)]).read_until(ENDS).read_until(ENDS + HOUR - 1)
    assert world.findings() == {}
    assert open_findings(world.read_until(ENDS + HOUR)) == {"schedule.missed"}


@searching()
@given(crons(), st.randoms(use_true_random=True), st.sampled_from([1, 3, 1000]), Minute)
def test_any_order_and_any_batches_find_the_same_in_a_window(truth: Truth, rng: Random, batch: int, begin: int) -> None:
    """Windows change nothing of what does not depend on order (feature 83; R1)."""
    one = Window(days=ALWAYS, begin=timedelta(minutes=begin), end=timedelta(minutes=(begin + 30) % 1440), zone=UTC)
    flow = replace(FLOW, usual=Limits(late=timedelta(seconds=30), quiet=(one,)))
    events = [event for poll in polled(truth, times(truth)) for event in poll]
    whole, shuffled = World(flow=flow).append(events), World(flow=flow)
    shuffled.append(rng.sample(events, len(events)), batch=batch)
    for world in (whole, shuffled):
        world.read_until(truth.end + 200).read_until(truth.end + DAY)
    assert shuffled.findings() == whole.findings()
    assert shuffled.found.logs == whole.found.logs


def test_t0_is_what_the_tests_above_think() -> None:
    """11:00 on a Sunday in Berlin."""
    shown = at(0).astimezone(BERLIN)
    assert (shown.weekday(), shown.hour) == (6, 11)


def outlier(when: float, run: int, *, learned: bool = True, subject: str = "lab.action") -> Event:
    """A detector's claim of a run at a time."""
    seen = FindingSeen(
        detector="outlier.duration",
        subject=subject,
        severity="warning",
        example="cron/42#1",
        since=at(0),
        sentence="It took long.",
        examples=(f"cron/42#{run}",),
        p=0.001 if learned else None,
    )
    return event("finding.opened", when, f"f{run}", seen, source="detectors/findings")


def test_nothing_learned_is_opened_in_a_quiet_window() -> None:
    """A run that is unusual while it is quiet is not told; one before stays open, one behind opens it (feature 83)."""
    sunday = window("11:30", "12:30")  # the worlds begin on a Sunday at 11:00 in Berlin
    flow = replace(FLOW, usual=Limits(quiet=(sunday,)))
    inside, behind = 2000.0, 5400.0
    world = World(flow=flow).append([outlier(inside, 1)])
    assert open_findings(world) == set()
    assert open_findings(world.append([outlier(behind, 2)])) == {"outlier.duration"}
    before = World(flow=flow).append([outlier(60, 1), outlier(inside, 2)])
    assert before.findings()["outlier.duration"].links != ()
    assert open_findings(World(flow=flow).append([outlier(inside, 1, learned=False)])) == {"outlier.duration"}


def test_an_action_has_quiet_windows_of_its_own() -> None:
    """What is learned of one action is muted by its window, and not by that of another."""
    quiet = Limits(quiet=(window("11:30", "12:30"),))
    flow = replace(FLOW, limits={"lab.other": quiet})
    world = World(flow=flow).append([outlier(2000, 1), outlier(2000, 2, subject="lab.other")])
    assert [run.workflow for run in world.findings().values()] == ["lab.action"]
