"""From what was posted to deliveries, by a mapping: what it does not name never leaves the payload."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from exporter.domain.bodies import WebhookReceived
from exporter.domain.events import Event
from exporter.domain.json_limits import NotPlain, document
from exporter.domain.links import key
from exporter.domain.posted import Posted
from exporter.domain.redact import mask
from exporter.domain.runs import Scalar
from exporter.domain.times import moment
from exporter.errors import Refused
from exporter.sources.mapped.definition import ONGOING, Definition, Pointer

ID = 200  # characters of an id
EPISODE = 40  # of what tells runs of one id apart
WORD = 80  # of a kind or a status: few values
DIGITS = 18  # of a number written as text: 64 bits hold every one of them
MOST = 200  # deliveries in one payload
_MILLIS = 100_000_000_000  # epoch times above are milliseconds: in seconds that is the year 5138
_LATEST = 253_402_300_799
_TYPES = (str, int, float, bool)
_IDS = frozenset({"delivery", "run", "episode"})


def parse(definition: Definition, posted: Posted) -> tuple[WebhookReceived, ...]:
    """The deliveries that a payload tells of, in its order.

    Raises:
        Refused: 422; it is authentic, but not what the mapping expects.
    """
    try:
        found = document(posted.raw)
    except NotPlain as error:
        raise Refused(422, "not_plain", f"The body {error}.") from error
    if definition.each is None:
        if not isinstance(found, dict):
            raise Refused(422, "no_object", f"The body is no JSON object: {definition.name} expects one.")
        return (_delivery(definition, posted, found, ""),)
    elements = at(found, definition.each)
    if not isinstance(elements, list) or not elements or not all(isinstance(one, dict) for one in elements):
        place = "/".join(("", *definition.each))
        where = f"has no list of objects at {place}" if place else "is no list of objects"
        raise Refused(422, "no_list", f"The body {where}: {definition.name} expects one.")
    if len(elements) > MOST:
        raise Refused(422, "too_many", f"The body holds {len(elements)} deliveries, at most {MOST} are taken.")
    return tuple(_delivery(definition, posted, one, f"/{place}") for place, one in enumerate(elements))


def event_of(posted: Posted, body: WebhookReceived) -> Event:
    """The Event of a delivery: when it happened as it says, else when it came; never later, whatever its clock says."""
    said = body.ended_at or body.started_at or posted.signed_at or posted.received_at
    return Event(
        source=f"hooks/{posted.hook}",
        key=f"0/{posted.hook}/{body.delivery}",
        name="webhook.received",
        at=min(said, posted.received_at),
        seen=posted.received_at,
        precision=1,
        body=body,
    )


def digest(raw: bytes) -> str:
    """What names a delivery whose sender gives it no id."""
    return blake2b(raw, digest_size=16, person=b"odoo-otel-hook").hexdigest()


def at(found: object, pointer: Pointer) -> object:
    """What stands at a JSON Pointer; None where there is nothing."""
    for part in pointer:
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isascii() and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _delivery(definition: Definition, posted: Posted, found: dict[str, Any], part: str) -> WebhookReceived:
    take = _Taking(definition, found)
    status = take.text("status", WORD)
    result = definition.results.get(status, definition.otherwise)
    return WebhookReceived(
        hook=posted.hook,
        delivery=take.text("delivery", ID) or (posted.delivery or digest(posted.raw))[: ID - len(part)] + part,
        kind=take.text("kind", WORD) or posted.kind[:WORD],
        run=take.run(),
        status=status,
        result=None if result == ONGOING else result,  # type: ignore[arg-type] # the definition was checked
        started_at=take.time("started"),
        ended_at=None if result == ONGOING else take.time("ended"),
        attempt=take.number("attempt"),
        http_status=take.number("http_status"),
        error_type=take.text("error_type", WORD),
        error=take.text("error", ID),
        correlation=tuple(take.references()),
        traceparent=posted.traceparent,
        size=len(posted.raw),
        drift=tuple(take.drift()),
        attributes=tuple(take.attributes()),
        failure_class=definition.classes.get(status, ""),  # type: ignore[arg-type] # the definition was checked
    )


class _Taking:
    """Takes what a definition names out of one payload."""

    def __init__(self, definition: Definition, found: dict[str, Any]) -> None:
        self._definition, self._found = definition, found
        self._wrong: set[str] = set()

    def _values(self, name: str) -> Iterator[tuple[str, object]]:
        for pointer in getattr(self._definition, name):
            value = at(self._found, pointer)
            if value is not None:
                yield "/".join(pointer), value

    def text(self, name: str, clip: int) -> str:
        """Masked text on one line, numbers included; "" if there is none."""
        for place, value in self._values(name):
            if isinstance(value, str | int | float):
                words = str(value).strip()
                return named(words, clip) if name in _IDS else mask(words, clip)
            self._wrong.add(place)
        return ""

    def run(self) -> str:
        """The sender's id of a run, and behind it which of its episodes this is, where there may be several."""
        run, episode = self.text("run", ID), self.text("episode", EPISODE)
        return f"{run[: ID - EPISODE - 1]}#{episode}" if run and episode else run

    def number(self, name: str) -> int | None:
        """A whole number, also where it is written as text."""
        for place, value in self._values(name):
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS:
                return int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            self._wrong.add(place)
        return None

    def time(self, name: str) -> datetime | None:
        """A time: ISO 8601 with an offset, or seconds or milliseconds since 1970."""
        for place, value in self._values(name):
            found = when(value)
            if found is not None:
                return found
            self._wrong.add(place)
        return None

    def references(self) -> Iterator[str]:
        """Link keys."""
        for place, value in self._values("correlation"):
            link = key(str(value)) if isinstance(value, str | int) else ""
            if link:
                yield link
            else:
                self._wrong.add(place)

    def attributes(self) -> Iterator[tuple[str, Scalar]]:
        """What else may be kept."""
        yield from self._definition.constants.items()
        for name, pointer in self._definition.attributes.items():
            value = at(self._found, pointer)
            if isinstance(value, _TYPES):
                yield name, mask(value) if isinstance(value, str) else value

    def drift(self) -> Sequence[str]:
        """Required places that hold nothing, places of another type, and top-level names nobody knows."""
        missing = {"/".join(pointer) for pointer in self._definition.required if at(self._found, pointer) is None}
        known = self._definition.known
        unknown = {name[:WORD] for name in self._found if name not in known} if known else set()
        return sorted(missing | self._wrong | unknown)[:10]


def named(words: str, clip: int) -> str:
    """An id as it is (a mask would make one of many), on one line and storable whatever it holds."""
    return (words if words.isprintable() else words.encode("unicode_escape").decode())[:clip]


def when(value: object) -> datetime | None:
    """The time that a value says, in UTC; None where it says none."""
    if isinstance(value, str):
        try:
            found = moment(value.strip(), datetime.fromisoformat)
            return found.astimezone(UTC) if found.tzinfo else None
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if value >= _MILLIS else float(value)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds <= _LATEST else None
