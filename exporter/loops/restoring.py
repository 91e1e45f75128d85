"""That a database was restored: several of its Sources may see it, at different times, and it is said once."""

from collections.abc import Mapping
from datetime import datetime

from exporter.domain.bodies import DatabaseChanged
from exporter.domain.events import Event
from exporter.sources.polling import Poll

RESTORED = "restored"  # the mark: when it was last said, by the server's clock
SOURCE = "odoo/identity"


def restored(poll: Poll, marks: Mapping[str, str]) -> Event | None:
    """The Event of a restore that a poll saw; None where it saw none, or one that was said.

    `marks` are those of the service. What a Source missed was there before the restore: if that is earlier than the
    last one that was said, it misses it because of that one.
    """
    after, said = poll.restored_after, marks.get(RESTORED)
    if after is None or (said is not None and after <= datetime.fromisoformat(said)):
        return None
    at = poll.began_at
    body = DatabaseChanged(what=RESTORED, was=f"{after:%Y-%m-%d %H:%M:%S} UTC", now=f"{at:%Y-%m-%d %H:%M:%S} UTC")
    key = f"0/identity/{RESTORED}/{at.isoformat()}"
    return Event(source=SOURCE, key=key, name="odoo.database.changed", at=at, seen=at, precision=1, body=body)
