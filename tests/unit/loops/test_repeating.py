"""The loop around a step: at once while there is more, waiting else, and never ending in silence."""

from threading import Event as Flag

import pytest

from exporter.clock import SystemClock
from exporter.errors import StoreBroken, StoreFull
from exporter.loops.repeating import Repeating

LONG = 3600.0  # an interval no test waits for


def ended(loop: Repeating) -> bool:
    """Whether it ends soon."""
    return loop.join(5)


def test_it_goes_on_at_once_while_there_is_more() -> None:
    """A step that says that there is more is called again without waiting for the interval."""
    calls: list[int] = []
    idle = Flag()

    def step() -> bool:
        calls.append(len(calls))
        if len(calls) == 5:
            idle.set()
        return len(calls) < 5

    loop = Repeating("test", step, SystemClock(), LONG)
    loop.start()
    assert idle.wait(5)
    loop.halt()
    assert ended(loop)
    assert calls == [0, 1, 2, 3, 4]


def test_waking_it_shortens_the_wait() -> None:
    """`wake` calls the step though the interval is not over; a wake during a step is not lost."""
    called = [Flag() for _ in range(3)]
    turn = iter(called)
    loop = Repeating("test", lambda: bool(next(turn).set()), SystemClock(), LONG)
    loop.start()
    assert called[0].wait(5)
    loop.wake()
    assert called[1].wait(5)
    assert not called[2].wait(0.05)
    loop.halt()
    assert ended(loop)
    assert loop.fault is None
    assert not loop.alive()


def test_a_wake_while_the_step_works_is_not_lost() -> None:
    """Something that arrives while a step is at work is looked at in the next step, at once."""
    began, go_on, second = Flag(), Flag(), Flag()

    def step() -> bool:
        if began.is_set():
            second.set()
            return False
        began.set()
        go_on.wait(5)
        return False

    loop = Repeating("test", step, SystemClock(), LONG)
    loop.start()
    assert began.wait(5)
    loop.wake()
    go_on.set()
    assert second.wait(5)
    loop.halt()
    assert ended(loop)


def test_halting_lets_the_step_at_work_end() -> None:
    """`halt` does not break into a step; `join` says whether it ended in time."""
    began, go_on = Flag(), Flag()

    def step() -> bool:
        began.set()
        return not go_on.wait(5)

    loop = Repeating("test", step, SystemClock(), LONG)
    loop.start()
    assert began.wait(5)
    loop.halt()
    assert not loop.join(0.05)
    go_on.set()
    assert ended(loop)


@pytest.mark.parametrize("error", [StoreBroken("disk I/O error"), RuntimeError("a bug")])
def test_what_it_cannot_survive_is_seen(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A broken store and a bug end the loop; `fault` says which, and the log says so, too."""

    def step() -> bool:
        raise error

    loop = Repeating("test", step, SystemClock(), LONG)
    loop.start()
    assert ended(loop)
    assert loop.fault is error
    assert not loop.alive()
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


def test_a_store_without_room_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """R9: a full store (or a fenced Commit) wrote nothing and ends nothing: one line, and the step is tried again."""
    done = Flag()
    troubles = iter([StoreFull("no room"), StoreFull("no room"), None])

    def step() -> bool:
        trouble = next(troubles)
        if trouble is not None:
            raise trouble
        done.set()
        return False

    loop = Repeating("test", step, SystemClock(), 0.01)
    loop.start()
    assert done.wait(5)
    loop.halt()
    assert ended(loop)
    assert loop.fault is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_one_that_never_started_is_joined_at_once() -> None:
    """A service that is stopped before it began does not wait."""
    assert Repeating("test", lambda: False, SystemClock(), LONG).join(0)
