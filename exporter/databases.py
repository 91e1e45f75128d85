"""One configured Odoo database as the service watches it: how to reach it, who it says it is, how it is folded."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from exporter.clock import Clock, SystemClock
from exporter.config import Action, Cost, Database, Hosting, N8n, Quiet
from exporter.domain.tenants import Tenant
from exporter.errors import ConfigError, SourceDown
from exporter.fold.choosing import EVERYTHING, Choice
from exporter.fold.cron_lines import LOG, ROWS
from exporter.fold.happening import Expectation
from exporter.fold.limits import DEFAULT, Limits
from exporter.fold.quiet import Window
from exporter.fold.subjects import GRACE, ORDINARY, Integration
from exporter.hooks import engine, expectations, integrations, is_native
from exporter.loops.folding import FoldingOptions
from exporter.loops.tenants import Connected
from exporter.sources.n8n.door import N8nAccess, RestDoor
from exporter.sources.n8n.kin import N8nOptions
from exporter.sources.n8n.reading import SOURCE as N8N
from exporter.sources.n8n.source import N8nSource
from exporter.sources.odoo.connect import open_door, version_through
from exporter.sources.odoo.door import Access, Door
from exporter.sources.odoo.identity import identity
from exporter.sources.odoo.options import OdooOptions, Unique, approval_of
from exporter.sources.odoo.registry import COLLECTIONS, LOGGING, SELDOM, odoo_sources
from exporter.sources.odoo.throttle import Throttled
from exporter.sources.odoo.versions import Version, documents, named

log = logging.getLogger(__name__)
# Odoo.sh runs actions "on a best effort policy" and none more often than every 5 minutes (its documentation, "Frequent
# Technical Questions"); of Odoo Online nothing is written down: it is taken to be no better.
FLOORS: Mapping[Hosting, float] = {"self": 0.0, "odoo.sh": 600.0, "online": 600.0}
LONGEST = 300.0  # seconds between two polls of what is polled seldom; not less than between two ordinary ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One tenant to be watched: how to reach it, and how it is folded.

    Attributes:
        connect: asks who it is; raises SourceDown while it does not answer.
        expected: names of its Sources.
        poll_seconds: real seconds between two polls of a Source; `seldom`: of those that are asked less often.
        limits: of single scheduled actions, by label; `usual`: of all others.
        episodes: models whose documents have a trace an episode.
        hooks: what is known of its senders of webhooks.
        witnesses: Sources that are expected to speak of what polling sees, too.
        choice: what of all that is told.
        grace: how long webhooks that should come are waited for.
        n8n: where n8n shows executions, "" without one; `engine`: what was said of it.
        documents: models whose states are read.
        expectations: what has to follow what; `unique`: models with a key that is unique, and their criticality.
    """

    name: str
    connect: Callable[[], Connected]
    expected: Sequence[str]
    poll_seconds: float
    folding: FoldingOptions
    clock: Clock = field(default_factory=SystemClock)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    usual: Limits = DEFAULT
    episodes: Sequence[str] = ()
    hooks: Mapping[str, Integration] = field(default_factory=dict)
    witnesses: frozenset[str] = frozenset()
    seldom: Mapping[str, float] = field(default_factory=dict)
    choice: Choice = EVERYTHING
    grace: timedelta = GRACE
    n8n: str = ""
    engine: Integration = ORDINARY
    expectations: tuple[Expectation, ...] = ()
    unique: Mapping[str, str] = field(default_factory=dict)
    documents: Sequence[str] = ()


def watch(database: Database, label_cap: int) -> Watched:
    """One configured Odoo database, not asked yet."""
    host = urlsplit(database.url).hostname or database.name
    floor = FLOORS[database.hosting]
    return Watched(
        name=database.name,
        connect=lambda: connect(database),
        expected=sources(database),
        poll_seconds=database.poll_seconds,
        seldom={name: min(polls * database.poll_seconds, LONGEST) for name, polls in SELDOM.items()},
        limits={action.name: limits(action, database.quiet, floor) for action in database.limits},
        usual=limits(Action(), database.quiet, floor),
        episodes=database.episodes,
        hooks=integrations(database),
        grace=timedelta(seconds=database.missing_after),
        n8n=database.n8n.url.rstrip("/") if database.n8n else "",
        engine=engine(database.n8n),
        documents=database.approvals,
        expectations=expectations(database),
        unique={one.name: one.criticality for one in database.unique},
        witnesses=frozenset(_witnesses(database)),
        choice=choice(database.cost),
        folding=FoldingOptions(host_id=host, history_spans=database.history_spans, label_cap=label_cap),
    )


def _witnesses(database: Database) -> Iterator[str]:
    """Which logs are expected to speak of every run of an action."""
    if database.odoo_log:
        yield LOG
    if database.ir_logging == "wait":
        yield ROWS


def limits(action: Action, quiet: Sequence[Quiet], floor: float = 0.0) -> Limits:
    """What is declared of an action, for the fold; `quiet` are the windows of its database.

    `floor`: seconds by which an action may begin late where it runs, whatever was declared.
    """
    return Limits(
        late=timedelta(seconds=max(action.late, floor)),
        missed=None if action.missed is None else timedelta(seconds=max(action.missed, 2 * floor)),
        stuck=timedelta(seconds=action.stuck),
        failures=action.failures,
        recoveries=action.recoveries,
        quiet=tuple(
            Window(days=one.days, begin=one.begin, end=one.end, zone=one.zone) for one in (*quiet, *action.quiet)
        ),
    )


def choice(cost: Cost) -> Choice:
    """What is told of a database, for the fold; the very EVERYTHING where nothing was chosen."""
    chosen = Choice(
        models=frozenset(cost.include_models),
        no_models=frozenset(cost.exclude_models),
        companies=frozenset(cost.include_companies),
        no_companies=frozenset(cost.exclude_companies),
        signals=frozenset(cost.signals),
        ratio=cost.sample_successes,
    )
    return EVERYTHING if chosen == EVERYTHING else chosen


def sources(database: Database) -> tuple[str, ...]:
    """The collections of Odoo that are read, and n8n where there is one."""
    wanted = database.cost.collections()
    chosen = tuple(name for name in COLLECTIONS if name in wanted and (name != LOGGING or database.ir_logging != "no"))
    return (*chosen, N8N) if database.n8n else chosen


def as_it_is(door: Door) -> Door:
    """The door itself."""
    return door


def connect(database: Database, through: Callable[[Door], Door] = as_it_is) -> Connected:
    """Ask a database for its version and uuid, and make its Sources; `through` may put something before its door.

    Raises:
        SourceDown: it does not answer, or refuses us.
    """
    try:
        access = Access(url=database.url, database=database.database, user=database.user, key=database.api_key)
    except ConfigError as error:
        raise SourceDown(" ".join(error.faults)) from error
    door = through(open_door(access, database.door))
    version = version_through(door, access, database.door)
    who = identity(door, access)
    if not who.own:
        log.warning("%s does not show database.uuid to %s: ids are made from its address", database.name, database.user)
    tenant = Tenant(
        name=database.name,
        database=database.database,
        uuid=who.uuid,
        own=who.own,
        neutralized=who.neutralized,
        environment=database.environment,
        url=access.base,
        version=named(version),
        # By the server's clock, which all its times are by (ours may differ by a day), and in seconds as it shows them.
        first_start=door.server_time().replace(microsecond=0),
    )
    if database.cost.calls_per_minute:
        door = Throttled(door, database.cost.calls_per_minute, SystemClock())
    chosen = sources(database)
    others = [executions(database.n8n, database.history_days)] if database.n8n else []
    found = [*odoo_sources(door, options(database, version)), *others]
    return Connected(tenant=tenant, sources=[one for one in found if one.name in chosen])


def options(database: Database, version: Version = (19, 0)) -> OdooOptions:
    """What is read of it, by what its version shows."""
    return OdooOptions(
        version=version,
        approvals=tuple(approval_of(model) for model in documents(database.approvals, version)),
        history_days=database.history_days,
        hooks=tuple(hook.name for hook in database.hooks if is_native(hook)),
        n8n=_n8n(database),
        user=database.user,
        key_expires=database.api_key_expires,
        unique=tuple(
            Unique(model=one.name, key=one.key, within=timedelta(seconds=one.within)) for one in database.unique
        ),
        odoo_log=database.odoo_log,
    )


def _n8n(database: Database) -> str:
    """Where Odoo posts what n8n is to run: host and port."""
    n8n = database.n8n
    return urlsplit(n8n.webhook_url or n8n.url).netloc if n8n else ""


def executions(n8n: N8n, history_days: int) -> N8nSource:
    """The executions of the n8n beside a database."""
    options = N8nOptions(
        native=n8n.native_otel, reference=n8n.reference, words=n8n.error_words, history_days=history_days
    )
    return N8nSource(door=RestDoor(N8nAccess(url=n8n.url, key=n8n.api_key)), options=options)
