"""Every watched database: its poller and its fold; they come and go while the service runs."""

import dataclasses
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from threading import Lock

from msgspec.structs import replace

from exporter.clock import Clock
from exporter.databases import Watched
from exporter.domain.tenants import Tenant
from exporter.errors import SourceDown
from exporter.fold.cron_lines import ROWS
from exporter.fold.quiet import Window
from exporter.fold.records import REVIEW
from exporter.fold.subjects import Flow
from exporter.fold.workflows import Workflow, followed, in_episodes, parse
from exporter.loops.folding import Folding, TooManyRefused, nobody_reads
from exporter.loops.refusals import Refusals
from exporter.loops.repeating import Repeating
from exporter.loops.tenants import Connected, TenantPolling, has_ids_of, is_copy, recall
from exporter.store.protocols import Ledger
from exporter.store.sqlite import SqliteStore
from exporter.web.snapshot import Shown

log = logging.getLogger(__name__)
ALWAYS = Window(days=frozenset(range(7)), begin=timedelta(0), end=timedelta(0), zone=UTC)  # of a neutralized database
FOLD_IDLE = 1.0  # seconds until the fold looks again without being woken


def workflows() -> dict[str, Workflow]:
    """The Workflows that are shipped, by model."""
    return parse(files("exporter.fold").joinpath("workflows.yaml").read_text(encoding="utf-8"))


def folding(
    ledger: Ledger,
    one: Watched,
    tenant: Tenant,
    known: Mapping[str, Workflow],
    *,
    owing: Callable[[], None] = nobody_reads,
) -> Folding:
    """How the Events of a database are folded, once it said who it is; `owing` as in Folding."""
    quiet = (ALWAYS,) if tenant.neutralized else ()
    flow = Flow(
        tenant=tenant,
        workflows=in_episodes(followed(known, one.documents), one.episodes),
        limits={name: replace(limits, quiet=(*limits.quiet, *quiet)) for name, limits in one.limits.items()},
        usual=replace(one.usual, quiet=(*one.usual.quiet, *quiet)),
        hooks=dict(one.hooks),
        grace=one.grace,
        witnesses=one.witnesses | (frozenset(one.expected) - {ROWS}),  # it speaks, but nobody waits
        choice=one.choice,
        n8n=one.n8n,
        engine=one.engine,
        expected=one.expectations,
        unique=dict(one.unique),
    )
    return Folding(ledger=ledger, flow=flow, clock=one.clock, options=one.folding, owing=owing)


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The databases by name, each with a poller of its own; one loop folds them all.

    Attributes:
        told: called after a fold, so that what was told is sent.
    """

    store: SqliteStore
    clock: Clock
    told: Callable[[], None]
    folding: Repeating = field(init=False)
    _workflows: dict[str, Workflow] = field(default_factory=workflows)
    _watched: dict[str, Watched] = field(default_factory=dict)
    _pollers: dict[str, Repeating] = field(default_factory=dict)
    _tenants: dict[str, Tenant] = field(default_factory=dict)
    _foldings: dict[str, Folding] = field(default_factory=dict)
    _leaving: dict[str, Repeating] = field(default_factory=dict)
    _refusals: dict[str, Refusals] = field(default_factory=dict)
    _claims: dict[str, Tenant] = field(default_factory=dict)
    _claiming: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """One loop folds, whoever comes and goes."""
        self.folding = Repeating("folding", self._fold, self.clock, FOLD_IDLE)

    def watch(self, watched: Sequence[Watched]) -> None:
        """Watch these; nothing is polled before `start`."""
        self._watched = {one.name: one for one in watched}
        self._pollers = {one.name: self._poller(one) for one in watched}

    def start(self) -> None:
        """Begin to fold and to poll."""
        self.folding.start()
        for loop in self.polling:
            loop.start()

    def change(self, watched: Sequence[Watched], gone: Collection[str]) -> None:
        """Watch these from now on, in the place of those of their names, and no longer those that are gone.

        Whoever is replaced is folded as before until the new one has answered; a poll at work ends first (`tend`).
        """
        for name in {*gone, *(one.name for one in watched)} & self._pollers.keys():
            poller = self._pollers.pop(name)
            poller.halt()
            self._leaving[name] = poller
        stay = {name: one for name, one in self._watched.items() if name not in gone}
        self._watched = stay | {one.name: one for one in watched}  # at once: webhooks and scrapes go through it
        for name in gone:
            self._tenants.pop(name, None)
            self._foldings.pop(name, None)
            self._refusals.pop(name, None)
            self._claims.pop(name, None)
        self.tend()

    def tend(self) -> None:
        """Start the pollers of those whose predecessor has ended: two would read one database at once."""
        leaving = self._leaving.items()
        self._leaving = {name: poller for name, poller in leaving if poller.alive() or poller.fault}
        for name, one in self._watched.items():
            if name not in self._pollers and name not in self._leaving:
                self._pollers[name] = self._poller(one)
                self._pollers[name].start()

    @property
    def polling(self) -> list[Repeating]:
        """The loops that poll, one a database."""
        return [*self._pollers.values(), *self._leaving.values()]

    @property
    def loops(self) -> list[Repeating]:
        """All of them."""
        return [*self.polling, self.folding]

    def hosts(self) -> dict[str, str]:
        """`host.id` of every database that is watched."""
        return {name: one.folding.host_id for name, one in self._watched.items()}

    def expected(self) -> dict[str, frozenset[str]]:
        """The names of the Sources of every database that is watched."""
        return {name: frozenset(one.expected) for name, one in self._watched.items()}

    @property
    def refused(self) -> frozenset[str]:
        """Who is refused by its database, or by the n8n beside it."""
        return frozenset(name for name, refusals in list(self._refusals.items()) if refusals)

    @property
    def names(self) -> list[str]:
        """Who is watched."""
        return [*self._watched]

    def now(self) -> dict[str, datetime]:
        """The time on the clock of every database that is watched."""
        return {name: one.clock.now() for name, one in self._watched.items()}

    def shown(self) -> list[Shown]:
        """What the exposition says of every database beside what is stored."""
        decisions = {state for flow in self._workflows.values() for state, who in flow.waits.items() if who == "human"}
        return [
            Shown(
                name=name,
                poll_seconds=one.poll_seconds,
                version=known.version if (known := self._tenants.get(name)) else "",
                environment=known.environment if known else "",
                decisions=frozenset(decisions | {REVIEW}),
                seldom=one.seldom,
            )
            for name, one in self._watched.items()
        ]

    def _poller(self, one: Watched) -> Repeating:
        self._refusals[one.name] = Refusals(one.poll_seconds)
        polling = TenantPolling(
            name=one.name,
            connect=lambda: self._alone(one),
            known=self._known,
            appended=self.folding.wake,
            inbox=self.store,
            ledger=self.store,
            clock=one.clock,
            expected=one.expected,
            seconds=one.poll_seconds,
            seldom=one.seldom,
            room=self.store.upkeep.require_room,
            refusals=self._refusals[one.name],
        )
        return Repeating(f"polling-{one.name}", polling.step, self.clock, polling.pause)

    def _alone(self, one: Watched) -> Connected:
        """Ask a database who it is; one whose ids would be those of another one is not read.

        Raises:
            SourceDown: it does not answer, or is a copy of a database that was known before it.
            StoreError: who the others are cannot be read.
        """
        found = one.connect()
        with self._claiming:  # of two that answer at once, one is the first
            known = recall(self.store, one.name) or dataclasses.replace(found.tenant, first_start=None)
            mine = dataclasses.replace(known, environment=found.tenant.environment)
            for name in self._watched.keys() - {one.name}:
                if self._is_copy(mine, name):
                    raise SourceDown(
                        f"{one.name} has the uuid of {name}: one is a copy of the other, their ids would be the same. "
                        f"Set another `environment` for {one.name}; until then it is not read."
                    )
            self._claims[one.name] = mine
        return found

    def _is_copy(self, mine: Tenant, name: str) -> bool:
        """Whether another one was known before with the same ids, or is read under them: a clock's second may tie."""
        known, claim, own = recall(self.store, name), self._claims.get(name), self._claims.get(mine.name)
        if known is not None and is_copy(mine, known):
            return True
        return claim is not None and has_ids_of(mine, claim) and not (own is not None and has_ids_of(mine, own))

    def _known(self, tenant: Tenant) -> None:
        """A database answered for the first time: from now on its Events are folded under its name and ids."""
        one = self._watched.get(tenant.name)
        if one is None:
            return  # it left while it answered
        self._foldings[tenant.name] = folding(
            self.store, one, tenant, self._workflows, owing=lambda: self._wake(tenant.name)
        )
        self._tenants[tenant.name] = tenant
        log.info("%s is Odoo %s, uuid %s", tenant.name, tenant.version or "(simulated)", tenant.uuid)

    def _wake(self, name: str) -> None:
        """Reads are owed: the poller need not wait."""
        if poller := self._pollers.get(name):
            poller.wake()

    def _fold(self) -> bool:
        """One batch of every tenant; a tenant whose facts the fold refuses stands still, the others go on."""
        more = False
        for name, folding in list(self._foldings.items()):
            try:
                more = folding.step() or more
            except TooManyRefused as error:
                log.critical("%s is not folded any more: %s", name, error)
                self._foldings.pop(name, None)
        self.told()
        return more
