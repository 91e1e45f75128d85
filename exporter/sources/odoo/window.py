"""Mutable tables read by a date (write_date, date_done): an overlap window for the present, spans for the past."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.sources.odoo.counting import Page, count
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import row_id
from exporter.sources.odoo.tail import Span, read_spans, write_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What of a model is read back: which fields, and for a stretch of time which rows."""

    fields: Sequence[str]
    wanted: Callable[[Span], Domain]


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


def page_of_the_past(reading: Reading, part: str, model: str, past: Past) -> list[Row]:
    """The next page of the backlog, and go on behind it; nothing when all of it is read."""
    spans = read_spans(reading.marks.get(f"backlog/{part}"))
    if not spans:
        return []
    first, *others = spans
    domain = past.wanted(first)
    rows = reading.page(model, domain, past.fields, after=first.after)
    more = len(rows) >= reading.options.page
    rest = [Span(since=first.since, until=first.until, after=row_id(rows[-1]))] if more else []
    reading.note(f"backlog/{part}", write_spans([*rest, *others]))
    count(reading, Page(part=part, model=model, domain=domain, after=first.after, rows=len(rows)), more=more)
    if rest or others:
        reading.told_to(None, more=True)
    return rows


def _postpone(reading: Reading, part: str, since: datetime) -> None:
    span = Span(since=since, until=reading.began_at.replace(microsecond=0) - reading.options.overlap)
    if span.since < span.until:
        spans = [*read_spans(reading.marks.get(f"backlog/{part}")), span]
        reading.note(f"backlog/{part}", write_spans(spans))
