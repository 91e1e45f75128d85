"""How much of the past is read: rows read of rows counted, kept as a mark of each part, so that it can be shown.

Odoo is asked how many rows there are once for each part: when the first page of its past turns out not to be its last.
Marks are kept with what was read, so after a kill the count goes on where the reading goes on.
"""

from dataclasses import dataclass

from exporter.domain.counted import COUNTED, Counted, read_counted, write_counted
from exporter.errors import SourceError
from exporter.sources.odoo.door import Domain
from exporter.sources.odoo.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a backlog: of which part, what was asked for (`after`: ids above this one), and how many rows came."""

    part: str
    model: str
    domain: Domain
    after: int
    rows: int


def count(reading: Reading, page: Page, *, more: bool) -> None:
    """Note how far a part is read once this page is; `more`: others stand behind it."""
    mark = f"{COUNTED}{page.part}"
    known = reading.marks.get(mark)
    if known is None and not more:
        return  # a past of one page needs no count
    counted = read_counted(known) if known else Counted(of=_rows(reading, page))
    if not counted.over:  # once only: what is read page by page after an outage is not counted again
        reading.note(mark, write_counted(counted.and_read(page.rows, more=more)))


def _rows(reading: Reading, page: Page) -> int:
    """How many rows there are in all; 0 where Odoo does not say so in time: nobody is held up by a count."""
    behind: Domain = [["id", ">", page.after]] if page.after else []
    try:
        found = reading.door.call(page.model, "search_count", domain=[*page.domain, *behind])
    except SourceError:
        return 0
    return found if isinstance(found, int) and found > page.rows else 0
