"""Who a fact belongs to: one Odoo database under the name it was configured with."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One database as its telemetry names it.

    Attributes:
        name: the configured name; the key of everything stored.
        database: Odoo's own name of the database (label `odoo_database`).
        uuid: `database.uuid`; copies share it, hence `environment`.
        own: whether the uuid was shown by Odoo, not made of the address.
        url: base address for deep links ("" where there is none).
        version: Odoo's version ("19.0"), "" while unknown.
        first_start: when we first read it; what ended before is history.
        neutralized: Odoo made it harmless (a staging copy): its actions are switched off, nobody is alerted of it.
    """

    name: str
    database: str
    uuid: str
    environment: str = "production"
    url: str = ""
    version: str = ""
    first_start: datetime | None = None
    neutralized: bool = False
    own: bool = False
