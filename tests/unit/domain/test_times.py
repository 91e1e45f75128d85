"""Times are aware UTC and microseconds, exactly."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.times import EPOCH, MICRO, from_micros, in_words, micros, moment, require_utc


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_lose_nothing_on_the_way_and_back(at: datetime) -> None:
    """Also before 1970 and in the year 9999, where floats would round."""
    assert from_micros(micros(at)) == at
    assert micros(at + MICRO) == micros(at) + 1 if at < datetime.max.replace(tzinfo=UTC) else True


def test_the_count_begins_in_1970() -> None:
    """Microseconds since 1970, as OTLP counts nanoseconds."""
    assert (micros(EPOCH), micros(datetime(1970, 1, 2, tzinfo=UTC))) == (0, 86_400_000_000)


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))])
def test_a_time_that_is_not_utc_is_refused_with_what_it_is(zone: timezone | None) -> None:
    """Naive ones would be read as local by one machine and as UTC by another."""
    with pytest.raises(ValueError, match=r"Event\.at must be an aware UTC datetime"):
        require_utc(datetime(2026, 1, 1, tzinfo=zone), "Event.at")


def test_utc_by_any_name_is_utc() -> None:
    """What counts is the offset, not the class of the zone."""
    require_utc(datetime(2026, 1, 1, tzinfo=timezone(timedelta(0), "Z")), "at")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.01234, "0.0123 s"),
        (1.5, "1.5 s"),
        (60, "60 s"),
        (999.4, "999 s"),
        (999.9, "1000 s"),
        (1e6, "1000000 s"),
    ],
)
def test_a_duration_is_said_in_three_digits_and_never_as_a_power_of_ten(seconds: float, words: str) -> None:
    """A day that was tolerated is 86400 s to a person, not 8.64e+04 s."""
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2028-02-29T12:00:00+00:00", "2028-02-29T12:00:00+00:00"),
        ("2016-12-31T23:59:60+00:00", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.25+00:00", "2017-01-01T00:00:00.250000+00:00"),
        ("2028-02-29T23:59:60+00:00", "2028-03-01T00:00:00+00:00"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T01:00:00+01:00"),
    ],
)
def test_a_leap_second_is_the_one_after_it(text: str, iso: str) -> None:
    """R14: `:60` is a time, as POSIX counts it, with its fraction and in any zone; 29 February is a day."""
    assert moment(text, datetime.fromisoformat).isoformat() == iso


@pytest.mark.parametrize(
    "text", ["2016-12-31T23:60:00+00:00", "2016-12-31T23:59:61+00:00", "2027-02-29T12:00:60+00:00"]
)
def test_what_is_no_leap_second_is_no_time(text: str) -> None:
    """R14: minutes of 60, seconds of 61 and days that are none stay refused."""
    with pytest.raises(ValueError, match=r"must be in|out of range|day"):
        moment(text, datetime.fromisoformat)
