"""What a scrape shows, as OTLP metrics: each database under its own Resource, the program under one of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from exporter.domain.tenants import Tenant
from exporter.domain.told import Labels
from exporter.sinks import Row
from exporter.store.protocols import Reader
from exporter.telemetry import otlp
from exporter.telemetry.instruments import DATABASE_LABEL
from exporter.telemetry.series import StoredSeries

SCOPE = "metrics"
Groups = Sequence[tuple[Labels, Sequence[StoredSeries]]]
KEPT = frozenset({"odoo_otel_exported_total"})  # of the program's own: counted in the store, as all of a database are


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """Encodes metrics.

    Attributes:
        groups: what a scrape shows now (web/snapshot.py).
        hosts: `host.id` of every database that is watched.
        started: when this process began: since then it counts what it keeps in memory.
        own: the encoded Resource of the program.
    """

    groups: Callable[[], Groups]
    reader: Reader
    hosts: Callable[[], dict[str, str]]
    now: Callable[[], datetime]
    started: datetime
    own: bytes
    _resources: dict[tuple[Tenant, str], bytes] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """Every metric: (context, encoded metric)."""
        at, hosts = self.now(), self.hosts()
        return [row for labels, series in self.groups() for row in self._group(labels, series, hosts, at)]

    def _group(
        self, labels: Labels, series: Sequence[StoredSeries], hosts: dict[str, str], at: datetime
    ) -> Iterator[Row]:
        name = dict(labels).get(DATABASE_LABEL)
        if name is None:
            yield from self._own(series, at)
            return
        tenant = self.reader.tenant(name) or Tenant(name=name, database=name, uuid=name)  # it never answered yet
        place = otlp.place(self._resource(tenant, hosts.get(name, name)), SCOPE)
        start = tenant.first_start or self.started
        yield from ((place, raw) for raw in otlp.encode_metrics(series, labels, start=min(start, at), at=at))

    def _own(self, series: Sequence[StoredSeries], at: datetime) -> Iterator[Row]:
        known = [self.reader.tenant(name) for name in self.reader.tenants()]
        first = min((one.first_start for one in known if one and one.first_start), default=self.started)
        place = otlp.place(self.own, SCOPE)
        for kept, start in ((True, min(first, self.started)), (False, self.started)):
            chosen = [one for one in series if (one.name in KEPT) is kept]
            yield from ((place, raw) for raw in otlp.encode_metrics(chosen, (), start=start, at=at))

    def _resource(self, tenant: Tenant, host: str) -> bytes:
        if (tenant, host) not in self._resources:
            self._resources[tenant, host] = otlp.resource(tenant, host)
        return self._resources[tenant, host]
