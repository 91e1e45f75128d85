"""What one database shows to the configured user."""

from collections.abc import Iterator, Mapping

from exporter.checking import growth, keys, n8n, sight
from exporter.checking.saying import Said, Severity
from exporter.clock import Clock
from exporter.config import Database, Hosting
from exporter.databases import FLOORS
from exporter.errors import ConfigError, SourceError
from exporter.sources.odoo.connect import open_door, version_through
from exporter.sources.odoo.door import Access, Door
from exporter.sources.odoo.identity import identity
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.versions import unseen

SKEW = 5.0  # seconds that the clocks may differ before that is worth a warning
HOSTINGS: Mapping[Hosting, str] = {
    "self": "It is hosted by yourself: Odoo's log can reach us through a Collector, or from ir.logging (docs/logs.md).",
    "odoo.sh": "It is on Odoo.sh: actions may begin {late} late before that is told, and Odoo's log reaches us by "
    "`odoo-otel ingest-log` over ssh (docs/logs.md).",
    "online": "It is on Odoo Online: actions may begin {late} late before that is told, and there is no log to be had: "
    "why an action failed is not seen.",
}


def ask(database: Database, clock: Clock) -> Iterator[Said]:
    """Everything that can be said of a database, the gravest first: where it does not answer, nothing else."""
    try:
        access = Access(url=database.url, database=database.database, user=database.user, key=database.api_key)
        began = clock.monotonic()
        door = open_door(access, database.door)
        version = version_through(door, access, database.door)
        took = clock.monotonic() - began
        door.call("res.users", "context_get")
    except (SourceError, ConfigError) as error:
        yield Said(severity="error", about=database.name, sentence=str(error))
        return
    yield from _answered(database, door, version, took)
    for part in (_clocks, _identity, sight.look, growth.measure, keys.look):
        yield from _guarded(database, part(database, door, clock))
    yield from n8n.look(database)


def _guarded(database: Database, said: Iterator[tuple[Severity, str]]) -> Iterator[Said]:
    """What a part says; where Odoo refuses in the middle of it, that."""
    try:
        for severity, sentence in said:
            yield Said(severity=severity, about=database.name, sentence=sentence)
    except SourceError as error:
        yield Said(severity="warning", about=database.name, sentence=str(error))


def _answered(database: Database, door: Door, version: tuple[int, int], took: float) -> Iterator[Said]:
    through = "JSON-2" if isinstance(door, Json2Door) else "JSON-RPC"
    name = f"Odoo {version[0]}.{version[1]}"
    said = f"{name} answers {database.user} through {through}, its version within {took * 1000:.0f} ms."
    yield Said(severity="ok", about=database.name, sentence=said)
    for said in unseen(version):
        yield Said(severity="note", about=database.name, sentence=said)
    late = f"{FLOORS[database.hosting] / 60:.0f} minutes"
    yield Said(severity="note", about=database.name, sentence=HOSTINGS[database.hosting].format(late=late))


def _clocks(database: Database, door: Door, clock: Clock) -> Iterator[tuple[Severity, str]]:
    del database
    ahead = (door.server_time() - clock.now()).total_seconds()
    if abs(ahead) > SKEW:
        way = "ahead of" if ahead > 0 else "behind"
        said = f"Its clock is {abs(ahead):.0f} s {way} ours: what Odoo did is told by its own clock."
        yield "warning", f"{said} Let both follow a time server."
    else:
        yield "ok", f"Its clock and ours agree within {SKEW:.0f} s."


def _identity(database: Database, door: Door, clock: Clock) -> Iterator[tuple[Severity, str]]:
    del clock
    access = Access(url=database.url, database=database.database, user=database.user, key=database.api_key)
    who = identity(door, access)
    if who.neutralized:
        yield "note", "It is neutralized (a staging copy): nothing about it is told to people."
    if who.own:
        yield "ok", f"Its uuid is {who.uuid}: other programs can compute our trace ids (docs/ids.md)."
    else:
        said = f"Its uuid may not be read by {database.user}, which is right: it stands among secrets."
        yield "note", f"{said} Ids are made from its address, with the uuid {who.uuid} (docs/ids.md)."
