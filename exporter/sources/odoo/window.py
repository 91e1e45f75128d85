"""Mutable tables read by a date (write_date, date_done): an overlap window for the present, spans for the past.

A statement may write more rows than one poll should read (a module update): then the window becomes a span, too, and is
read page by page, at once and again when all that began in it has committed. The next window begins behind it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exporter.sources.odoo.counting import Page, count
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import row_id, stamp
from exporter.sources.odoo.tail import Span, read_spans, write_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What of a model is read in every poll: which fields, of which rows; those that are so `always`, of any date."""

    fields: Sequence[str]
    only: Domain = ()
    always: Domain = ()

    def since(self, at: datetime) -> Domain:
        """What was written since then."""
        either = ("|", *self.always) if self.always else ()
        return [*self.only, *either, ["write_date", ">=", stamp(at)]]


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
        _postpone(reading, part, Span(since=now - timedelta(days=reading.options.history_days), until=now - overlap))
        return now - overlap
    since = min(from_second(mark), now) - overlap
    if now - overlap - since > reading.options.outage:
        _postpone(reading, part, Span(since=since, until=now - overlap))
        return now - overlap
    spans = read_spans(reading.marks.get(f"backlog/{part}"))
    # One that ends later than now was made before the clock was set back, and hides nothing.
    return max([since, *(span.until for span in spans if span.looks and span.until <= now)])


def live_rows(reading: Reading, part: str, model: str, live: Live) -> list[Row]:
    """The rows of the window; where they are more than some pages none but those that are read always."""
    since, room = live_since(reading, part), reading.options.pages * reading.options.page
    found: list[Row] = []
    for row in reading.pages(model, live.since(since), live.fields):
        found.append(row)
        room -= str(row.get("write_date")) >= stamp(since)
        if room < 0:
            now = reading.began_at.replace(microsecond=0)
            _postpone(reading, part, Span(since=since, until=now, looks=2))
            reading.told_to(None, more=False)  # what there is more of is said where it is read
            return list(reading.pages(model, [*live.only, *live.always], live.fields)) if live.always else []
    return found


def live_done(reading: Reading, part: str) -> None:
    """The window was read whole: the next one begins here."""
    reading.note(f"since/{part}", str(second(reading.began_at)))


def page_of_the_past(reading: Reading, part: str, model: str, past: Past) -> list[Row]:
    """The next page of the backlog, and go on behind it; nothing when all of it is read, or has to wait."""
    spans = read_spans(reading.marks.get(f"backlog/{part}"))
    over = reading.began_at - reading.options.overlap
    ready = [span for span in spans if span.looks != 1 or span.until <= over]
    if not ready:
        return []
    first, waiting = ready[0], [span for span in spans if span not in ready]
    domain = past.wanted(first)
    rows = reading.page(model, domain, past.fields, after=first.after)
    more = len(rows) >= reading.options.page
    rest = [replace(first, after=row_id(rows[-1]))] if more else []
    again = [replace(first, after=0, looks=1)] if first.looks > 1 and not more else []
    reading.note(f"backlog/{part}", write_spans([*rest, *ready[1:], *waiting, *again]))
    if not first.looks:
        count(reading, Page(part=part, model=model, domain=domain, after=first.after, rows=len(rows)), more=more)
    if rest or ready[1:]:
        reading.told_to(None, more=True)
    return rows


def _postpone(reading: Reading, part: str, span: Span) -> None:
    """To the end of the backlog; what is new, to its begin."""
    if span.since < span.until:
        spans = read_spans(reading.marks.get(f"backlog/{part}"))
        reading.note(f"backlog/{part}", write_spans([span, *spans] if span.looks else [*spans, span]))
