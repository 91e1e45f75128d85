"""How far the past of a database is read and folded after its first start: a bar on a terminal, else lines in the log.

A share is of rows that Odoo counted. What it was not asked to count (n8n) is named, and is in no share.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.loops.repeating import Repeating
from exporter.screen import Screen, bar
from exporter.store.protocols import FOLD, Reader

log = logging.getLogger(__name__)
LOOK = 1.0  # seconds between two looks
SAID = 300.0  # seconds after which a line is written, though no tenth is full
FEW = 1_000  # Events that wait to be folded while work goes on
ALMOST = 0.99  # of what is read whole, and not yet folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """How far the past of one database is read and folded.

    Attributes:
        read, of: rows read of rows counted, of every part that is longer than a page.
        uncounted: Sources of which more is to be read, nobody knows how much.
        reading: whether any part is not read whole.
        waiting: Events that are not folded yet.
    """

    database: str
    read: int
    of: int
    uncounted: tuple[str, ...]
    reading: bool
    waiting: int

    @property
    def over(self) -> bool:
        """Whether all of it is read and folded."""
        return not self.reading and self.waiting < FEW

    @property
    def part(self) -> float:
        """The share of what was counted, from 0 to 1; 1 only when nothing is left to do."""
        if self.over:
            return 1.0
        return min(self.read / self.of, ALMOST) if self.of else 0.0

    @property
    def words(self) -> str:
        """What the share is of."""
        rows = [f"{self.read:,} of {self.of:,} rows read"] if self.of else []
        more = [f"{name}: not counted" for name in self.uncounted]
        folding = [f"{self.waiting:,} events to fold"] if not self.reading and not self.over else []
        return f"history of {self.database}: {', '.join([*rows, *more, *folding])}"


def look(reader: Reader, database: str, expected: Collection[str]) -> Past | None:
    """How far it is; None until each of its Sources was asked once, because only then all that can be counted is."""
    reports = {report.source: report for report, _ in reader.reports(database)}
    if not set(expected) <= reports.keys():
        return None
    counted = reader.counted(database)
    known = {source for source, one in counted if one.of and not one.over}
    behind = (name for name, one in reports.items() if one.ok and one.read_until is None and name not in known)
    return Past(
        database=database,
        read=sum(one.read for _, one in counted if one.of),
        of=sum(one.of for _, one in counted),
        uncounted=(uncounted := tuple(behind)),
        reading=bool(uncounted) or any(not one.over for _, one in counted),
        waiting=reader.lag(database, FOLD)[0],
    )


@dataclass(slots=True, kw_only=True)
class Backfill:
    """Looks at every database until its past is over, and shows it.

    Attributes:
        expected: the names of the Sources of every database.
        screen: the terminal; None where there is none: then the log says it.
    """

    reader: Reader
    expected: Callable[[], Mapping[str, Collection[str]]]
    clock: Clock
    screen: Screen | None = None
    _over: set[str] = field(default_factory=set)
    _said: dict[str, tuple[int, float]] = field(default_factory=dict)

    def step(self) -> bool:
        """Look once; never at once again."""
        expected = self.expected()
        self._over &= expected.keys()  # who left and comes again is looked at again
        found = (look(self.reader, name, of) for name, of in expected.items() if name not in self._over)
        self._show([past for past in found if past is not None])
        return False

    def clear(self) -> None:
        """Show no bar any more."""
        if self.screen is not None:
            self.screen.show(())

    def _show(self, found: Iterable[Past]) -> None:
        """The bars of those whose past is not over; a past that never was longer than a page is not spoken of."""
        bars = []
        for past in found:
            if past.database not in self._said and not past.reading:
                self._over.add(past.database)
            elif past.over:
                self._over.add(past.database)
                log.info("%s: all of it", past.words, extra=_fields(past))
            else:
                self._say(past)
                bars.append(bar(past.part, past.words))
        if self.screen is not None:
            self.screen.show(bars)

    def _say(self, past: Past) -> None:
        """A line when another tenth is full, or after a while."""
        tenth, now = int(past.part * 10), self.clock.monotonic()
        before, at = self._said.get(past.database, (-1, 0.0))
        if tenth <= before and now - at < SAID:
            return
        self._said[past.database] = (max(tenth, before), now)
        if self.screen is None:
            log.info("%s, %.0f%%", past.words, 100 * past.part, extra=_fields(past))


def showing(
    reader: Reader, expected: Callable[[], Mapping[str, Collection[str]]], clock: Clock, screen: Screen | None
) -> Repeating:
    """The loop that looks now and then."""
    shown = Backfill(reader=reader, expected=expected, clock=clock, screen=screen)
    return Repeating("backfill", shown.step, clock, LOOK, last=shown.clear)


def _fields(past: Past) -> dict[str, object]:
    return {"database": past.database, "read": past.read, "of": past.of, "waiting": past.waiting}
