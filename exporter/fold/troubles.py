"""What went wrong of late, again and again, as one claim: first, last, how often; over an hour behind the last."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.bodies import FindingSeen

HOLD = timedelta(hours=1)
# What a failure means to the business, as the severity of an alert.
SEVERITIES: Mapping[str, str] = {"low": "info", "normal": "warning", "high": "critical", "critical": "critical"}


class Trouble(Struct, frozen=True, kw_only=True, gc=False):
    """Something that went wrong: `words` say it of the newest, `worst` is how bad the worst was, in seconds."""

    first: datetime
    last: datetime
    count: int = 1
    example: str = ""
    words: str = ""
    worst: float = 0.0


Troubles = dict[str, Trouble]  # by `detector/label`


def noted(troubles: Mapping[str, Trouble], name: str, one: Trouble) -> Troubles:
    """One more; what lies further apart than HOLD is another trouble, and only the newest is kept."""
    known = troubles.get(name)
    if known is None or known.last + HOLD < one.first:
        return {**troubles, name: one}
    if one.last + HOLD < known.first:
        return dict(troubles)
    newest = max(known, one, key=lambda each: (each.last, each.example))
    merged = replace(
        newest,
        first=min(known.first, one.first),
        count=known.count + one.count,
        worst=max(known.worst, one.worst),
    )
    return {**troubles, name: merged}


def lasting(troubles: Mapping[str, Trouble], now: datetime) -> Troubles:
    """Without those that are over."""
    return {name: one for name, one in troubles.items() if now < one.last + HOLD}


def over_at(troubles: Mapping[str, Trouble]) -> datetime | None:
    """When the first of them is over."""
    return min((one.last + HOLD for one in troubles.values()), default=None)


def claimed(name: str, one: Trouble, severity: str, high: float | None = None) -> FindingSeen:
    """The claim of a trouble; `high` is how many seconds it may take."""
    detector, _, label = name.partition("/")
    again = f" {one.count} times since {one.first:%Y-%m-%d %H:%M:%S} UTC." if one.count > 1 else ""
    return FindingSeen(
        detector=detector,
        subject=label,
        severity=severity,
        example=one.example,
        since=one.first,
        sentence=one.words + again,
        observed=one.worst or None,
        high=high,
        name=label,
    )


def by_name(troubles: Mapping[str, Trouble]) -> Iterable[tuple[str, Trouble]]:
    """Sorted."""
    return sorted(troubles.items())
