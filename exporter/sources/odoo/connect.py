"""Which door: the first one that the version has (JSON-2 from Odoo 19, odoorpc before), or the configured one."""

from collections.abc import Callable, Mapping
from typing import Literal

from exporter.clock import Clock
from exporter.errors import SourceDown
from exporter.sources.odoo.door import Access, Door
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.session import SessionDoor
from exporter.sources.odoo.versions import DoorName, Version, named, shows

Choice = Literal["auto"] | DoorName
_DOORS: Mapping[DoorName, Callable[[Access, Clock | None], Door]] = {"json2": Json2Door, "jsonrpc": SessionDoor}


def open_door(access: Access, choice: Choice = "auto", clock: Clock | None = None) -> Door:
    """The door to use; with `auto` the server is asked for its version first.

    Raises:
        SourceDown: nothing that looks like Odoo answers at the address.
    """
    name = shows(version_at(access, clock)).doors[0] if choice == "auto" else choice
    return _DOORS[name](access, clock)


def version_at(access: Access, clock: Clock | None = None) -> Version:
    """The version of the server at an address, asked without the key.

    Versions before 19 do not serve /web/version, they answer version_info over JSON-RPC.

    Raises:
        SourceDown: nothing that looks like Odoo answers.
    """
    try:
        return Json2Door(access, clock).version()
    except SourceDown:
        return SessionDoor(access, clock).version()


def version_through(door: Door, access: Access, choice: Choice) -> Version:
    """The version that a door tells.

    Raises:
        SourceDown: nothing answers, or the configured door is none that this version has.
    """
    try:
        found = door.version()
    except SourceDown as error:
        if choice == "auto":
            raise
        if wrong := doorless(choice, version_at(access)):
            raise SourceDown(wrong) from error
        raise
    if wrong := doorless(choice, found):
        raise SourceDown(wrong)
    return found


def doorless(choice: Choice, version: Version) -> str:
    """Why the configured door cannot be this version's, in one sentence; "" where it can."""
    has = shows(version).doors
    if choice == "auto" or choice in has:
        return ""
    return f"Odoo {named(version)} has no {choice}: set door to {has[0]}, or leave it out."
