"""Aware UTC datetimes and integer microseconds since 1970, and back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
SECOND = 1_000_000
_THOUSAND = 999.5  # from here on three digits would be written as a power of ten
_LEAP = re.compile(r"(?<=\d\d:\d\d:)60(?!\d)")


@lru_cache(maxsize=8192)  # one time stands in a dozen numbers and spans of a Run
def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime (exact, no float)."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


@lru_cache(maxsize=8192)  # a page of rows was seen at one time, and what was saved is soon loaded again
def from_micros(us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


def in_words(seconds: float) -> str:
    """How long something took, for a person: three digits, and whole seconds from a thousand on."""
    return f"{seconds:.3g} s" if abs(seconds) < _THOUSAND else f"{seconds:.0f} s"


def moment(text: str, read: Callable[[str], datetime]) -> datetime:
    """The time that a text says, as `read` reads it; a leap second (`:60`) is the one after it, as POSIX counts.

    Python knows no leap seconds: without this the fact that carries one would be left out.

    Raises:
        ValueError, OverflowError: it says none.
    """
    if ":60" not in text:
        return read(text)
    ordinary, leaps = _LEAP.subn("59", text, count=1)
    return read(ordinary) + timedelta(seconds=leaps)


def require_utc(at: datetime, what: str) -> None:
    """Raise ValueError unless the datetime is aware and in UTC."""
    if at.tzinfo is not UTC and at.utcoffset() != timedelta(0):
        message = f"{what} must be an aware UTC datetime, not {at!r}"
        raise ValueError(message)
