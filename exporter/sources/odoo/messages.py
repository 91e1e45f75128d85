"""mail.message: who, when and of which kind, never the text. Read by ids or by record, without a limit.

Odoo takes the limit first and the user's access afterwards, so a short or empty page of messages says nothing
(facts/odoo.md section 7.4): a limit is never given here.
"""

from collections.abc import Iterable, Sequence

from exporter.domain.bodies import MessagePosted
from exporter.sources.odoo.door import JSON, Row
from exporter.sources.odoo.naming import xmlids
from exporter.sources.odoo.reading import Reading, second
from exporter.sources.odoo.rows import link, required_instant, required_link, required_text, row_id

MODEL = "mail.message"
JOB_FAILED = "queue_job.mt_job_failed"
FIELDS = ("model", "res_id", "date", "author_id", "subtype_id")


def messages(reading: Reading, field: str, ids: Sequence[int], *narrow: JSON) -> list[MessagePosted]:
    """The readable messages with `field` among the ids."""
    rows: list[Row] = []
    for first in range(0, len(ids), reading.options.page):
        chosen: JSON = list(ids[first : first + reading.options.page])
        fields = reading.fields(MODEL, FIELDS)
        rows += reading.door.search_read(MODEL, [[field, "in", chosen], *narrow], fields)
    subtypes = xmlids(reading, "mail.message.subtype", _subtypes(rows))
    return reading.parsed(MODEL, rows, lambda row: _message(row, subtypes.get(link(row, "subtype_id") or 0)))


def job_failures(reading: Reading, jobs: Sequence[int]) -> None:
    """Tell when jobs failed: Odoo posts a message in the transaction of the failure, and only it has the time."""
    if not jobs:
        return
    for message in messages(reading, "res_id", sorted(set(jobs)), ["model", "=", "queue.job"]):
        if message.subtype == JOB_FAILED:
            path = f"message/{message.message_id}/{second(message.date)}"  # behind a restore its id comes again
            reading.emit("odoo.message.posted", path, message.date, message)


def _subtypes(rows: Iterable[Row]) -> set[int]:
    return {one for row in rows if isinstance(one := row.get("subtype_id"), int) and one > 0}


def _message(row: Row, subtype: str | None) -> MessagePosted:
    return MessagePosted(
        message_id=row_id(row),
        model=required_text(row, "model"),
        record_id=required_link(row, "res_id"),
        date=required_instant(row, "date"),
        author=link(row, "author_id"),
        subtype=subtype,
    )
