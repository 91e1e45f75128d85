"""Odoo's own "Send Webhook Notification" (facts/odoo.md section 3): which action of which record; nothing personal.

Odoo sends `_model`, `_id` and `_action` ("Name(#561)") and whatever fields somebody chose: of these only the state and
the time of the transaction are read. It signs nothing and names no delivery.
"""

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from exporter.domain import links
from exporter.domain.bodies import WebhookReceived
from exporter.domain.json_limits import NotPlain, document
from exporter.domain.posted import Posted
from exporter.domain.redact import mask
from exporter.domain.runs import Attributes, known
from exporter.domain.times import moment
from exporter.errors import Refused
from exporter.sources.odoo.rows import YEARS

MODEL = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
SHORT = 64  # characters of a state, or of an action's name
_ACTION = re.compile(r"(?P<name>.*)\(#(?P<id>\d{1,15})\)\s*", re.DOTALL)
_LARGEST = 2**53


class _Native(Struct):
    model: str
    record: int
    action: object
    state: object
    write_date: object


def parse(posted: Posted) -> tuple[WebhookReceived]:
    """What Odoo says: the action is the `kind`, the record the correlation; it began with the transaction.

    Without an id of the sender's the delivery is named by model, record, action and time of the transaction; where the
    action does not send `write_date`, by a digest of the body, so that the same change made twice counts once.

    Raises:
        Refused: 422, it is not what Odoo sends.
    """
    sent = _native(posted.raw)
    name, action = _action(sent.action)
    state, written = _state(sent.state), _instant(sent.write_date)
    found = WebhookReceived(
        hook=posted.hook,
        delivery=posted.delivery or _delivery(sent, action, written, posted.raw),
        kind=name,
        result="success",  # Odoo sends when the transaction is over, and only then
        started_at=written,
        ended_at=posted.received_at,
        correlation=(links.by_id(sent.model, sent.record),),
        traceparent=posted.traceparent,
        size=len(posted.raw),
        drift=_drift(sent, action, written),
        attributes=_attributes(sent, action, (state, written)),
    )
    return (found,)


def _native(raw: bytes) -> _Native:
    try:
        found = document(raw)
    except NotPlain as error:
        raise Refused(422, "not_plain", f"The body {error}.") from error
    sent: dict[str, Any] = found if isinstance(found, dict) else {}
    model, record = sent.get("_model"), sent.get("_id")
    if model is None or record is None:
        said = "Send what an Odoo action of the kind Send Webhook Notification sends: _model, _id and _action."
        raise Refused(422, "not_odoo", said)
    if not isinstance(model, str) or not MODEL.fullmatch(model) or len(model) > SHORT:
        raise Refused(422, "not_odoo", "_model must be the technical name of a model, such as sale.order.")
    if not isinstance(record, int) or isinstance(record, bool) or not 0 < record <= _LARGEST:
        raise Refused(422, "not_odoo", "_id must be the id of a record, a whole number above 0.")
    return _Native(model, record, sent.get("_action"), sent.get("state"), sent.get("write_date"))


def _action(value: object) -> tuple[str, int]:
    """(name, id) of the server action; 0 where it does not end with one."""
    text = value if isinstance(value, str) else ""
    found = _ACTION.fullmatch(text)
    name, number = (found["name"], int(found["id"])) if found else (text, 0)
    return mask(name.strip(), SHORT), number


def _state(value: object) -> str:
    return mask(value, SHORT) if isinstance(value, str) else ""


def _instant(value: object) -> datetime | None:
    """`str()` of a datetime in UTC, with microseconds where it has any; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = moment(value, datetime.fromisoformat)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None and found.year in YEARS else None


def _delivery(sent: _Native, action: int, written: datetime | None, raw: bytes) -> str:
    which = written.isoformat() if written else blake2b(raw, digest_size=16).hexdigest()
    return f"{sent.model}/{sent.record}/{action}/{which}"


def _drift(sent: _Native, action: int, written: datetime | None) -> tuple[str, ...]:
    missing = {"_action": not action, "state": sent.state not in (None, False) and not _state(sent.state)}
    return (*(name for name, holds in missing.items() if holds), *(() if written else ("write_date",)))


def _attributes(sent: _Native, action: int, said: tuple[str, datetime | None]) -> Attributes:
    state, written = said
    found = {
        "odoo.action.id": action or None,
        "odoo.delivery.record": links.by_id(sent.model, sent.record),
        "odoo.record.state": state or None,
        "odoo.record.write_date": written.isoformat() if written else None,
    }
    return known(found)
