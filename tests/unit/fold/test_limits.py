"""Declared limits: what is late, missed, stuck or failing is one Finding, and resolves only by a fresh read."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from exporter.domain.bodies import CronCounted, FindingSeen
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.fold.limits import Limits
from exporter.fold.subjects import Flow
from tests.worlds import CRONS, FLOW, T0, TENANT, Row, World, at, counted, event, read

HOUR = 3600.0
DAY = 24 * HOUR
BRUSSELS = ZoneInfo("Europe/Brussels")


def said(run: Run) -> dict[str, object]:
    """What a Finding says."""
    return {name.removeprefix("odoo.finding."): value for name, value in run.attributes}


def open_findings(world: World) -> set[str]:
    """Detectors whose newest Finding is open."""
    return {detector for detector, run in world.findings().items() if run.ended_at is None}


def action(number: int, when: float, nextcall: float, *, active: bool = True) -> Event:
    """A read of one of several actions that never ran."""
    body = CronCounted(
        cron_id=number, name=f"Action {number}", xmlid=f"lab.action_{number}", nextcall=at(nextcall), active=active
    )
    return event("odoo.cron.counted", when, f"0/cron/{number}/{when}", body)


def noon(day: date) -> float:
    """12:00 of a day in Brussels, as seconds after T0."""
    return (datetime.combine(day, time(12), BRUSSELS).astimezone(UTC) - T0).total_seconds()


def daily(lastcall: float | None, nextcall: float, when: float) -> Event:
    """A read of an action that Odoo counts in days of Brussels."""
    row = counted(when, lastcall, nextcall=nextcall)
    assert isinstance(row.body, CronCounted)
    return replace(row, body=replace(row.body, interval_number=1, interval_type="days", timezone=BRUSSELS.key))


def days(first: date, number: int) -> Iterator[tuple[int, float, float]]:
    """(number, when it is due, when the day after) of so many days in Brussels."""
    for n in range(number):
        yield n + 1, noon(first + timedelta(days=n)), noon(first + timedelta(days=n + 1))


def failing() -> World:
    """An action that failed once."""
    world = World().append([counted(-10, None, nextcall=0)]).read_until(-5)
    return world.live([Row(number=1, start=0, end=4).ended(), counted(15, 0, 1, nextcall=DAY)], 15)


def test_findings_of_actions_that_are_not_read_any_more_close() -> None:
    """A reload that leaves the actions out closes what was open of them, and opens nothing (feature 115)."""
    world = failing()
    world.flow = replace(FLOW, witnesses=frozenset({"odoo/jobs"}))
    world.read_until(5 * DAY)
    assert {name: run.ended_at is None for name, run in world.findings().items()} == {"result.failing": False}
    world.flow = FLOW
    world.append([counted(5 * DAY + 1, 0, 1, nextcall=DAY)]).read_until(5 * DAY + 2)
    assert open_findings(world) == {"schedule.missed", "result.failing"}


def test_an_action_that_failed_is_one_finding_until_it_ran_well() -> None:
    """A failure opens `result.failing`, a second one updates it, a success closes it (features 2, 80)."""
    world = failing()
    first = world.findings()["result.failing"]
    assert said(first)["sentence"] == "LAB action failed at 2026-11-22 10:00:04 UTC."
    world.live([Row(number=2, start=60, end=61).ended(), counted(75, 60, 2, nextcall=DAY)], 75)
    again = world.findings()["result.failing"]
    assert (again.key, again.started_at) == (first.key, first.started_at)
    assert str(said(again)["sentence"]).endswith("2 times in a row.")
    world.live([Row(number=3, start=90, end=91).ended(), counted(105, 90, 0, nextcall=DAY)], 105)
    assert open_findings(world) == set()
    assert [log.event_name for log in world.found.logs] == ["finding.opened", "finding.closed"]


def test_a_finding_is_counted_once_and_its_gauge_falls_when_it_closes() -> None:
    """`odoo_anomalies_total` counts openings; `odoo_anomaly_active` is 1, then 0."""
    world = failing()
    world.live([Row(number=3, start=90, end=91).ended(), counted(105, 90, 0, nextcall=DAY)], 105)
    found = [(one.name, one.value) for one in world.found.measurements]
    assert found == [("odoo_anomaly_active", 1), ("odoo_anomalies_total", 1), ("odoo_anomaly_active", 0)]


def test_a_finding_has_a_trace_of_its_own_linked_to_its_example() -> None:
    """The marker at opening and the span at closing link to the failed run (feature 112)."""
    world = failing()
    root = next(span for span in world.spans if span.name == "cron LAB action")
    marker = world.found.spans[0]
    assert marker.trace_id != root.trace_id
    assert [(link.trace_id, link.span_id) for link in marker.links] == [(root.trace_id, root.span_id)]


def test_two_findings_of_one_run_are_two_traces() -> None:
    """The key of a Finding is its detector and first example (decision 13): nobody shares a trace by accident."""
    world = failing()
    failed = world.findings()["result.failing"]
    seen = FindingSeen(
        detector="outlier.duration",
        subject="lab.action",
        severity="warning",
        example="cron/42#1",
        since=at(0),
        sentence="It took long.",
        model="ir.cron",
        record_id="42",
    )
    world.append([event("finding.opened", 20, "f1", seen, source="detectors/findings")])
    assert failed.key == "result.failing/cron/42#1"
    assert world.findings()["outlier.duration"].key == "outlier.duration/cron/42#1"
    assert len({span.trace_id for span in world.found.spans}) == 2


def test_an_action_that_stays_away_is_late_and_then_missed() -> None:
    """Two minutes of grace, then info; an hour, then critical, and the first is closed (features 78, 81)."""
    world = World().append([counted(0, None, nextcall=600)]).read_until(700)
    assert open_findings(world) == set()
    world.read_until(720)
    assert open_findings(world) == {"schedule.late"}
    world.read_until(600 + HOUR)
    assert open_findings(world) == {"schedule.missed"}
    assert said(world.findings()["schedule.missed"])["severity"] == "critical"
    world.live([Row(number=1, start=5000).started()], 5001)
    assert open_findings(world) == set()


@pytest.mark.parametrize(
    ("interval", "limits", "late", "missed"),
    [
        (1440, Limits(), 120, HOUR),
        (10, Limits(), 120, 600),
        (1, Limits(), 120, 240),  # Odoo looks once a minute: an action of every minute is always a little late
        (10, Limits(late=timedelta(minutes=20)), 1200, 2400),
        (10, Limits(missed=timedelta(hours=2)), 120, 2 * HOUR),
        (1440, Limits(late=timedelta(seconds=4), missed=timedelta(seconds=8)), 4, 8),
    ],
)
def test_every_action_is_late_before_it_is_missed(interval: int, limits: Limits, late: float, missed: float) -> None:
    """Grace comes first, whatever the interval, and what is declared is taken as it is (feature 81)."""
    flow = replace(FLOW, limits={"lab.action": limits})
    world = World(flow=flow).append([counted(0, None, nextcall=600, interval=interval)])
    for moment, found in (
        (late - 1, set()),
        (late, {"schedule.late"}),
        (missed - 1, {"schedule.late"}),
        (missed, {"schedule.missed"}),
    ):
        world.read_until(600 + moment)
        assert open_findings(world) == found


def test_an_action_that_is_switched_off_is_never_late() -> None:
    """nextcall in the past and inactive is not missed (facts/odoo.md, trap 2)."""
    world = World().append([action(5, 0, 600, active=False)]).read_until(DAY)
    assert world.findings() == {}


def test_a_run_that_hangs_is_stuck_until_it_is_over() -> None:
    """Longer than its limit while still running (feature 79); its end resolves it."""
    world = World().append([counted(-10, None, nextcall=0), Row(number=1, start=0).started()]).read_until(HOUR - 1)
    assert open_findings(world) == set()
    world.read_until(HOUR)
    assert open_findings(world) == {"limit.stuck"}
    world.live([Row(number=1, start=0, end=4000).ended(), counted(4010, 0, 0, nextcall=DAY)], 4010)
    assert open_findings(world) == set()


def test_nothing_fires_while_odoo_is_dark() -> None:
    """Limits are judged at the Source's mark: without a mark nothing becomes late, however much time passes (R21)."""
    world = World().append([counted(0, None, nextcall=600)]).read_until(60)
    assert world.findings() == {}
    dark = world.append([action(9, 10 * DAY, 20 * DAY)])
    assert dark.findings() == {}


CHANGES = pytest.mark.parametrize(
    ("first", "hours"), [(date(2027, 3, 26), 23), (date(2027, 10, 29), 25)], ids=["spring", "autumn"]
)


@CHANGES
def test_a_daily_action_is_never_late_where_clocks_change(first: date, hours: float) -> None:
    """Features 78, R14: days of 23 and of 25 hours in Brussels: each run on time, none late, none waited for long."""
    assert hours * HOUR in {due - before for _, before, due in days(first, 5)}, "no change of clocks: the test is blind"
    begun = noon(first) - 60
    world = World().append([daily(None, noon(first), begun)]).read_until(begun)
    for number, due, following in days(first, 5):
        for moment in (due - 1, due + 1, due + 119):
            world.read_until(moment)
            assert open_findings(world) == set()
        ran = [Row(number=number, start=due + 2, end=due + 4).ended(), daily(due + 2, following, due + 15)]
        world.live(ran, due + 15)
    assert world.findings() == {}
    assert [run.scheduled_at for run in world.runs()] == [at(due) for _, due, _ in days(first, 5)]
    assert {dict(run.attributes)["odoo.cron.timezone"] for run in world.runs()} == {"Europe/Brussels"}


@CHANGES
def test_a_daily_action_that_stays_away_is_late_by_the_clock_of_its_user(first: date, hours: float) -> None:
    """Features 78, 81: after 23 or 25 hours grace counts from Odoo's nextcall, and the sentence names the timezone."""
    before, due = next((b, d) for _, b, d in days(first, 5) if d - b == hours * HOUR)
    rows = [Row(number=1, start=before, end=before + 2).ended(), daily(before, due, before + 15)]
    world = World().append([daily(None, before, before - 60)]).live(rows, before + 15)
    world.read_until(due + 119)
    assert open_findings(world) == set()
    world.read_until(due + 120)
    assert open_findings(world) == {"schedule.late"}
    sentence = f"LAB action is late: it was due at {at(due):%Y-%m-%d %H:%M:%S} UTC (scheduled in Europe/Brussels) and"
    assert str(said(world.findings()["schedule.late"])["sentence"]).startswith(sentence)


def works(until: float) -> list[Event]:
    """Thirty actions that run every ten minutes until then, as a poll finds them that begins there."""
    rows: list[Event] = []
    for cron in range(1, 31):
        starts = [600.0 * turn + cron for turn in range(1, int(until // 600) + 1)]
        rows += [
            Row(number=100 * cron + n, start=one, end=one + 3, cron=cron).ended() for n, one in enumerate(starts, 1)
        ]
        body = CronCounted(
            cron_id=cron,
            name=f"Action {cron}",
            interval_number=10,
            interval_type="minutes",
            lastcall=at(starts[-1]),
            nextcall=at(starts[-1] + 600),
        )
        rows.append(event("odoo.cron.counted", until, f"0/cron/{cron}/{until}", body))
    return rows


@pytest.mark.parametrize("paged", [False, True], ids=["one poll", "pages without a mark first"])
@pytest.mark.parametrize("running", [False, True], ids=["nothing ran", "one ran"])
def test_nothing_fires_because_we_were_dark(*, paged: bool, running: bool) -> None:
    """R21, decision 2: three hours away from thirty actions that went on, one of them running: no Finding at all."""
    world = World().append([action(number, 0, 600 + number) for number in range(1, 31)]).read_until(60)
    if running:
        world.live([Row(number=1, start=70, cron=7).started()], 75)
    back = 3 * HOUR + 200
    rows = works(back)
    if running:
        rows.append(Row(number=1, start=70, end=80, cron=7).ended())
    if paged:
        for place in range(0, len(rows), 100):
            world.append(rows[place : place + 100])
            assert world.findings() == {}
        rows = []
    world.append([*rows, read(CRONS, back)]).read_until(back)
    assert world.findings() == {}
    assert len(world.runs()) == 30 * 18 + running
    world.read_until(back + 10 * HOUR)
    assert open_findings(world) == {"scheduler.silent"}, "nothing is ever found: the test is blind"


def test_thirty_actions_that_stand_still_are_one_finding() -> None:
    """The silent scheduler explains every late action: one Finding; when it turns again it is closed (feature 113)."""
    world = World().append([action(number, 0, 600) for number in range(1, 31)]).read_until(60)
    world.read_until(1200)
    assert open_findings(world) == {"scheduler.silent"}
    world.read_until(3 * HOUR)
    assert open_findings(world) == {"scheduler.silent"}
    world.live([Row(number=1, start=4 * HOUR, end=4 * HOUR + 1, cron=3).ended()], 4 * HOUR + 2)
    assert "scheduler.silent" not in open_findings(world)


def test_failures_before_our_first_start_notify_nobody() -> None:
    """First start on a database full of old failures: history opens no Finding."""
    flow = Flow(tenant=replace(TENANT, first_start=at(1000)), workflows=FLOW.workflows)
    world = World(flow=flow).append([counted(-10, None, nextcall=0)])
    world.live([Row(number=1, start=0, end=4).ended(), counted(990, 0, 7, nextcall=DAY)], 1010)
    assert world.results() == [("1", "failure")]
    assert world.findings() == {}
