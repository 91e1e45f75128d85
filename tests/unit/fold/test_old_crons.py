"""Scheduled actions of versions that show less: before 18 no results, on 18 `lastcall` is when the run was over."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.events import Event
from exporter.domain.runs import ENDLESS, Run
from exporter.fold.tell import decode_run
from tests.searching import searching
from tests.worlds import Row, World, at, counted, story

DAY = 86_400.0


def old(when: float, lastcall: float | None, **about: object) -> Event:
    """ir.cron as Odoo 14 to 17 shows it."""
    return counted(when, lastcall, counts=False, nextcall=(lastcall or 0) + DAY, **about)


def runs(world: World) -> list[Run]:
    """Closed runs of the action, in order."""
    found = (decode_run(row.body) for row in world.rows.values() if row.kind == "cron")
    return sorted(found, key=lambda run: run.started_at)


def test_before_18_a_run_is_what_lastcall_says() -> None:
    """Each move of `lastcall` is a run that began then, with no end and no result; the first read is the past."""
    world = World().append([old(0, None)]).read_until(10)
    world.append([old(100, 90)]).read_until(110)
    world.append([old(200, 190), old(300, 290)]).read_until(310)
    found = runs(world)
    assert [run.started_at for run in found] == [at(90), at(190), at(290)]
    assert {run.result for run in found} == {"unknown"}
    assert all(ENDLESS[0] in run.attributes for run in found)
    assert not [one for one in world.measurements if one.name == "odoo_cron_run_duration_seconds"]


def test_nothing_fails_where_nothing_is_counted() -> None:
    """No Finding of a failing action comes from a version that counts no failures."""
    world = World().append([old(0, None)]).read_until(10)
    for turn in range(1, 6):
        world.append([old(100.0 * turn, 100.0 * turn - 10)]).read_until(100.0 * turn + 5)
    assert not [run for run in world.findings().values() if run.attributes and run.state == "result.failing"]


@pytest.mark.parametrize("failed", [False, True])
def test_on_18_lastcall_is_the_end(failed: bool) -> None:  # noqa: FBT001 a parameter of the test
    """The run whose last row was written just before `lastcall` is the one that was counted."""
    world = World().append([counted(0, None, called="ended")]).read_until(10)
    rows = [Row(number=1, start=90, end=95).ended()]
    world.append([*rows, counted(97, 95, int(failed), called="ended")]).read_until(100)
    (run,) = runs(world)
    assert (run.result, run.started_at, run.ended_at) == ("failure" if failed else "success", at(90), at(95))


@searching()
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_in_any_order_and_doubled_the_same_is_told(seed: int, batch: int) -> None:
    """Of a version without rows, too: any order and repetition of its reads gives the same Runs and numbers."""
    facts = [old(100.0 * turn, 100.0 * turn - 10 if turn else None) for turn in range(6)]
    random = Random(seed)
    shuffled = [*facts, *random.choices(facts, k=3)]
    random.shuffle(shuffled)
    straight = World().append(facts, batch=100).read_until(1000)
    mixed = World().append(shuffled, batch=batch).read_until(1000)
    assert story(mixed) == story(straight)
