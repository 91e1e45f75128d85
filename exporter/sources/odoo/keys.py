"""The API keys of the user that reads: when the first of them ends. No key is shown by Odoo, nor asked for.

A user sees its own keys; from Odoo 18 on they have an end, at most three months away for all but administrators
(facts/odoo.md section 6). Where that cannot be read, the operator may say it (`api_key_expires`). Looked at hourly.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from exporter.domain.bodies import KeyCounted
from exporter.domain.events import encode_body
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.known import new_version
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import instant

MODEL = "res.users.apikeys"
FIELDS = ("expiration_date",)
EVERY = timedelta(hours=1)


def read_keys(reading: Reading) -> None:
    """One poll of `odoo/keys`."""
    asked = reading.marks.get("asked")
    if asked is not None and timedelta(0) <= reading.began_at - from_second(asked) < EVERY:
        return
    found: list[KeyCounted] = []
    reading.part(MODEL, lambda: found.append(_counted(reading)))
    key = found[0] if found else KeyCounted(keys=0, expires_at=reading.options.key_expires)
    if key.keys or key.expires_at is not None:
        version = new_version(reading, "key", 1, encode_body(key))
        if version is not None:
            reading.emit("odoo.key.counted", f"key/{version}", reading.began_at, key)
    reading.note("asked", str(second(reading.began_at)))


def _counted(reading: Reading) -> KeyCounted:
    own: Domain = [["user_id.login", "=", reading.options.user]]
    found = reading.parsed(MODEL, reading.pages(MODEL, own, FIELDS), end_of)
    return KeyCounted(keys=len(found), expires_at=first_end(found, reading.began_at) or reading.options.key_expires)


def end_of(row: Row) -> datetime | None:
    """When a key ends; None where it never does. Raises BadRecord."""
    return instant(row, "expiration_date")


def first_end(ends: Iterable[datetime | None], now: datetime) -> datetime | None:
    """When the first of the keys ends that have not; None where none ever does."""
    found = [end for end in ends if end is not None]
    return min((end for end in found if end > now), default=max(found, default=None))
