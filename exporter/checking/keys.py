"""When the API key ends that reads a database."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from exporter.checking.saying import Severity
from exporter.clock import Clock
from exporter.config import Database
from exporter.sources.odoo.door import Door, Missing
from exporter.sources.odoo.keys import MODEL, end_of, first_end

SOON = timedelta(days=14)  # as the shipped alert has it


def look(database: Database, door: Door, clock: Clock) -> Iterator[tuple[Severity, str]]:
    """From Odoo's own rows, else from the configuration."""
    del clock
    now = door.server_time()
    try:
        known = door.call(MODEL, "fields_get", allfields=["expiration_date"], attributes=["type"])
        if not known:
            yield "ok", "Its API keys never end: this version of Odoo knows no end."
            return
        rows = door.search_read(MODEL, [["user_id.login", "=", database.user]], ["expiration_date"])
    except Missing:
        yield from _said(database.api_key_expires, now, "The configuration says that its API key ends")
        if database.api_key_expires is None:
            yield "note", f"{database.user} may not see when its API key ends: say it with `api_key_expires`."
        return
    end = first_end(map(end_of, rows), now) or database.api_key_expires
    if end is None:
        yield "ok", "Its API key never ends." if rows else "It reads with a password, or a key that it cannot see."
    several = f" (the first of {len(rows)})" if len(rows) > 1 else ""
    yield from _said(end, now, f"Its API key{several} ends")


def _said(end: datetime | None, now: datetime, words: str) -> Iterator[tuple[Severity, str]]:
    if end is not None:
        soon = end - now < SOON
        more = ": make a new one and write it into the file of the key, which is read again" if soon else ""
        yield "warning" if soon else "ok", f"{words} at {end:%Y-%m-%d %H:%M} UTC{more}."
