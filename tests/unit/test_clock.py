"""The clock of the demo: behind, fast, then in step (decision 25)."""

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from exporter.clock import ScaledClock, StepClock

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _clock(behind: timedelta = timedelta(hours=1), speed: float = 60.0) -> tuple[StepClock, ScaledClock]:
    real = StepClock(NOW)
    return real, ScaledClock(real, NOW - behind, speed)


def test_it_runs_sixty_times_as_fast_while_it_is_behind() -> None:
    """A real second is a simulated minute."""
    real, clock = _clock()
    real.step(1)
    assert clock.now() == NOW - timedelta(hours=1) + timedelta(minutes=1)


def test_it_keeps_step_once_it_has_caught_up() -> None:
    """From the moment it reaches now it never runs ahead."""
    real, clock = _clock()
    real.step(61.1)
    assert clock.now() == real.now()
    real.step(5)
    assert clock.now() == real.now()


@pytest.mark.parametrize("seconds", [15.0, 3600.0, 3660.0, 9999.0])
def test_a_wait_ends_when_the_simulated_seconds_are_over(seconds: float) -> None:
    """Waiting counts in simulated seconds, also across the moment it catches up."""
    _, clock = _clock()
    before = clock.now()
    clock.wait(Event(), seconds)
    assert abs((clock.now() - before).total_seconds() - seconds) < 0.001


def test_a_wait_ends_when_the_flag_is_set() -> None:
    """Stopping does not wait for simulated time."""
    _, clock = _clock()
    flag = Event()
    flag.set()
    assert clock.wait(flag, 1)


def test_work_is_measured_in_real_seconds() -> None:
    """A poll's duration is not multiplied."""
    real, clock = _clock()
    before = clock.monotonic()
    real.step(2)
    assert clock.monotonic() - before == 2


def test_at_speed_one_it_stays_as_far_behind() -> None:
    """Speed 1 is the real pace."""
    real, clock = _clock(speed=1)
    clock.wait(Event(), 30)
    assert clock.now() == real.now() - timedelta(hours=1)


def test_a_speed_below_one_is_refused() -> None:
    """It would never catch up."""
    with pytest.raises(ValueError, match="1 or more"):
        _clock(speed=0.5)
