"""What is said when the database behind a name is not what it was: one log event, in words that say what follows."""

from collections.abc import Mapping

from exporter.domain.bodies import DatabaseChanged
from exporter.domain.events import Event
from exporter.domain.told import LogRecord, Severity

NAME = "odoo.database.changed"
# What happened: how grave it is, and the sentence.
SAID: Mapping[str, tuple[Severity, str]] = {
    "upgraded": ("info", "The database was upgraded from Odoo {was} to {now}: it is read by what {now} shows."),
    "moved": ("warn", "The database moved from {was} to {now}: it is told on under the same ids."),
    "replaced": (
        "warn",
        "Another database stands behind the same address: its uuid is {now} and was {was}. Ids go on with the old one.",
    ),
    "restored": (
        "warn",
        "The database was restored: what it did up to {was} is gone from it. Ids that come again are told as others.",
    ),
    "neutralized": ("warn", "The database was neutralized: nothing about it is told to people."),
    "live": ("info", "The database is live again."),
}


def told(event: Event, body: DatabaseChanged) -> LogRecord:
    """The log event; what is not known is said as it is."""
    severity, words = SAID.get(body.what, ("warn", "The database changed: {was} is now {now}."))
    return LogRecord(
        event_name=NAME,
        scope=event.source,
        at=event.at,
        observed_at=event.seen,
        severity=severity,
        body=words.format(was=body.was, now=body.now),
        attributes=(("odoo.database.change", body.what),),
    )
