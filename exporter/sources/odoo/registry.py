"""The Odoo collections: one line each. A new one is a new file and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.sources.odoo.approvals import read_approvals
from exporter.sources.odoo.automations import read_automations
from exporter.sources.odoo.crons import read_crons
from exporter.sources.odoo.door import Door
from exporter.sources.odoo.jobs import read_jobs
from exporter.sources.odoo.keys import read_keys
from exporter.sources.odoo.log_rows import read_logging
from exporter.sources.odoo.mails import read_mails
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.reading import Blind, Memory, Reading
from exporter.sources.polling import Poll, Source

LOGGING = "odoo/logging"
COLLECTIONS: Mapping[str, Callable[[Reading], None]] = {
    LOGGING: read_logging,  # before the scheduled actions, so that a run's exact words are there when it is told
    "odoo/crons": read_crons,
    "odoo/jobs": read_jobs,
    "odoo/approvals": read_approvals,
    "odoo/automations": read_automations,
    "odoo/mails": read_mails,
    "odoo/keys": read_keys,
}
# How many ordinary polls pass between two of a collection that hardly ever changes, or that nobody waits for.
SELDOM: Mapping[str, int] = {"odoo/automations": 20, "odoo/mails": 4, "odoo/keys": 20}


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
        try:
            COLLECTIONS[self.name](reading)
        except Blind as lost:
            return reading.blind(lost)
        return reading.poll()


def odoo_sources(door: Door, options: OdooOptions | None = None) -> list[Source]:
    """Every collection of one database, through one door: poll them one after the other, one call is in flight."""
    chosen = options or OdooOptions()
    return [OdooSource(name=name, door=door, options=chosen) for name in COLLECTIONS]
