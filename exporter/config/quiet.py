"""Quiet windows as they are written: `Sun 02:00-04:00 Europe/Berlin`, `Mon-Fri 22:00-02:00 UTC`."""

import re
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from zoneinfo import ZoneInfo

from exporter.config.kinds import Kind, require, text_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WRITTEN = re.compile(r"(?P<days>[A-Za-z,-]+) (?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d) (?P<zone>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """One window of a week: the days on which it begins (0 is Monday), its times since midnight, whose clock."""

    days: frozenset[int]
    begin: timedelta
    end: timedelta
    zone: tzinfo


def _windows(raw: object) -> tuple[Quiet, ...]:
    return tuple(_window(text_of(one)) for one in (raw if isinstance(raw, list) else [raw]))


def _window(written: str) -> Quiet:
    found = WRITTEN.fullmatch(" ".join(written.split()))
    if found is None:
        raise ValueError
    begin, end = _time(found["begin"]), _time(found["end"])
    require(begin != end and begin < timedelta(hours=24))
    return Quiet(days=_days(found["days"].lower()), begin=begin, end=end, zone=_zone(found["zone"]))


def _days(written: str) -> frozenset[int]:
    if written == "daily":
        return frozenset(range(len(DAYS)))
    return frozenset(day for part in written.split(",") for day in _range(part))


def _range(part: str) -> list[int]:
    first, dash, last = part.partition("-")
    begin = DAYS.index(first)
    days = (DAYS.index(last) - begin) % len(DAYS) if dash else 0
    return [(begin + day) % len(DAYS) for day in range(days + 1)]


def _time(written: str) -> timedelta:
    hours, minutes = map(int, written.split(":"))
    require(minutes < 60 and hours * 60 + minutes <= 24 * 60)  # noqa: PLR2004 minutes of an hour, hours of a day
    return timedelta(hours=hours, minutes=minutes)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except OSError:  # `Europe` is a folder
        raise ValueError from None


QUIET = Kind(
    says="days, times and a zone that this machine knows, such as Sun 02:00-04:00 Europe/Berlin, or a list of them",
    read=_windows,
)
