"""The Odoo collections: one line each. A new one is a new file and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.sources.odoo.approvals import read_approvals
from exporter.sources.odoo.crons import read_crons
from exporter.sources.odoo.door import Door
from exporter.sources.odoo.jobs import read_jobs
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.reading import Memory, Reading
from exporter.sources.polling import Poll, Source

COLLECTIONS: Mapping[str, Callable[[Reading], None]] = {
    "odoo/crons": read_crons,
    "odoo/jobs": read_jobs,
    "odoo/approvals": read_approvals,
}


@dataclass(slots=True, kw_only=True)
class OdooSource:
    """One collection of one database; see polling.Source."""

    name: str
    door: Door
    options: OdooOptions
    memory: Memory = field(default_factory=Memory)

    def poll(self, marks: Mapping[str, str]) -> Poll:
        """Read what is new since the marks."""
        reading = Reading(self.name, self.door, marks, options=self.options, memory=self.memory)
        COLLECTIONS[self.name](reading)
        return reading.poll()


def odoo_sources(door: Door, options: OdooOptions | None = None) -> list[Source]:
    """Every collection of one database, through one door: poll them one after the other, one call is in flight."""
    chosen = options or OdooOptions()
    return [OdooSource(name=name, door=door, options=chosen) for name in COLLECTIONS]
