"""Whether a database is the one that it was: a copy of another configured one, put back since it was read, or earlier.

What was read is in the store, where there is one already; it is only looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from exporter.checking.saying import Said
from exporter.config import Config, Database
from exporter.domain.sources import CRONS
from exporter.errors import ConfigError, SourceError, StoreError
from exporter.loops.polling import KEEPER
from exporter.loops.restoring import RESTORED
from exporter.sources.odoo.connect import open_door
from exporter.sources.odoo.crons import CRON, called_at
from exporter.sources.odoo.door import Access, Door, Row
from exporter.sources.odoo.identity import Identity, identity
from exporter.sources.odoo.rows import instant, row_id
from exporter.store import open_reader
from exporter.store.protocols import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A database that answered."""

    database: Database
    door: Door
    who: Identity


def changed(config: Config) -> Iterator[Said]:
    """What can be said of all of them; of those that do not answer, nothing."""
    asked = [found for database in config.databases for found in _ask(database)]
    for one, other in combinations(asked, 2):
        yield from _copied(one, other)
    try:
        if not config.store_path.exists():
            return
        reader = open_reader(config.store_path)
    except (StoreError, OSError) as error:  # of another user, or of an older program that has not run since
        sentence = f"Whether a database was restored cannot be said, the store cannot be read: {error}"
        yield Said(severity="note", about="store", sentence=sentence)
        return
    try:
        for one in asked:
            yield from _restored(one, reader)
    finally:
        reader.close()


def _ask(database: Database) -> Iterator[Asked]:
    access = Access(url=database.url, database=database.database, user=database.user, key=database.api_key)
    try:
        door = open_door(access, database.door)
        yield Asked(database=database, door=door, who=identity(door, access))
    except (SourceError, ConfigError):
        return  # `ask` said it


def _copied(one: Asked, other: Asked) -> Iterator[Said]:
    if one.who.uuid != other.who.uuid:
        return
    same = f"It has the uuid of {one.database.name}: one is a copy of the other"
    if one.database.environment == other.database.environment:
        said = f"{same}, their ids would be the same, and only the one that was known first is read."
        said += " Set another `environment` for the copy."
        yield Said(severity="error", about=other.database.name, sentence=said)
    else:
        yield Said(severity="note", about=other.database.name, sentence=f"{same}. Their environments tell them apart.")


def _restored(one: Asked, reader: Reader) -> Iterator[Said]:
    name = one.database.name
    said = reader.marks(name, KEEPER).get(RESTORED)
    if said is not None:
        at = f"{datetime.fromisoformat(said):%Y-%m-%d %H:%M:%S} UTC"
        yield Said(severity="note", about=name, sentence=f"It was restored: that was seen at {at} (docs/ids.md).")
    known = called_at(reader.marks(name, CRONS))
    try:
        rows = one.door.search_read(CRON, [["id", "in", sorted(known)]], ["lastcall"]) if known else []
        back = _gone_back(known, rows, one.door.server_time())
    except SourceError:
        return
    if back is not None:
        after = f"{back:%Y-%m-%d %H:%M:%S} UTC"
        sentence = f"It was restored since it was read: what it did up to {after} is gone from it."
        sentence += " The next poll says so, and ids that come again are told as others."
        yield Said(severity="note", about=name, sentence=sentence)


def _gone_back(known: Mapping[int, datetime], rows: Sequence[Row], now: datetime) -> datetime | None:
    """The latest call of an action that Odoo does not know of any more."""
    calls = ((known[row_id(row)], instant(row, "lastcall")) for row in rows)
    return max((was for was, now_is in calls if (now_is is None or now_is < was) and was < now), default=None)
