"""Append-only tables (facts/odoo.md section 7): read by id, held open for late commits, each row told once.

A row takes its id when it is inserted and shows when its transaction commits: a lower id can appear after a higher one.
`low` therefore follows only rows that are two overlaps old: their own transaction began before now - 2W, so they were
inserted before now - W, and whatever took a lower id before them has committed, if no transaction lasts longer than W.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """How far one append-only table was read.

    Attributes:
        low: every id up to here is settled and never asked for again.
        reached: while a backlog is read, where its next page begins; 0 when there is none.
        seen: ids above `low` that were told.
    """

    low: int = 0
    reached: int = 0
    seen: frozenset[int] = field(default_factory=frozenset)

    @property
    def after(self) -> int:
        """Read ids above this one."""
        return max(self.low, self.reached)

    def told(self, ids: Iterable[int]) -> "Tail":
        """The same, with these ids told."""
        new = frozenset(one for one in ids if one > self.low)
        return Tail(low=self.low, reached=self.reached, seen=self.seen | new)

    def read(self, page: Iterable[tuple[int, datetime]], *, reached: int, now: datetime, overlap: timedelta) -> "Tail":
        """After a page of (id, create_date).

        Args:
            page: what was read.
            reached: the page's last id when more rows stand behind it, else 0.
            now: the server's time before the page was read.
            overlap: the longest transaction.
        """
        low = max([self.low, *(one for one, created in page if created < now - 2 * overlap)])
        return Tail(low=low, reached=reached, seen=frozenset(one for one in self.seen if one > low))


def write_tail(tail: Tail) -> str:
    """As a mark: `seen` as ranges, which stay short when ids follow one another."""
    return f"{tail.low} {tail.reached} {_ranges(sorted(tail.seen))}"


def read_tail(mark: str | None) -> Tail:
    """From a mark; a new Tail when there is none."""
    if not mark:
        return Tail()
    low, reached, ranges = mark.split(" ", 2)
    return Tail(low=int(low), reached=int(reached), seen=frozenset(_ids(ranges)))


def _ranges(ids: Sequence[int]) -> str:
    if not ids:
        return ""
    breaks = [behind for before, behind in pairwise(ids) if behind != before + 1]
    ends = [before for before, behind in pairwise(ids) if behind != before + 1]
    return ",".join(f"{first}-{last}" for first, last in zip([ids[0], *breaks], [*ends, ids[-1]], strict=True))


def _ids(ranges: str) -> Iterable[int]:
    for part in ranges.split(",") if ranges else ():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time not read yet: [since, until), its rows in order of id, those up to `after` are read."""

    since: datetime
    until: datetime
    after: int = 0


_SPANS = msgspec.json.Decoder(list[Span])


def write_spans(spans: Sequence[Span]) -> str | None:
    """As a mark; None (delete it) when nothing is left to read."""
    return msgspec.json.encode(spans).decode() if spans else None


def read_spans(mark: str | None) -> list[Span]:
    """From a mark."""
    return _SPANS.decode(mark) if mark else []
