"""A tracked selection holds the label in the language of who acted: back to its key through every language."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from exporter.domain.redact import plain
from exporter.errors import BadRecord
from exporter.sources.odoo.door import JSON
from exporter.sources.odoo.reading import Reading

LABELS_FOR = timedelta(minutes=10)


def key_of(reading: Reading, model: str, field: str, label: str | None) -> str | None:
    """The key of a label; the label itself where it is unknown or stands for several keys."""
    if label is None:
        return None
    read_at, keys = reading.memory.labels.get((model, field), (None, {}))
    if read_at is None or (label not in keys and reading.began_at - read_at > LABELS_FOR):
        keys = _read(reading, model, field)
        reading.memory.labels[model, field] = (reading.began_at, keys)
    found = keys.get(label, frozenset())
    return next(iter(found)) if len(found) == 1 else label


def _read(reading: Reading, model: str, field: str) -> dict[str, frozenset[str]]:
    languages = reading.door.search_read("res.lang", [["active", "=", True]], ["code"])
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for language in languages:
        asked = reading.door.call(
            model, "fields_get", allfields=[field], attributes=["selection"], context={"lang": language["code"]}
        )
        for key, label in _pairs(asked, model, field):
            keys[plain(label)].add(key)
    return {label: frozenset(found) for label, found in keys.items()}


def _pairs(asked: JSON, model: str, field: str) -> Iterable[tuple[str, str]]:
    match asked:
        case dict() if isinstance(known := asked.get(field), dict) and isinstance(
            chosen := known.get("selection"), list
        ):
            return [(str(one[0]), str(one[1])) for one in chosen if isinstance(one, list) and len(one) > 1]
    raise BadRecord(f"{model}.{field} is no selection field: name one as the state field.")
