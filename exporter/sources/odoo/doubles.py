"""Records that share a key which is declared unique: one event made two of them (an order, an invoice, a ticket).

Odoo is asked which records share the keys of those that were written since; a cancelled one does not count, nor does
one that was made longer before or after the others than was declared. What shares a key is looked at again in every
poll, until that time is over. Of a key only its masked text and a digest are kept.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from exporter.domain.bodies import RecordDoubled, Twin
from exporter.domain.redact import mask
from exporter.sources.odoo.door import JSON, Domain, Row
from exporter.sources.odoo.options import Unique
from exporter.sources.odoo.reading import Reading, digest, second
from exporter.sources.odoo.rows import instant, link, required_instant, row_id, stamp, text
from exporter.sources.odoo.tail import Span
from exporter.sources.odoo.window import Live, Past, live_done, live_rows, page_of_the_past

CANCELLED = frozenset({"cancel", "cancelled"})
SHOWN = 64  # characters of a key's value
MOST = 500  # keys that are known as shared at once
Value = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A record and its key; None where a field of it is empty."""

    twin: Twin
    values: tuple[Value, ...] | None
    written: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A key that was told as shared: number of what was told last, when the newest was made, and by which records."""

    number: int
    newest: int
    ids: tuple[int, ...]


def read_doubles(reading: Reading) -> None:
    """Every model of which a key is declared."""
    for unique in reading.options.unique:
        _read_model(reading, unique)


def _read_model(reading: Reading, unique: Unique) -> None:
    reading.part(unique.model, lambda: _read(reading, unique))


def _read(reading: Reading, unique: Unique) -> None:
    part = f"double/{unique.model}"
    if f"since/{part}" not in reading.marks:
        live_done(reading, part)  # what was doubled before we looked notifies nobody: it is not even read
    known = _known(reading, unique)
    fresh = _keyed(reading, unique, live_rows(reading, part, unique.model, Live(fields=_fields(unique))))
    past = Past(fields=_fields(unique), wanted=_past)
    fresh += _keyed(reading, unique, page_of_the_past(reading, part, unique.model, past))
    shown = list(_again(reading, unique, known))
    if known and not shown and reading.sees_no_more(unique.model):
        return
    fresh += _keyed(reading, unique, shown)
    if _is_news(reading, part, fresh):
        _tell(reading, unique, known, _sharing(reading, unique, fresh))
    live_done(reading, part)


def _past(span: Span) -> Domain:
    return [["write_date", ">=", stamp(span.since)], ["write_date", "<", stamp(span.until)]]


def _known(reading: Reading, unique: Unique) -> dict[str, Known]:
    """Keys that were told as shared, by digest; those that nobody looks at any more are forgotten."""
    prefix = f"twins/{unique.model}/"
    found: dict[str, Known] = {}
    for mark in [mark for mark in reading.marks if mark.startswith(prefix)]:
        number, newest, *ids = map(int, reading.marks[mark].split(" "))
        if newest < second(reading.began_at - unique.within):
            reading.note(mark, None)
        else:
            found[mark.removeprefix(prefix)] = Known(number=number, newest=newest, ids=tuple(ids))
    return found


def _again(reading: Reading, unique: Unique, known: dict[str, Known]) -> Iterable[Row]:
    """The records that share a key, as they are now: one may be cancelled, renamed or deleted."""
    ids: JSON = sorted({one for each in known.values() for one in each.ids})
    return reading.pages(unique.model, [["id", "in", ids]], _fields(unique)) if ids else ()


def _is_news(reading: Reading, part: str, fresh: Sequence[Keyed]) -> bool:
    """Whether anything is not as it was at the last poll: rows that are in the window twice are asked about once."""
    seen = " ".join(sorted({f"{one.twin.record_id}/{second(one.written)}/{one.values}" for one in fresh}))
    now = digest(seen.encode())
    before = reading.marks.get(f"looked/{part}")
    reading.note(f"looked/{part}", now)
    return now != before


def _sharing(reading: Reading, unique: Unique, fresh: Sequence[Keyed]) -> dict[str, list[Keyed]]:
    """Every record that has the key of one of these, by the key's digest."""
    wanted = [one for one in fresh if one.values is not None]
    if not wanted:
        return {}
    made = [one.twin.created for one in wanted]
    domain: list[JSON] = [
        ["create_date", ">=", stamp(min(made) - unique.within)],
        ["create_date", "<=", stamp(max(made) + unique.within)],
    ]
    for place, field in enumerate(unique.key):
        values: JSON = sorted({one.values[place] for one in wanted if one.values}, key=str)
        domain.append([field, "in", values])
    keys = {one.values for one in wanted}
    found: dict[str, list[Keyed]] = {}
    for one in _keyed(reading, unique, reading.pages(unique.model, domain, _fields(unique))):
        if one.values in keys:
            found.setdefault(_digest(unique, one.values), []).append(one)
    return found


def _tell(reading: Reading, unique: Unique, known: dict[str, Known], found: dict[str, list[Keyed]]) -> None:
    """What is shared and was not, or by others than before; and what is not shared any more."""
    room = MOST - len(known)
    for key in sorted({*known, *found}):
        mine, told = _together(found.get(key, ()), unique.within), known.get(key)
        if mine and mine[-1].twin.created + unique.within < reading.began_at:
            mine = []
        ids = tuple(one.twin.record_id for one in mine)
        if ids == (told.ids if told else ()):
            continue
        if told is None and room <= 0:
            reading.lacks(f"More than {MOST} keys of {unique.model} are shared: further ones are not told.")
            continue
        room -= told is None
        number = told.number + 1 if told else second(reading.began_at)
        newest = second(mine[-1].twin.created) if mine else 0
        reading.note(f"twins/{unique.model}/{key}", " ".join(map(str, (number, newest, *ids))) if mine else None)
        body = _body(unique, key, mine)
        reading.emit("odoo.record.doubled", f"double/{unique.model}/{key}/{number}", reading.began_at, body)


def _together(found: Iterable[Keyed], within: timedelta) -> list[Keyed]:
    """Those of one key that were made close to one another: the newest such; fewer than two are none."""
    rows = sorted(found, key=lambda one: (one.twin.created, one.twin.record_id))
    ends = [place for place, (one, two) in enumerate(pairwise(rows), 1) if two.twin.created - one.twin.created > within]
    parts = [rows[begin:end] for begin, end in pairwise([0, *ends, len(rows)])]
    return next((part for part in reversed(parts) if len(part) > 1), [])


def _body(unique: Unique, key: str, rows: Sequence[Keyed]) -> RecordDoubled:
    values = next((one.values for one in rows if one.values), ())
    shown = [f"{field} {mask(str(value), SHOWN)}" for field, value in zip(unique.key, values, strict=False)]
    return RecordDoubled(
        model=unique.model,
        key=key,
        shared=", ".join(shown),
        within=unique.within / timedelta(seconds=1),
        records=tuple(one.twin for one in rows),
    )


def _fields(unique: Unique) -> tuple[str, ...]:
    return (*unique.key, *(one for one in ("name", "state") if one not in unique.key), "create_date", "write_date")


def _keyed(reading: Reading, unique: Unique, rows: Iterable[Row]) -> list[Keyed]:
    """The rows with their keys, without those that are cancelled."""
    alive = [row for row in rows if row.get("state") not in CANCELLED]
    return reading.parsed(unique.model, alive, lambda row: _parsed(row, unique))


def _parsed(row: Row, unique: Unique) -> Keyed:
    written = required_instant(row, "write_date")
    twin = Twin(record_id=row_id(row), name=text(row, "name") or "", created=instant(row, "create_date") or written)
    values = tuple(_values(row, unique))
    return Keyed(twin=twin, values=values if len(values) == len(unique.key) else None, written=written)


def _values(row: Row, unique: Unique) -> Iterator[Value]:
    """The parts of the key that are not empty: texts as they are, records as ids."""
    for field in unique.key:
        value = row.get(field, False)
        if isinstance(value, str):
            if value.strip():
                yield value
        elif value and not isinstance(value, float) and not isinstance(value, bool):
            yield link(row, field) or 0


def _digest(unique: Unique, values: tuple[Value, ...] | None) -> str:
    return digest(json.dumps([unique.model, *unique.key, *(values or ())]).encode())
