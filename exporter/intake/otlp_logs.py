"""`POST /v1/logs`: Odoo's server log over OTLP/HTTP, from a Collector's filelog receiver or `odoo-otel ingest-log`.

A line that says nothing of a run, a webhook or a rule is passed over; one of a database that is not watched is
rejected, in the answer (partial success) and in a counter.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from exporter.domain.events import Event
from exporter.errors import Refused, StoreBroken, StoreError, StoreFull
from exporter.intake.packed import unpacked
from exporter.intake.signatures import is_bearer
from exporter.sources.odoo.log_lines import event_of, parse
from exporter.store.protocols import Inbox
from exporter.telemetry import otlp

LARGEST = 4 * 1024 * 1024  # bytes of a body as it is sent
UNPACKED = 16 * 1024 * 1024  # bytes of one that was packed, unpacked
JSON = "application/json"


@dataclass(slots=True, kw_only=True)
class Lines:
    """Takes log requests of several threads at once.

    Attributes:
        digests: of the tokens that are good now.
        tenants: Odoo's name of a database, or the configured one -> tenant.
        now: the time on the clock of every tenant.
        appended: called after Events became durable.
        fault: set once the store is broken.
    """

    inbox: Inbox
    digests: Callable[[], Sequence[bytes]]
    tenants: Mapping[str, str]
    now: Callable[[], Mapping[str, datetime]]
    appended: Callable[[], None]
    fault: StoreBroken | None = None
    _counted: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def receive(self, raw: bytes, *, authorization: str, encoding: str, kind: str) -> bytes:
        """Make what the lines say durable; the answer as OTLP wants it. `kind` is the Content-Type.

        Raises:
            Refused: 400, 401, 413, 415 or 503.
        """
        if not is_bearer(authorization, self.digests()):
            raise Refused(401, "token")
        as_json = kind.partition(";")[0].strip().lower() == JSON
        try:
            sent = list(otlp.decode_logs(unpacked(raw, encoding, most=UNPACKED), as_json=as_json))
        except ValueError as error:
            raise Refused(400, "not_otlp", f"Send OTLP logs: {error}.") from error
        found, unknown = self._events(sent)
        for tenant, events in found.items():
            self._append(tenant, events)
        if found:
            self.appended()
        self._count({"lines": len(sent), "unknown_database": unknown, "events": sum(map(len, found.values()))})
        why = "lines of a database that is not watched" if unknown else ""
        return otlp.answer(unknown, why, as_json=as_json)

    def counted(self) -> dict[str, int]:
        """How many lines came, said something, and were of nobody."""
        with self._lock:
            return dict(self._counted)

    def _events(self, sent: Iterable[otlp.Sent]) -> tuple[dict[str, list[Event]], int]:
        now = self.now()
        found: dict[str, list[Event]] = defaultdict(list)
        repeats: Counter[str] = Counter()
        unknown = 0
        for one in sent:
            line = parse(one.text)
            if line is None:
                continue
            tenant = self.tenants.get(one.database or line.database)
            if tenant is None or tenant not in now:
                unknown += 1
                continue
            repeats[line.name] += 1  # equal lines of one moment are told apart by their place among each other
            line = replace(line, name=f"{line.name}/{repeats[line.name]}")
            found[tenant].append(event_of(line, now[tenant]))
        return found, unknown

    def _append(self, tenant: str, events: list[Event]) -> None:
        try:
            self.inbox.append(tenant, events)
        except StoreFull as error:
            raise Refused(503, "store_full", "The store has no room: try again later.") from error
        except StoreError as error:
            if isinstance(error, StoreBroken):
                self.fault = error
            raise Refused(503, "store", "The store cannot write: try again later.") from error

    def _count(self, numbers: Mapping[str, int]) -> None:
        with self._lock:
            self._counted.update(numbers)
