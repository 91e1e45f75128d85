"""One tenant's polling: connect, remember who it is, then ask its Sources one after the other (one call in flight).

Each Source has its time; one that owes a read is asked before it (loops/nudging.py). Who refuses us is asked ever more
seldom, by whichever of its Sources comes first (loops/refusals.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from logging import getLogger

import msgspec

from exporter.clock import Clock
from exporter.domain.bodies import DatabaseChanged
from exporter.domain.events import Event
from exporter.domain.tenants import Tenant
from exporter.domain.times import EPOCH
from exporter.errors import SourceDown, SourceError, SourceRefused, StoreError
from exporter.loops.nudging import LOOK
from exporter.loops.polling import KEEPER, Polling, where
from exporter.loops.refusals import Refusals
from exporter.sources.polling import Source
from exporter.store.entries import PollReport
from exporter.store.protocols import Inbox, Ledger

log = getLogger(__name__)
IDENTITY, ANSWERED = "tenant", "answered"
SOURCE = "odoo/identity"
LATEST = datetime.max.replace(tzinfo=UTC)
DATABASE = ""  # who is connected to, among those who may refuse us


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A database that answered: who it says it is, and its Sources."""

    tenant: Tenant
    sources: Sequence[Source]


def always() -> None:
    """There is room."""


@dataclass(slots=True)
class TenantPolling:
    """Polls one tenant. `step` connects or asks whoever's time has come; a thread repeats it after `pause`.

    Attributes:
        connect: asks the database who it is; raises SourceError while it does not answer.
        known: called once, with the tenant as it is remembered, before anything is appended.
        expected: names of the Sources to report on while the database does not answer.
        room: raises StoreFull while there is none: then nothing is asked, it would be for nothing.
        seconds: real ones between two polls of a Source; `seldom`: of those Sources that are asked less often.
        refusals: who refuses us.
    """

    name: str
    connect: Callable[[], Connected]
    known: Callable[[Tenant], None]
    appended: Callable[[], None]
    inbox: Inbox
    ledger: Ledger
    clock: Clock
    expected: Sequence[str] = ()
    seconds: float = 0.0
    seldom: Mapping[str, float] = field(default_factory=dict)
    room: Callable[[], None] = always
    refusals: Refusals = field(default_factory=lambda: Refusals(1.0))
    _due: dict[str, float] = field(default_factory=dict)
    _polls: list[Polling] = field(default_factory=list)
    _failing: str = ""
    _tenant: Tenant | None = None
    _doubted: bool = False
    _down: set[str] = field(default_factory=set)

    def step(self) -> bool:
        """Ask every Source whose time has come; True if one of them has more to read at once."""
        if not self._polls and not self._connected():
            return False
        now = self.clock.monotonic()
        more = [self._ask(polling) for polling in self._polls if self._next(polling) <= now]
        return any(more)

    def pause(self) -> float:
        """Seconds until the next Source is to be asked, or looked at again."""
        now = self.clock.monotonic()
        if not self._polls:
            return max(self.seconds, self.refusals.until(DATABASE) - now)
        looks = [now + LOOK for polling in self._polls if polling.nudges.follows(now)]
        return max(min([*(self._next(polling) for polling in self._polls), *looks]) - now, 0.0)

    def _ask(self, polling: Polling) -> bool:
        name, began = polling.source.name, self.clock.monotonic()
        self._due[name] = began + max(self.seldom.get(name, 0.0), self.seconds)  # also when the store cannot keep it
        self.room()
        more = polling.step()
        if more:
            self._due[name] = began
        self._heed(polling)
        self._doubted = self._doubted or polling.doubtful
        self._doubt(name, failing=polling.failing)
        return more

    def _doubt(self, name: str, *, failing: bool) -> None:
        """When a Source began to fail, the next one that answers is a reason to ask again who it is."""
        if failing:
            self._doubted = self._doubted or name not in self._down
            self._down.add(name)
            return
        self._down.discard(name)
        if self._doubted:
            self._look_again()

    def _look_again(self) -> None:
        """After an outage: a database may come back upgraded, neutralized, from elsewhere."""
        try:
            found = self._asked()
        except SourceError:
            return  # in doubt as before; the polls say what is wrong
        self._doubted = False
        if self._tenant is None or identity(found.tenant) != identity(self._tenant):
            self._take(found)

    def _heed(self, polling: Polling) -> None:
        """What refused one Source is left alone for a while, and the others of its system are as dark."""
        system = _system(polling)
        if not polling.refused:
            self.refusals.answered(system)
            return
        self.refusals.refused(system, self.clock.monotonic())
        others = [one.source.name for one in self._polls if one is not polling and _system(one) == system]
        self._dark(others, polling.refused)

    def _next(self, polling: Polling) -> float:
        """When a Source is to be asked."""
        ordinary = self._due.get(polling.source.name, 0.0)
        moment = polling.nudges.moment()
        wanted = ordinary if moment is None else min(ordinary, moment)
        return max(wanted, self.refusals.until(_system(polling)))

    def _connected(self) -> bool:
        if self.clock.monotonic() < self.refusals.until(DATABASE):
            return False
        try:
            found = self._asked()
        except SourceError as error:
            if isinstance(error, SourceRefused):
                self.refusals.refused(DATABASE, self.clock.monotonic())
            self._report(str(error))
            return False
        self._failing = ""
        self.refusals.answered(DATABASE)
        self._take(found)
        return True

    def _asked(self) -> Connected:
        """Who the database says it is; whatever it answers, that is its own trouble. Raises SourceError."""
        try:
            return self.connect()
        except (SourceError, StoreError):
            raise
        except Exception as error:
            raise SourceDown(
                f"What it says of itself broke the reading of it ({where(error)}): report this."
            ) from error

    def _take(self, found: Connected) -> None:
        """Remember who it is, say what changed since it answered before, and poll its Sources."""
        before = recall(self.inbox, self.name, ANSWERED) or recall(self.inbox, self.name)
        self._tenant = found.tenant
        now = believed(before, found.tenant)
        known = remember(self.inbox, now, self.clock)
        changed = list(changes(before, now, self.clock.now()))
        if before is None or now != replace(before, first_start=now.first_start):
            self.inbox.append(self.name, changed, {(KEEPER, ANSWERED): _encode(now)})
        for one in changed:
            log.warning("%s changed: %s", self.name, one.body)
        self.known(known)
        self._polls = [
            Polling(self.name, one, self.inbox, self.ledger, self.clock, self.appended) for one in found.sources
        ]
        if changed:
            self.appended()

    def _report(self, error: str) -> None:
        if error != self._failing:
            log.warning("%s cannot be read: %s", self.name, error)
            self._failing = error
        self._dark(self.expected, error)

    def _dark(self, sources: Sequence[str], error: str) -> None:
        """These were not read, and why."""
        now = self.clock.now()
        for source in sources:
            report = PollReport(source=source, began_at=now, seconds=0.0, ok=False, error=error)
            self.inbox.append(self.name, (), None, report)


def _system(polling: Polling) -> str:
    return polling.source.name.partition("/")[0]


def identity(tenant: Tenant) -> tuple[str, str, str, bool]:
    """What of a tenant says which database it is, and how it is to be read."""
    return tenant.uuid, tenant.version, tenant.url, tenant.neutralized


def has_ids_of(mine: Tenant, other: Tenant) -> bool:
    """Whether what happened in one would be told under the ids of the other."""
    return (mine.uuid, mine.environment) == (other.uuid, other.environment)


def is_copy(mine: Tenant, other: Tenant) -> bool:
    """Whether a database is one that was known before it: their ids would be the same."""
    return has_ids_of(mine, other) and (other.first_start or EPOCH, other.name) < (
        mine.first_start or LATEST,
        mine.name,
    )


def believed(before: Tenant | None, now: Tenant) -> Tenant:
    """The tenant as it is: what it showed before, and shows no more since the right was withdrawn, did not change."""
    if before is None or now.own or not before.own:
        return now
    return replace(now, uuid=before.uuid, own=True, neutralized=before.neutralized)


def changes(before: Tenant | None, now: Tenant, at: datetime) -> Iterator[Event]:
    """What is not as it was when the database answered last; only a uuid of Odoo's is compared, with another of its."""
    if before is None:
        return
    moved = (before.url, before.database) != (now.url, now.database)
    other = before.own and now.own and before.uuid != now.uuid
    found = {
        "upgraded": (before.version, now.version) if before.version and before.version != now.version else None,
        "moved": (before.url, now.url) if before.url and moved else None,
        "replaced": (before.uuid, now.uuid) if other and not moved else None,
        "neutralized": ("live", "neutralized") if now.neutralized and not before.neutralized else None,
        "live": ("neutralized", "live") if before.neutralized and not now.neutralized else None,
    }
    for what, values in found.items():
        if values is not None:
            body = DatabaseChanged(what=what, was=values[0], now=values[1])
            key = f"0/identity/{what}/{at.isoformat()}"
            yield Event(source=SOURCE, key=key, name="odoo.database.changed", at=at, seen=at, precision=1, body=body)


def remember(inbox: Inbox, tenant: Tenant, clock: Clock) -> Tenant:
    """The tenant as it was at its first start: its uuid is part of every id and its first start parts history.

    Raises:
        StoreError: it could not be made durable.
    """
    saved = recall(inbox, tenant.name)
    if saved is None:
        known = replace(tenant, first_start=tenant.first_start or clock.now())
    else:
        known = replace(tenant, uuid=saved.uuid, own=saved.own, first_start=saved.first_start)
    if known != saved:
        inbox.append(tenant.name, (), {(KEEPER, IDENTITY): _encode(known)})
    return known


def _encode(tenant: Tenant) -> str:
    return msgspec.json.encode(tenant).decode()


def recall(inbox: Inbox, name: str, what: str = IDENTITY) -> Tenant | None:
    """The tenant of an earlier start: as it is told, or with ANSWERED as it said last that it is."""
    mark = inbox.marks(name, KEEPER).get(what)
    return None if mark is None else msgspec.json.decode(mark, type=Tenant)
