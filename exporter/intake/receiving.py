"""What happens to a request: limits, token, parse, append; refusals are counted by reason."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from threading import Lock

from exporter.domain.events import Event
from exporter.errors import Refused, StoreBroken, StoreError, StoreFull
from exporter.intake.parsing import parse
from exporter.intake.signatures import is_bearer
from exporter.store.entries import Appended
from exporter.store.protocols import Inbox

LARGEST = 256 * 1024  # bytes of a body
_BY_STATUS = {408: "too_slow", 413: "too_large", 431: "too_large"}
_OUR_FAULT = 500


@dataclass(slots=True, kw_only=True)
class Receiving:
    """Takes requests of several threads at once.

    Attributes:
        source: what the token is for.
        digests: of the tokens that are good now.
        now: the time on the clock of every tenant that may be appended to.
        appended: called after Events became durable.
        fault: set once the store is broken: the process must exit with 70.
    """

    inbox: Inbox
    source: str
    digests: Callable[[], Sequence[bytes]]
    now: Callable[[], Mapping[str, datetime]]
    appended: Callable[[], None]
    fault: StoreBroken | None = None
    _refused: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def receive(self, read: Callable[[], bytes], *, authorization: str, encoding: str) -> Appended:
        """Make the Events of a request durable; returns after the fsync.

        `read` gives the body; `authorization` and `encoding` are headers, "" where they are absent. Nothing is parsed
        before the token was seen. Several tenants are several transactions: when a later one is
        refused with 503 the earlier ones are durable, and a repeat changes nothing in them.

        Raises:
            Refused: 400, 401, 413, 415 or 503; counted.
        """
        try:
            return self._receive(read, authorization, encoding)
        except Refused as refused:
            self._count(refused.reason)
            raise

    def refused(self) -> dict[str, int]:
        """How many requests were refused, by reason."""
        with self._lock:
            return dict(self._refused)

    def refused_before(self, status: int) -> None:
        """The listener refused a request by itself: too large, or not HTTP."""
        if status < _OUR_FAULT:
            self._count(_BY_STATUS.get(status, "not_http"))

    def _receive(self, read: Callable[[], bytes], authorization: str, encoding: str) -> Appended:
        if encoding.lower() not in {"", "identity"}:
            raise Refused(415, "encoded", "Send the body as it is, without Content-Encoding.")
        raw = read()
        if len(raw) > LARGEST:
            raise Refused(413, "too_large", f"Send at most {LARGEST} bytes at once.")
        if not is_bearer(authorization, self.digests()):
            raise Refused(401, "token")
        events = parse(raw, source=self.source, now=self.now())
        tenants = groupby(sorted(events, key=_tenant), key=_tenant)  # sorted is stable: their order stays
        each = [self._append(tenant, [event for _, event in found]) for tenant, found in tenants]
        if each:
            self.appended()
        return Appended(appended=sum(one.appended for one in each), repeated=sum(one.repeated for one in each))

    def _append(self, tenant: str, events: list[Event]) -> Appended:
        try:
            return self.inbox.append(tenant, events)
        except StoreFull as error:
            raise Refused(503, "store_full", "The store has no room: try again later.") from error
        except StoreError as error:
            if isinstance(error, StoreBroken):
                self.fault = error
            raise Refused(503, "store", "The store cannot write: try again later.") from error

    def _count(self, reason: str) -> None:
        with self._lock:
            self._refused[reason] += 1


def _tenant(found: tuple[str, Event]) -> str:
    return found[0]
