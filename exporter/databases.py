"""One configured Odoo database as the service watches it: how to reach it, who it says it is, how it is folded."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from msgspec.structs import replace

from exporter.clock import Clock, SystemClock
from exporter.config import Database
from exporter.domain.tenants import Tenant
from exporter.errors import ConfigError, SourceDown
from exporter.fold.limits import DEFAULT, Limits
from exporter.loops.folding import FoldingOptions
from exporter.loops.tenants import Connected
from exporter.sources.odoo.connect import open_door
from exporter.sources.odoo.door import Access
from exporter.sources.odoo.identity import database_uuid
from exporter.sources.odoo.options import Approval, OdooOptions
from exporter.sources.odoo.registry import COLLECTIONS, odoo_sources

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One tenant to be watched: how to reach it, and how it is folded.

    Attributes:
        connect: asks who it is; raises SourceDown while it does not answer.
        expected: names of its Sources.
        poll_seconds: real seconds between two rounds.
        limits: of single scheduled actions, by label.
    """

    name: str
    connect: Callable[[], Connected]
    expected: Sequence[str]
    poll_seconds: float
    folding: FoldingOptions
    clock: Clock = field(default_factory=SystemClock)
    limits: Mapping[str, Limits] = field(default_factory=dict)


def watch(database: Database, label_cap: int) -> Watched:
    """One configured Odoo database, not asked yet."""
    host = urlsplit(database.url).hostname or database.name
    return Watched(
        name=database.name,
        connect=lambda: connect(database),
        expected=tuple(COLLECTIONS),
        poll_seconds=database.poll_seconds,
        limits=_limits(database),
        folding=FoldingOptions(host_id=host, history_spans=database.history_spans, label_cap=label_cap),
    )


def _limits(database: Database) -> dict[str, Limits]:
    """The configured limits, each beside the defaults of what it leaves out."""
    return {
        label: replace(DEFAULT, **{name: timedelta(seconds=value) for name, value in of})
        for label, of in database.limits
    }


def connect(database: Database) -> Connected:
    """Ask a database for its version and uuid, and make its Sources.

    Raises:
        SourceDown: it does not answer, or refuses us.
    """
    try:
        access = Access(url=database.url, database=database.database, user=database.user, key=database.api_key)
    except ConfigError as error:
        raise SourceDown(" ".join(error.faults)) from error
    door = open_door(access, database.door)
    uuid, own = database_uuid(door, access)
    if not own:
        log.warning("%s does not show database.uuid to %s: ids are made from its address", database.name, database.user)
    tenant = Tenant(
        name=database.name,
        database=database.database,
        uuid=uuid,
        environment=database.environment,
        url=access.base,
        version=".".join(str(part) for part in door.version()),
        # By the server's clock, which all its times are by (ours may differ by a day), and in seconds as it shows them.
        first_start=door.server_time().replace(microsecond=0),
    )
    approvals = tuple(Approval(model=model) for model in database.approvals)
    options = OdooOptions(approvals=approvals, history_days=database.history_days)
    return Connected(tenant=tenant, sources=odoo_sources(door, options))
