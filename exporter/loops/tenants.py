"""One tenant's polling: connect, remember who it is, then ask its Sources one after the other (one call in flight)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from logging import getLogger

import msgspec

from exporter.clock import Clock
from exporter.domain.tenants import Tenant
from exporter.errors import SourceError
from exporter.loops.polling import KEEPER, Polling
from exporter.sources.polling import Source
from exporter.store.protocols import Inbox, Ledger, PollReport

log = getLogger(__name__)
IDENTITY = "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A database that answered: who it says it is, and its Sources."""

    tenant: Tenant
    sources: Sequence[Source]


@dataclass(slots=True)
class TenantPolling:
    """Polls one tenant. `step` connects or does one round; a thread only repeats it.

    Attributes:
        connect: asks the database who it is; raises SourceError while it does not answer.
        known: called once, with the tenant as it is remembered, before anything is appended.
        expected: names of the Sources to report on while the database does not answer.
    """

    name: str
    connect: Callable[[], Connected]
    known: Callable[[Tenant], None]
    appended: Callable[[], None]
    inbox: Inbox
    ledger: Ledger
    clock: Clock
    expected: Sequence[str] = ()
    _polls: list[Polling] = field(default_factory=list)
    _failing: str = ""

    def step(self) -> bool:
        """One round over the Sources; True if one of them has more to read at once."""
        if not self._polls and not self._connected():
            return False
        more = [polling.step() for polling in self._polls]
        return any(more)

    def _connected(self) -> bool:
        try:
            found = self.connect()
        except SourceError as error:
            self._report(str(error))
            return False
        self._failing = ""
        self.known(remember(self.inbox, found.tenant, self.clock))
        self._polls = [
            Polling(self.name, one, self.inbox, self.ledger, self.clock, self.appended) for one in found.sources
        ]
        return True

    def _report(self, error: str) -> None:
        if error != self._failing:
            log.warning("%s cannot be read: %s", self.name, error)
            self._failing = error
        now = self.clock.now()
        for source in self.expected:
            report = PollReport(source=source, began_at=now, seconds=0.0, ok=False, error=error)
            self.inbox.append(self.name, (), None, report)


def remember(inbox: Inbox, tenant: Tenant, clock: Clock) -> Tenant:
    """The tenant as it was at its first start: its uuid is part of every id and its first start parts history.

    Raises:
        StoreError: it could not be made durable.
    """
    saved = recall(inbox, tenant.name)
    if saved is None:
        known = replace(tenant, first_start=tenant.first_start or clock.now())
    else:
        known = replace(tenant, uuid=saved.uuid, first_start=saved.first_start)
    if known != saved:
        inbox.append(tenant.name, (), {(KEEPER, IDENTITY): msgspec.json.encode(known).decode()})
    return known


def recall(inbox: Inbox, name: str) -> Tenant | None:
    """The tenant of an earlier start."""
    mark = inbox.marks(name, KEEPER).get(IDENTITY)
    return None if mark is None else msgspec.json.decode(mark, type=Tenant)
