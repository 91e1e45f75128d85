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
from itertools import chain, pairwise

import msgspec

MOST = 100  # spans of ids that are known as gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """How far one append-only table was read.

    Attributes:
        low: every id up to here is settled; it is asked for again, those below it never are.
        reached: while a backlog is read, where its next page begins; 0 when there is none.
        began: the second in which its first page was read; 0 when there is none.
        seen: ids above `low` that were told.
        newest: the second in which the newest row was made when all was read last; 0: it never was.
        coming: the same of what was read since.
        lost: ids that were told, or passed, and are not there any more; `lost_at`: `newest` when the last was seen so.
        begins: a second for each time ids came again: what was made later is of another epoch.
    """

    low: int = 0
    reached: int = 0
    began: int = 0
    seen: frozenset[int] = field(default_factory=frozenset)
    newest: int = 0
    coming: int = 0
    lost: tuple[range, ...] = ()
    lost_at: int = 0
    begins: tuple[int, ...] = ()

    def epoch(self, made: int) -> int:
        """How often ids had come again when a row was made; one that a backup brings back keeps its epoch."""
        return sum(made > begin for begin in self.begins)

    @property
    def after(self) -> int:
        """Read ids above this one: the lowest that is read is one that was told."""
        return max(self.low - 1, self.reached, 0)

    @property
    def highest(self) -> int:
        """The highest id that was told: those above it are new."""
        return max([self.low, *self.seen, *(span.stop for span in self.lost[-1:])])

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
        began = self.began or int(now.timestamp())
        # Not from now: what committed since then may stand before this page, however long ago it was inserted.
        settled = began - 2 * overlap.total_seconds()
        low = max([self.low, *(one for one, created in rows if created.timestamp() < settled)])
        coming = max([self.newest, self.coming, *(int(created.timestamp()) for _, created in rows)])
        seen = frozenset(one for one in self.seen if one > low)
        newest, began = (self.newest, began) if reached else (coming, 0)
        return replace(self, low=low, reached=reached, began=began, seen=seen, coming=coming, newest=newest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Rows that were read behind a Tail.

    Attributes:
        rows: of those that may have been told, id -> the second in which it was made.
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
        # As late as can be: what was told keeps its epoch, and what came again was made later.
        began = max(tail.lost_at, min(tail.newest, min(page.rows[one] for one in again) - 1))
        return replace(tail, low=low, seen=seen, lost=(), lost_at=0, begins=(*tail.begins, began))
    lost = joined([*tail.lost, *(range(one, one + 1) for one in gone), range(low + 1, tail.low + 1)])
    return replace(tail, low=low, seen=seen, lost=lost, lost_at=tail.newest)


def joined(spans: Iterable[range]) -> tuple[range, ...]:
    """The same ids in as few spans as they need; of more than MOST the lowest are taken for one."""
    found: list[range] = []
    for span in sorted((one for one in spans if one), key=lambda one: (one.start, one.stop)):
        if found and span.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, span.stop))
        else:
            found.append(span)
    many = found[: max(len(found) - MOST + 1, 0)]
    return tuple([range(many[0].start, many[-1].stop), *found[len(many) :]] if many else found)


def _comes_again(tail: Tail, page: Shown, one: int, made: int) -> bool:
    if one in page.watched:
        return made != page.watched[one]
    if tail.has(one) and one > tail.after:
        return made > tail.newest
    return made > tail.lost_at and any(one in span for span in tail.lost)


def write_tail(tail: Tail) -> str:
    """As a mark: `seen` as ranges, which stay short when ids follow one another."""
    lost = ",".join(f"{span.start}-{span.stop - 1}" for span in tail.lost) or "0"
    times = (tail.newest, tail.coming, lost, tail.lost_at, *tail.begins)
    reached = f"{tail.reached}/{tail.began}" if tail.reached else "0"
    return " ".join([str(tail.low), reached, _ranges(sorted(tail.seen)), *map(str, times)])


def read_tail(mark: str | None) -> Tail:
    """From a mark, also one that an earlier version wrote; a new Tail when there is none."""
    if not mark:
        return Tail()
    low, where, ranges, *others = mark.split(" ")
    reached, _, began = where.partition("/")
    newest, coming, lost, lost_at, *begins = others or ("0", "0", "0", "0")
    return Tail(
        low=int(low),
        reached=int(reached),
        began=int(began or "0"),
        seen=frozenset(_ids(ranges)),
        newest=int(newest),
        coming=int(coming),
        lost=joined(_spans(lost)) if lost != "0" else (),
        lost_at=int(lost_at),
        begins=tuple(map(int, begins)),
    )


def _ranges(ids: Sequence[int]) -> str:
    if not ids:
        return ""
    breaks = [behind for before, behind in pairwise(ids) if behind != before + 1]
    ends = [before for before, behind in pairwise(ids) if behind != before + 1]
    return ",".join(f"{first}-{last}" for first, last in zip([ids[0], *breaks], [*ends, ids[-1]], strict=True))


def _ids(ranges: str) -> Iterable[int]:
    return chain.from_iterable(_spans(ranges))


def _spans(ranges: str) -> Iterable[range]:
    for part in ranges.split(",") if ranges else ():
        first, _, last = part.partition("-")
        yield range(int(first), int(last or first) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time not read yet: [since, until), its rows in order of id, those up to `after` are read.

    `looks`, of what was too much for one poll while it was written: 2: it is read at once, and what began in it may
    still commit; 1: it is read once more when an overlap has passed since; 0, of all else: it was over before.
    """

    since: datetime
    until: datetime
    after: int = 0
    looks: int = 0


_SPANS = msgspec.json.Decoder(list[Span])


def write_spans(spans: Sequence[Span]) -> str | None:
    """As a mark; None (delete it) when nothing is left to read."""
    return msgspec.json.encode(spans).decode() if spans else None


def read_spans(mark: str | None) -> list[Span]:
    """From a mark."""
    return _SPANS.decode(mark) if mark else []
