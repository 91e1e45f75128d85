"""Who a database says it is: its version, and the uuid that is part of every id."""

from uuid import NAMESPACE_URL, uuid5

from exporter.errors import BadRecord, SourceDown
from exporter.sources.odoo.door import Access, Door, Missing

PARAMETER = "database.uuid"


def database_uuid(door: Door, access: Access) -> tuple[str, bool]:
    """(uuid, whether it is Odoo's own).

    A monitoring user may not read ir.config_parameter, and should not: it holds secrets. Without the right, or without
    the row, the uuid is made from address and name: stable, but other programs cannot compute the ids from Odoo alone.

    Raises:
        SourceDown: the database does not answer.
    """
    made = str(uuid5(NAMESPACE_URL, f"{access.base}/{access.database}"))
    try:
        rows = door.search_read("ir.config_parameter", [["key", "=", PARAMETER]], ["value"], limit=1)
    except Missing:
        return made, False
    except BadRecord as error:
        raise SourceDown(str(error)) from error
    value = rows[0].get("value") if rows else None
    return (value, True) if isinstance(value, str) and value else (made, False)
