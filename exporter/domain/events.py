"""The Event, and how its body is written and read; what there is to see is domain/contract."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from exporter.domain.bodies import Body
from exporter.domain.contract import EVENTS
from exporter.domain.times import SECOND, require_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one witness saw; never a conclusion drawn from several.

    Attributes:
        source: `system/collection` that saw it (`odoo/jobs`).
        key: unique within (tenant, source): epoch / id / version; a repeat is a no-op.
        name: one of EVENTS.
        at: when it happened, as the witness says (aware UTC).
        seen: when we saw it (aware UTC).
        precision: how exact `at` is, in microseconds (over Odoo's RPC: 1,000,000).
        body: what it carries; its class is that of EVENTS[name].
    """

    source: str
    key: str
    name: str
    at: datetime
    seen: datetime
    body: Body
    precision: int = SECOND

    def __post_init__(self) -> None:
        """Refuse naive times and unknown names: an invalid Event cannot exist."""
        require_utc(self.at, "Event.at")
        require_utc(self.seen, "Event.seen")
        if type(self.body) is not EVENTS[self.name].body:
            message = f"{self.name} carries {EVENTS[self.name].body.__name__}, not {type(self.body).__name__}"
            raise ValueError(message)


# (name, version) -> what lifts a body of that version to the next one; empty until a body changes its shape.
UPCASTS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}

encode_body: Callable[[Body], bytes] = msgspec.json.Encoder().encode
_DECODERS: Mapping[str, Callable[[bytes], Body]] = {
    name: msgspec.json.Decoder(kind.body).decode for name, kind in EVENTS.items()
}


def decode_body(name: str, raw: bytes, version: int = 1) -> Body:
    """The body of a stored Event, lifted to the current version.

    Raises:
        KeyError: an event name, or a version of its body, of a newer program.
        msgspec.ValidationError: not what EVENTS[name] promises.
    """
    if version == EVENTS[name].version:
        return _DECODERS[name](raw)
    if version > EVENTS[name].version:
        raise KeyError(f"{name} version {version}, this program knows {EVENTS[name].version}")
    fields = msgspec.json.decode(raw, type=dict[str, Any])
    for old in range(version, EVENTS[name].version):
        fields = UPCASTS[name, old](fields)
    return msgspec.convert(fields, EVENTS[name].body)  # type: ignore[no-any-return]
