"""Who a database says it is: its version, and the uuid that is part of every id."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from exporter.errors import BadRecord, SourceDown
from exporter.sources.odoo.door import Access, Door, Missing

PARAMETER, NEUTRALIZED = "database.uuid", "database.is_neutralized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a database says it is: `own` whether the uuid is Odoo's, `neutralized` whether it was made harmless."""

    uuid: str
    own: bool
    neutralized: bool = False


def identity(door: Door, access: Access) -> Identity:
    """Ask a database who it is.

    A monitoring user may not read ir.config_parameter, and should not: it holds secrets. Without the right, or without
    the row, the uuid is made from address and name: stable, but other programs cannot compute the ids from Odoo alone.

    Raises:
        SourceDown: the database does not answer.
    """
    made = str(uuid5(NAMESPACE_URL, f"{access.base}/{access.database}"))
    try:
        wanted = [["key", "in", [PARAMETER, NEUTRALIZED]]]
        rows = door.search_read("ir.config_parameter", wanted, ["key", "value"], limit=2)
    except Missing:
        return Identity(uuid=made, own=False)
    except BadRecord as error:
        raise SourceDown(str(error)) from error
    values = {row.get("key"): row.get("value") for row in rows}
    uuid, neutralized = values.get(PARAMETER), str(values.get(NEUTRALIZED)).lower() in {"true", "1"}
    own = isinstance(uuid, str) and bool(uuid)
    return Identity(uuid=str(uuid) if own else made, own=own, neutralized=neutralized)
