"""A value of a row as Odoo's RPC gives it (False for empty, bare ids, UTC text dates) -> a typed one, or BadRecord."""

import re
from datetime import UTC, datetime

from exporter.domain.redact import plain
from exporter.domain.times import moment
from exporter.errors import BadRecord
from exporter.sources.odoo.door import JSON, Row

_STAMP = "%Y-%m-%d %H:%M:%S"
_STAMP_LENGTH = 19
_IS_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}").match  # fromisoformat takes more
# A value beyond these is a lie or a mistake, and would stop the fold: sums, ids and times must stay computable.
LARGEST = 2**53
LONGEST = 10 * 365 * 86_400.0  # seconds of work
YEARS = range(1970, 2200)
NEVER = frozenset({"nextcall", "eta"})  # 9999-12-31 is how people write "never"


def integer(row: Row, field: str) -> int:
    """A whole number; an empty one is 0."""
    value = row.get(field, False)
    if isinstance(value, int) and abs(value) <= LARGEST:
        return int(value)
    raise _wrong(row, field, "a whole number")


def row_id(row: Row) -> int:
    """The row's id, above 0."""
    found = integer(row, "id")
    if found <= 0:
        raise _wrong(row, "id", "an id")
    return found


def number(row: Row, field: str) -> float | None:
    """A number, None when empty."""
    value = row.get(field, False)
    if value is False or value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return float(value)
    raise _wrong(row, field, "a number")


def seconds(row: Row, field: str) -> float | None:
    """How long something worked, None when empty."""
    found = number(row, field)
    if found is None or abs(found) <= LONGEST:
        return found
    raise _wrong(row, field, "a number of seconds")


def yes(row: Row, field: str) -> bool:
    """A boolean."""
    value = row.get(field, False)
    if isinstance(value, bool):
        return value
    raise _wrong(row, field, "true or false")


def text(row: Row, field: str) -> str | None:
    """Text on one line, clipped, control characters escaped; None when empty."""
    value = row.get(field, False)
    if value is False or value is None or value == "":
        return None
    if isinstance(value, str):
        return plain(value)
    raise _wrong(row, field, "a text")


def required_text(row: Row, field: str) -> str:
    """Text that must be there."""
    found = text(row, field)
    if found is None:
        raise _wrong(row, field, "a text")
    return found


def instant(row: Row, field: str) -> datetime | None:
    """A datetime, aware UTC, in whole seconds as RPC gives it; None when empty."""
    value = row.get(field, False)
    if value is False or value is None:
        return None
    if isinstance(value, str) and _IS_STAMP(value):
        try:
            found = moment(value[:_STAMP_LENGTH], _read)
        except (ValueError, OverflowError):
            raise _wrong(row, field, "a date and time") from None
        if found.year in YEARS:
            return found
        if field in NEVER and found.year >= YEARS.stop:
            return None
    raise _wrong(row, field, "a date and time")


def _read(text: str) -> datetime:
    """What looks like a stamp; strptime takes twelve times as long."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def required_instant(row: Row, field: str) -> datetime:
    """A datetime that must be there."""
    found = instant(row, field)
    if found is None:
        raise _wrong(row, field, "a date and time")
    return found


def link(row: Row, field: str) -> int | None:
    """The id behind a many2one: bare as `load=None` gives it, or the first of [id, name]; None when empty."""
    value = row.get(field, False)
    if isinstance(value, list) and value:
        value = value[0]
    if value is False or value is None or value == 0:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST:
        return value
    raise _wrong(row, field, "a record")


def required_link(row: Row, field: str) -> int:
    """The id behind a many2one that must be set."""
    found = link(row, field)
    if found is None:
        raise _wrong(row, field, "a record")
    return found


def links(row: Row, field: str) -> tuple[int, ...]:
    """The ids of a many2many, sorted."""
    value = row.get(field, False)
    if value is False or value is None:
        return ()
    if isinstance(value, list):
        return tuple(sorted(_whole(row, field, one) for one in value))
    raise _wrong(row, field, "a list of records")


def stamp(at: datetime) -> str:
    """A datetime as a domain wants it: UTC, whole seconds (Odoo drops the rest)."""
    return at.astimezone(UTC).strftime(_STAMP)


def _whole(row: Row, field: str, value: JSON) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(row, field, "a list of records")


def _wrong(row: Row, field: str, expected: str) -> BadRecord:
    """The value itself is not shown: it may be anybody's."""
    return BadRecord(f"{field} of row {row.get('id')!r:.20} is {type(row.get(field)).__name__}, not {expected}.")
