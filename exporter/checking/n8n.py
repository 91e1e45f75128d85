"""Whether the n8n of a database answers, and shows with the key what polls ask for."""

from collections.abc import Iterator

from exporter.checking.saying import Said, Severity
from exporter.config import Database
from exporter.errors import SourceError
from exporter.sources.n8n.door import N8nAccess, N8nDoor, RestDoor, Unsupported
from exporter.sources.n8n.listing import listing_of


def look(database: Database) -> Iterator[Said]:
    """Ask for executions as a poll does: the newest, one of them without its data, those that run."""
    n8n = database.n8n
    if n8n is not None:
        severity, sentence = _seen(RestDoor(N8nAccess(url=n8n.url, key=n8n.api_key)), n8n.url)
        yield Said(severity=severity, about=database.name, sentence=sentence)


def _seen(door: N8nDoor, url: str) -> tuple[Severity, str]:
    try:
        rows = listing_of(door.executions()).rows
        for row in rows[:1]:
            door.execution(row.number, data=False)
        door.executions("running")
    except Unsupported:
        return "warning", f"n8n at {url} does not list running executions: they are seen when they are over."
    except SourceError as why:
        return "warning", f"Executions of n8n are not seen: {why}"
    return "ok", f"n8n at {url} answers, and takes the key."
