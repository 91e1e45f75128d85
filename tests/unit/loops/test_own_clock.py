"""Our own clock jumps (R14): intervals are by the monotonic clock, and only what is a time is by the wall's."""

from datetime import timedelta
from threading import Event as Flag
from typing import Any

import pytest

from detectors.service import REREAD, Detecting
from exporter.clock import StepClock
from exporter.loops.housekeeping import RETENTION_EVERY
from exporter.loops.lane import LaneOptions
from exporter.sinks import Delivered, Rejected, Retry
from tests.fakes.rows import START
from tests.fakes.watched import T0, KeptEvents, Place, numbers, ordinary
from tests.unit.loops.test_housekeeping import House
from tests.unit.loops.test_sending import Bench

JUMPS = pytest.mark.parametrize(
    "jump",
    [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-1), timedelta(days=1), timedelta(days=-400)],
    ids=["summer ends", "summer begins", "a day back", "a day on", "a year back"],
)


def waits(jump: timedelta) -> tuple[list[float], float, Bench]:
    """(what was waited for before each try, seconds until all was delivered) of an outage in which the clock jumps."""
    bench = Bench()
    bench.add(30)
    assert bench.sink is not None
    bench.sink.verdict = lambda _: Delivered() if bench.clock.monotonic() > 100 else Retry(reason="http_503")
    pauses: list[float] = []
    while bench.outbox.rows:
        pauses.append(bench.lane.step().seconds)
        bench.clock.step(pauses[-1])
        if len(pauses) == 3:
            bench.clock.time += jump
    return pauses, bench.clock.monotonic(), bench


@JUMPS
def test_a_jump_changes_no_backoff(jump: timedelta) -> None:
    """R4, R14: the waits of an outage are those of one without a jump; only what is told as a time follows the wall."""
    honest, lying = waits(timedelta(0)), waits(jump)
    assert honest[:2] == lying[:2]
    assert honest[0][:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    bench = lying[2]
    assert bench.lane.state.last_success == START + jump + timedelta(seconds=bench.clock.monotonic())
    assert len(bench.sink.stored if bench.sink else ()) == 30


@JUMPS
def test_a_jump_lifts_no_limit_on_what_is_set_aside(jump: timedelta) -> None:
    """R6, R14: five minutes in which 20 rows may be rejected are five minutes of work, not of the wall."""
    bench = Bench(options=LaneOptions(rows=1))
    bodies = bench.add(40)
    assert bench.sink is not None
    bench.sink.verdict = lambda asked: Delivered() if bodies[20] in asked else Rejected(reason="http_400", detail="")
    for _ in range(22):
        bench.lane.step()
    assert (bench.condition(), len(bench.outbox.rows)) == ("halted", 19)
    bench.clock.time += jump
    bench.lane.step()
    assert (bench.condition(), len(bench.outbox.rows)) == ("halted", 19), "the wall opened the next window"
    bench.clock.step(301)
    bench.lane.step()
    assert len(bench.outbox.rows) == 18, "no window ever ends: the test is blind"


@JUMPS
def test_a_jump_neither_hastens_nor_stops_the_housekeeping(jump: timedelta) -> None:
    """R14: what is too old is looked for an hour of work after the last look, whatever the wall shows."""
    house = House()
    keeping = house.keeping()
    while keeping.step():
        pass
    first = len(house.upkeep.asked)
    house.clock.time += jump
    keeping.step()
    assert len(house.upkeep.asked) == first
    house.clock.step(RETENTION_EVERY)
    while keeping.step():
        pass
    assert len(house.upkeep.asked) == 2 * first


@JUMPS
def test_a_jump_makes_no_finding_and_hides_none(jump: timedelta, tmp_path: Any) -> None:
    """R14: rounds with and without a jump between them say the same of the same numbers, and read again as rarely."""
    found = {}
    for name, moved in (("honest", timedelta(0)), ("lying", jump)):
        place, intake = Place(tmp_path / f"{name}.db"), KeptEvents()
        place.start(T0 + timedelta(hours=1))
        place.add(numbers(ordinary()))
        clock = StepClock(T0 + timedelta(days=10))
        detecting = Detecting(store=place.path, intake=intake, clock=clock, stopping=Flag())
        detecting.round()
        clock.time += moved
        clock.step(REREAD / 2)
        place.add(numbers([12.0, 3.0, 3.0, 3.0], start=100))
        detecting.round()
        assert detecting._reread == 0.0, "everything was read again"
        found[name] = [(one.name, one.key, one.at, one.body) for one in intake.findings()]
    assert found["lying"] == found["honest"]
    assert [name for name, *_ in found["honest"]] == ["finding.opened", "finding.closed"]
