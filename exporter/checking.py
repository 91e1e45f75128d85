"""`odoo-otel check`: which Odoo answers, and whether it lets us in."""

from dataclasses import dataclass

from exporter.config import Database
from exporter.errors import ConfigError, SourceError
from exporter.sources.odoo.connect import open_door
from exporter.sources.odoo.door import Access

VERIFIED = {(19, 0)}  # what the stack tests run; other versions are known from their source alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one database answered, in one sentence."""

    ok: bool
    sentence: str


def ask(database: Database) -> Answer:
    """Ask for the version, then read one scheduled action as the configured user."""
    try:
        access = Access(url=database.url, database=database.database, user=database.user, key=database.api_key)
        door = open_door(access, database.door)
        version = door.version()
        door.search_read("ir.cron", [], ["id"], limit=1)
    except (SourceError, ConfigError) as error:
        return Answer(ok=False, sentence=f"{database.name}: {error}")
    unverified = "" if version in VERIFIED else ", unverified: only Odoo 19.0 is tested"
    name = f"Odoo {version[0]}.{version[1]}{unverified}"
    return Answer(ok=True, sentence=f"{database.name}: {name} answers, and {database.user} may read scheduled actions.")
