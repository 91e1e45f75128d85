"""The brakes of the sending loop."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.loops.limits import Backoff, RejectLimit


def test_waits_double_from_one_second_to_sixty() -> None:
    """The ceiling of the wait is 1, 2, 4 ... 60 s; full jitter takes any share of it."""
    backoff = Backoff(random=lambda: 1.0)
    assert [backoff.wait() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.clear()
    assert backoff.wait() == 1


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=2000))
def test_waits_are_never_longer_than_a_minute(numbers: list[float]) -> None:
    """However long the outage, the next look is at most a minute away, and never in the past."""
    source = iter(numbers)
    backoff = Backoff(random=lambda: next(source))
    assert all(0 <= backoff.wait() <= 60 for _ in numbers)


def test_a_server_is_not_asked_sooner_than_it_wished() -> None:
    """Retry-After is the least we wait."""
    backoff = Backoff(random=lambda: 0.0)
    assert backoff.wait(17.0) == 17.0


def test_a_few_bad_rows_may_always_go() -> None:
    """The floor: twenty bad rows are set aside even if nothing good was seen."""
    limit = RejectLimit()
    assert limit.allows(0, 20, 0, 0)
    assert not limit.allows(0, 21, 0, 0)


def test_more_than_a_fifth_stops() -> None:
    """R6: when more than 20 % of five minutes' rows are refused, no more are set aside."""
    limit = RejectLimit()
    limit.count(0, 800, 199)
    assert limit.allows(1, 1, 0, 0)
    assert not limit.allows(1, 2, 0, 0)
    assert limit.allows(1, 2, 5, 0)
    assert not limit.allows(1, 2, 0, 1)


def test_five_minutes_later_it_may_go_on() -> None:
    """What was judged longer ago than the window does not count."""
    limit = RejectLimit()
    limit.count(0, 0, 20)
    limit.count(2, 1, 0)
    assert not limit.allows(300, 1, 0, 0)
    assert limit.allows(303, 1, 0, 0)


def test_a_server_that_accepts_nothing_gets_the_floor_once() -> None:
    """R6: a deploy that is bad for days costs no more rows than one that is bad for a minute."""
    limit = RejectLimit()
    limit.count(0, 0, 20)
    assert not limit.allows(100_000, 1, 0, 0)
    assert limit.allows(100_000, 1, 1, 0), "a row of this very pass was accepted"
    limit.count(100_000, 1, 0)
    assert limit.allows(200_000, 1, 0, 0)


def test_memory_is_bounded_by_the_window() -> None:
    """A million passes in five minutes leave at most one entry a second."""
    limit = RejectLimit()
    for n in range(100_000):
        limit.count(n * 0.01, 1, 0)
    assert len(limit._judged) <= 302
    assert sum(each[1] for each in limit._judged) <= 30_200
