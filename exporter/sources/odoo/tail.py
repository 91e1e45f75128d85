"""Append-only tables (facts/odoo.md section 7): read by id, held open for late commits, each row told once.

A row takes its id when it is inserted and shows when its transaction commits: a lower id can appear after a higher one.
`low` therefore follows only rows that are two overlaps old: their own transaction began before now - 2W, so they were
inserted before now - W, and whatever took a lower id before them has committed, if no transaction lasts longer than W.

Every page begins with rows that were told, so that it is seen when they are not there any more: somebody deleted them,
or the database was restored. Only then do ids come again, with a row that was made later than all that was told.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """How far one append-only table was read.

    Attributes:
        low: every id up to here is settled; it is asked for again, those below it never are.
        reached: while a backlog is read, where its next page begins; 0 when there is none.
        seen: ids above `low` that were told.
        newest: the second in which the newest row was made when all was read last; 0: it never was.
        coming: the same of what was read since.
        lost: the highest id that was told and is not there any more, 0 for none; `lost_at`: `newest` at that time.
        begins: `newest` each time ids came again: what was made later is of another epoch.
    """

    low: int = 0
    reached: int = 0
    seen: frozenset[int] = field(default_factory=frozenset)
    newest: int = 0
    coming: int = 0
    lost: int = 0
    lost_at: int = 0
    begins: tuple[int, ...] = ()

    def epoch(self, made: int) -> int:
        """How often ids had come again when a row was made; one that a backup brings back keeps its epoch."""
        return sum(made > begin for begin in self.begins)

    @property
    def after(self) -> int:
        """Read ids above this one: the lowest that is read is one that was told."""
        return max(self.low - 1, self.reached, 0)

    def has(self, one: int) -> bool:
        """Whether a row that was read was told before."""
        return one <= self.low or one in self.seen

    def told(self, ids: Iterable[int]) -> "Tail":
        """The same, with these ids told."""
        return replace(self, seen=self.seen.union(one for one in ids if one > self.low))

    def read(self, page: Iterable[tuple[int, datetime]], *, reached: int, now: datetime, overlap: timedelta) -> "Tail":
        """After a page of (id, create_date).

        Args:
            page: what was read.
            reached: the page's last id when more rows stand behind it, else 0.
            now: the server's time before the page was read.
            overlap: the longest transaction.
        """
        rows = list(page)
        low = max([self.low, *(one for one, created in rows if created < now - 2 * overlap)])
        coming = max([self.newest, self.coming, *(int(created.timestamp()) for _, created in rows)])
        seen = frozenset(one for one in self.seen if one > low)
        return replace(
            self, low=low, reached=reached, seen=seen, coming=coming, newest=self.newest if reached else coming
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Rows that were read behind a Tail.

    Attributes:
        rows: id -> the second in which it was made.
        until: the last id of a page that is full; 0: what is behind the Tail was read to its end.
        watched: the same of other rows that were told: they are read whatever their id.
    """

    rows: Mapping[int, int]
    until: int = 0
    watched: Mapping[int, int] = field(default_factory=dict)


def checked(tail: Tail, page: Shown, newest_before: Callable[[int], int]) -> Tail:
    """The Tail as it has to be for a page: another one where rows are not there any more.

    While one told row is there, ids go on behind it. Where none is, reading begins behind the newest one left. A told
    id whose row was made later than all that was told has come again, as those above it: they begin an epoch.
    `newest_before` says the highest id of a row that was made up to a second, 0 without one.
    """
    known = {one for one in {tail.low, *tail.seen} if one > tail.after} | page.watched.keys()
    here = {one for one in known if one <= (page.until or one)}
    again = {one for one, made in page.rows.items() if _comes_again(tail, page, one, made)}
    alive, gone = here & page.rows.keys() - again, here - page.rows.keys()
    if not tail.newest or not (again or gone):
        return tail
    low = tail.low
    if here and not tail.reached and not any(one >= low for one in alive):
        low = min(low, newest_before(tail.newest))
    seen = frozenset(one for one in tail.seen - again - gone if one > low)
    if again:
        begins = (*tail.begins, tail.lost_at or tail.newest)
        return replace(tail, low=low, seen=seen, lost=0, lost_at=0, begins=begins)
    lost_at = min(tail.lost_at or tail.newest, tail.newest)
    return replace(tail, low=low, seen=seen, lost=max(tail.lost, *gone), lost_at=lost_at)


def _comes_again(tail: Tail, page: Shown, one: int, made: int) -> bool:
    if one in page.watched:
        return made != page.watched[one]
    if tail.has(one) and one > tail.after:
        return made > tail.newest
    return one <= tail.lost and made > tail.lost_at


def write_tail(tail: Tail) -> str:
    """As a mark: `seen` as ranges, which stay short when ids follow one another."""
    times = (tail.newest, tail.coming, tail.lost, tail.lost_at, *tail.begins)
    return " ".join([str(tail.low), str(tail.reached), _ranges(sorted(tail.seen)), *map(str, times)])


def read_tail(mark: str | None) -> Tail:
    """From a mark, also one that an earlier version wrote; a new Tail when there is none."""
    if not mark:
        return Tail()
    low, reached, ranges, *others = mark.split(" ")
    newest, coming, lost, lost_at, *begins = map(int, others or (0, 0, 0, 0))
    return Tail(
        low=int(low),
        reached=int(reached),
        seen=frozenset(_ids(ranges)),
        newest=newest,
        coming=coming,
        lost=lost,
        lost_at=lost_at,
        begins=tuple(begins),
    )


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
