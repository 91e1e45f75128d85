"""Quiet windows: times of the week, on the clock of a place, in which nothing declared or learned is opened.

A window lasts from the first moment the clock shows its begin to the last moment it shows its end. Where clocks are set
back, that is an hour more; where they are put forward, an hour less, and a window that lies in the hour that does not
exist comes as long as it is, an hour later. The zone is made by the configuration, which reads the files of zones.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct

DAY = timedelta(days=1)


class Window(Struct, frozen=True, kw_only=True, gc=False):
    """One window of a week.

    Attributes:
        days: on which days it begins, 0 is Monday.
        begin, end: since midnight; an end that is not later than the begin is one of the next day.
        zone: whose clock.
    """

    days: frozenset[int]
    begin: timedelta
    end: timedelta
    zone: tzinfo


def quiet_until(windows: Iterable[Window], at: datetime) -> datetime | None:
    """The end of a window that is open at a time, None where none is; another may begin there."""
    return max((end for window in windows for begin, end in _near(window, at) if begin <= at < end), default=None)


def _near(window: Window, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The windows that begin on the day of a time, or on the day before."""
    today = at.astimezone(window.zone).date()
    length = window.end if window.end > window.begin else window.end + DAY
    for day in (today - DAY, today):
        if day.weekday() in window.days:
            yield _shown(day, window.begin, window.zone)[0], max(_shown(day, length, window.zone))


def _shown(day: date, since: timedelta, zone: tzinfo) -> tuple[datetime, datetime]:
    """When the clock shows a time: twice where it is set back; what it never shows is counted from before and after."""
    naive = datetime.combine(day, time()) + since
    first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second
