"""Which door: JSON-2 from Odoo 19, odoorpc before; the configuration may say otherwise."""

from typing import Literal

from exporter.clock import Clock
from exporter.errors import SourceDown
from exporter.sources.odoo.door import Access, Door
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.session import SessionDoor

DoorName = Literal["auto", "json2", "jsonrpc"]
FIRST_WITH_JSON2 = 19


def open_door(access: Access, choice: DoorName = "auto", clock: Clock | None = None) -> Door:
    """The door to use; with `auto` the server is asked for its version first.

    Raises:
        SourceDown: nothing that looks like Odoo answers at the address.
    """
    if choice == "json2":
        return Json2Door(access, clock)
    if choice == "jsonrpc":
        return SessionDoor(access, clock)
    newer = Json2Door(access, clock)
    return newer if _version(newer, access, clock)[0] >= FIRST_WITH_JSON2 else SessionDoor(access, clock)


def _version(newer: Json2Door, access: Access, clock: Clock | None) -> tuple[int, int]:
    """The server's version; /web/version is not served by the oldest, they answer version_info over JSON-RPC."""
    try:
        return newer.version()
    except SourceDown:
        return SessionDoor(access, clock).version()
