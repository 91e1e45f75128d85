"""From the body of `POST /v1/events` to Events: what cannot be stored and folded is refused, with one sentence.

Nesting needs no limit of its own: unknown fields are refused, and no known one takes more than a list of plain things.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from exporter.domain.bodies import Body
from exporter.domain.contract import EVENTS
from exporter.domain.events import Event, decode_body, encode_body
from exporter.domain.redact import plain
from exporter.errors import Refused

MOST = 1_000  # Events in one request
PRECISION = 1  # microseconds: who posts here has a clock that shows them
_WHOLE = 2**63  # what SQLite and OTLP take
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+\Z")]


class Sent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Event as it is posted; its Source is that of the token."""

    tenant: str
    key: Key
    name: str
    at: datetime
    body: msgspec.Raw


_decode = msgspec.json.Decoder(list[Sent]).decode
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def parse(raw: bytes, *, source: str, now: Mapping[str, datetime]) -> list[tuple[str, Event]]:
    """The (tenant, Event) pairs of a request, in its order.

    Args:
        raw: the body as it came.
        source: what the sender's token is for; other Sources' events are refused.
        now: the time on the clock of every known tenant.

    Raises:
        Refused: 400, or 413 for more than MOST; nothing of the request is taken.
    """
    sent = _decoded(raw)
    if len(sent) > MOST:
        raise Refused(413, "too_many", f"Send at most {MOST} events at once, not {len(sent)}.")
    return [(one.tenant, _event(one, f"$[{place}]", source, now)) for place, one in enumerate(sent)]


def _decoded(raw: bytes) -> Sequence[Sent]:
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        raise Refused(400, "not_an_event", plain(f"Send a list of events: {error}.")) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "not_json", plain(f"Send JSON: {error}.")) from error


def _event(sent: Sent, place: str, source: str, now: Mapping[str, datetime]) -> Event:
    kind = EVENTS.get(sent.name)
    if kind is None:
        raise Refused(400, "unknown_name", plain(f"{place}.name: {sent.name} is not an event, see docs/events.md."))
    if kind.source != source:
        raise Refused(400, "wrong_source", f"{place}.name: {sent.name} is seen by {kind.source}, not by {source}.")
    if sent.tenant not in now:
        raise Refused(400, "unknown_tenant", plain(f"{place}.tenant: {sent.tenant} is not a database that is read."))
    return Event(
        source=source,
        key=sent.key,
        name=sent.name,
        at=_utc(sent.at, f"{place}.at"),
        seen=now[sent.tenant],
        body=_body(sent, f"{place}.body"),
        precision=PRECISION,
    )


def _body(sent: Sent, place: str) -> Body:
    try:
        body = decode_body(sent.name, bytes(sent.body))
        known = {of.name: getattr(body, of.name) for of in fields(body)}
        if unknown := sorted(_keys(bytes(sent.body)).keys() - known):
            raise ValueError(f"it has no field {unknown[0]}")  # noqa: TRY301 - told like every other fault
        encode_body(body)
    except (ValueError, OverflowError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise Refused(400, "wrong_body", plain(f"{place}: {error}.")) from error
    return replace(body, **{name: _sound(value, f"{place}.{name}") for name, value in known.items()})


def _sound(value: Any, place: str) -> Any:  # noqa: ANN401 - any value of a body, of the type it came with
    """The value with its times in UTC; whole numbers are those that SQLite and OTLP take."""
    match value:
        case datetime():
            return _utc(value, place)
        case tuple():
            return tuple(_sound(one, f"{place}[{number}]") for number, one in enumerate(value))
        case msgspec.Struct():
            parts = {name: _sound(getattr(value, name), f"{place}.{name}") for name in value.__struct_fields__}
            return msgspec.structs.replace(value, **parts)
        case int() if not -_WHOLE <= value < _WHOLE:
            raise Refused(400, "wrong_body", f"{place}: a whole number has at most 64 bits.")
        case _:
            return value


def _utc(at: datetime, place: str) -> datetime:
    if at.tzinfo is None:
        raise Refused(400, "naive_time", f"{place}: end the time with Z or an offset such as +02:00.")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise Refused(400, "naive_time", f"{place}: no such time in UTC, send one between year 1 and 9999.") from error
