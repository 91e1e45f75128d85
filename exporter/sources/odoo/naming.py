"""Names that hardly ever change: XML ids, currency codes, users' time zones; read once and kept in the marks."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from exporter.sources.odoo.door import Missing, Row, rows_of
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import row_id, text

ZONES_FOR = timedelta(hours=1)


def xmlids(reading: Reading, model: str, ids: Iterable[int]) -> dict[int, str | None]:
    """XML id of each record, None where it has none; get_metadata needs no access to ir.model.data."""

    def ask(new: Sequence[int]) -> list[Row]:
        return rows_of(reading.door.call(model, "get_metadata", ids=list(new)), model)

    return _kept(reading, f"xmlid/{model}", ids, field="xmlid", ask=ask)


def currencies(reading: Reading, ids: Iterable[int]) -> dict[int, str | None]:
    """Code (EUR) of each currency."""

    def ask(new: Sequence[int]) -> list[Row]:
        return _read(reading, "res.currency", new, "name")

    return _kept(reading, "currency", ids, field="name", ask=ask)


def zones(reading: Reading, users: Iterable[int]) -> dict[int, str | None]:
    """Time zone of each user, in which Odoo counts a scheduled action's intervals; read again every hour."""
    read_at = reading.marks.get("zones")
    if read_at is None or not timedelta(0) <= reading.began_at - from_second(read_at) < ZONES_FOR:
        for key in [key for key in reading.marks if key.startswith("zone/")]:
            reading.note(key, None)
        reading.note("zones", str(second(reading.began_at)))

    def ask(new: Sequence[int]) -> list[Row]:
        return _read(reading, "res.users", new, "tz")

    return _kept(reading, "zone", users, field="tz", ask=ask)


def _kept(
    reading: Reading, kind: str, ids: Iterable[int], *, field: str, ask: Callable[[Sequence[int]], list[Row]]
) -> dict[int, str | None]:
    """The names from the marks; those not there are asked for at once. A name nobody may read is kept as none."""
    wanted = set(ids)
    new = sorted(one for one in wanted if f"{kind}/{one}" not in reading.marks)
    found: dict[int, str | None] = {}
    try:
        found = {row_id(row): text(row, field) for row in ask(new)} if new else {}
    except Missing as missing:
        reading.lacks(str(missing))
    for one in new:
        reading.note(f"{kind}/{one}", found.get(one) or "")
    return {one: reading.marks[f"{kind}/{one}"] or None for one in wanted}


def _read(reading: Reading, model: str, ids: Sequence[int], field: str) -> list[Row]:
    return rows_of(reading.door.call(model, "read", ids=list(ids), fields=[field], load=None), model)
