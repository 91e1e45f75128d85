"""Mutable tables read by a date (write_date, date_done): an overlap window for the present, spans for the past."""

from datetime import datetime, timedelta

from exporter.sources.odoo.door import Row
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import row_id
from exporter.sources.odoo.tail import Span, read_spans, write_spans


def live_since(reading: Reading, part: str) -> datetime:
    """From when on rows are read in every poll: the last poll's begin minus the overlap.

    At the first poll, and after an outage, the time before that becomes a Span of the backlog: the present comes first.
    """
    now, overlap = reading.began_at.replace(microsecond=0), reading.options.overlap
    mark = reading.marks.get(f"since/{part}")
    if mark is None:
        _postpone(reading, part, now - timedelta(days=reading.options.history_days))
        return now - overlap
    since = min(from_second(mark), now) - overlap
    if now - overlap - since > reading.options.outage:
        _postpone(reading, part, since)
        return now - overlap
    return since


def live_done(reading: Reading, part: str) -> None:
    """The window was read whole: the next one begins here."""
    reading.note(f"since/{part}", str(second(reading.began_at)))


def backlog(reading: Reading, part: str) -> Span | None:
    """The stretch of the past to read a page of now; None when all of it is read."""
    return next(iter(read_spans(reading.marks.get(f"backlog/{part}"))), None)


def backlog_read(reading: Reading, part: str, rows: list[Row]) -> None:
    """A page of the first Span was read: go on behind it, or drop the Span when the page was its last."""
    first, *others = read_spans(reading.marks[f"backlog/{part}"])
    rest = (
        [Span(since=first.since, until=first.until, after=row_id(rows[-1]))]
        if len(rows) >= reading.options.page
        else []
    )
    reading.note(f"backlog/{part}", write_spans([*rest, *others]))
    if rest or others:
        reading.more = reading.history = True


def _postpone(reading: Reading, part: str, since: datetime) -> None:
    span = Span(since=since, until=reading.began_at.replace(microsecond=0) - reading.options.overlap)
    if span.since < span.until:
        spans = [*read_spans(reading.marks.get(f"backlog/{part}")), span]
        reading.note(f"backlog/{part}", write_spans(spans))
