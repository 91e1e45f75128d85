"""What is remembered of n8n between polls: how far ids were seen, the gaps, what is open, what is still to be read.

n8n has no "changed since", and executions finish out of order: the highest id alone says nothing (facts/n8n.md 7).

    epoch        how often n8n began again with its ids (another database)
    high         highest id seen and when, in seconds: "31 1795354440"
    gap/5-7      ids that nobody has shown yet, and since when: unsaved ones never come, others come late
    open/27      an execution that goes on, as it was told last: status, stopped, started (ms), workflow, mode
    todo/31      an execution whose details are to be read, and how often that was tried
    past/0       a walk back through what was there before, down to that id: n8n's own cursor
    behind       the last one that was asked for in turns, of more that go on than are listed
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from exporter.sources.n8n.rows import Listed

GRACE = timedelta(minutes=2)  # after which an id that never showed is given up
BLIND = timedelta(hours=1)  # the same where n8n does not list what is running
GAPS = 500  # gaps remembered at once; of more the oldest are given up
NONE = "-"


class Open(Struct, frozen=True, kw_only=True):
    """An execution that goes on, as it was told last; times in ms, 0 where there is none."""

    status: str
    stopped: int = 0
    started: int = 0
    workflow: str = ""
    mode: str = ""


class Marks:
    """The marks of one poll: as they were, changed in place."""

    def __init__(self, marks: dict[str, str]) -> None:
        self.marks = marks

    @property
    def epoch(self) -> str:
        """How often ids began again."""
        return self.marks.get("epoch", "0")

    @property
    def high(self) -> int:
        """The highest id that was seen; 0 before the first."""
        return int(self.marks.get("high", "0 0").partition(" ")[0])

    @property
    def high_at(self) -> datetime:
        """When it was."""
        return datetime.fromtimestamp(int(self.marks.get("high", "0 0").partition(" ")[2]), UTC)

    def rise(self, high: int, now: datetime) -> None:
        """Everything up to `high` was walked."""
        self.marks["high"] = f"{max(high, self.high)} {int(now.timestamp())}"

    def restart(self) -> None:
        """n8n began again with its ids: nothing that is remembered means anything any more."""
        epoch = int(self.epoch) + 1
        self.marks.clear()
        self.marks["epoch"] = str(epoch)

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges of ids that nobody has shown yet, in order."""
        return sorted(_range(key) for key in self.marks if key.startswith("gap/"))

    def misses(self, number: int) -> bool:
        """Whether an id is in a gap."""
        return any(low <= number <= high for low, high in self.gaps())

    def set_gaps(self, ranges: Iterator[tuple[int, int]], now: datetime, grace: timedelta = GRACE) -> None:
        """The ranges that are missing now: those known keep their age, those past `grace` are given up."""
        known = {_range(key): int(mark) for key, mark in self.marks.items() if key.startswith("gap/")}
        for low, high in known:
            del self.marks[f"gap/{low}-{high}"]
        second = int(now.timestamp())
        found: dict[tuple[int, int], int] = {}
        for low, high in ranges:
            since = min((age for of, age in known.items() if of[0] <= low and high <= of[1]), default=second)
            if second - since <= grace.total_seconds():
                found[low, high] = since
        for low, high in sorted(found)[-GAPS:]:
            self.marks[f"gap/{low}-{high}"] = str(found[low, high])

    def open(self) -> dict[int, Open]:
        """Every execution that goes on."""
        return {
            int(key.removeprefix("open/")): _open(mark) for key, mark in self.marks.items() if key.startswith("open/")
        }

    def set_open(self, row: Listed, started: datetime) -> None:
        """This is how it was told; `started` also for one that is queued."""
        words = (row.status, _ms(row.stopped_at), _ms(started), row.workflow_id or NONE, row.mode or NONE)
        self.marks[f"open/{row.number}"] = " ".join(map(str, words))

    def is_told(self, row: Listed) -> bool:
        """Whether an execution that goes on was told as it is."""
        before = self.marks.get(f"open/{row.number}")
        if before is None:
            return False
        known = _open(before)
        return known.status == row.status and (row.status != "waiting" or known.stopped == _ms(row.stopped_at))

    def todo(self) -> dict[int, int]:
        """Executions whose details are to be read, by id, and how often that was tried."""
        found = {int(key[5:]): int(mark) for key, mark in self.marks.items() if key.startswith("todo/")}
        return dict(sorted(found.items()))

    def set_todo(self, number: int, tries: int = 0) -> None:
        """Its details are to be read; one that is remembered keeps its count."""
        self.marks[f"todo/{number}"] = str(max(tries, int(self.marks.get(f"todo/{number}", "0"))))

    def set_in_turn(self, numbers: Sequence[int], most: int) -> None:
        """The details of some of these (ascending) are to be read: those behind the last, then from the first on."""
        last = int(self.marks.get("behind", "0"))
        turn = [*(one for one in numbers if one > last), *(one for one in numbers if one <= last)][: max(most, 0)]
        for number in turn:
            self.set_todo(number)
        if turn:
            self.marks["behind"] = str(turn[-1])

    def done(self, number: int) -> None:
        """It is over, or gone."""
        self.marks.pop(f"todo/{number}", None)
        self.marks.pop(f"open/{number}", None)

    def past(self) -> tuple[int, str] | None:
        """The newest walk back that is not at its end: down to which id, and the cursor."""
        found = [(int(key[5:]), mark) for key, mark in self.marks.items() if key.startswith("past/")]
        return max(found, default=None)

    def set_past(self, low: int, cursor: str | None) -> None:
        """Where the walk down to `low` goes on; None: it is over."""
        if cursor is None:
            self.marks.pop(f"past/{low}", None)
        else:
            self.marks[f"past/{low}"] = cursor


def missing(ranges: Iterator[tuple[int, int]], shown: set[int]) -> Iterator[tuple[int, int]]:
    """What is left of ranges of ids without those that were shown."""
    for low, high in ranges:
        start = low
        for number in sorted(one for one in shown if low <= one <= high):
            if number > start:
                yield start, number - 1
            start = number + 1
        if start <= high:
            yield start, high


def _range(key: str) -> tuple[int, int]:
    low, _, high = key.removeprefix("gap/").partition("-")
    return int(low), int(high)


def _open(mark: str) -> Open:
    status, stopped, started, workflow, mode = mark.split(" ", 4)
    return Open(
        status=status,
        stopped=int(stopped),
        started=int(started),
        workflow="" if workflow == NONE else workflow,
        mode="" if mode == NONE else mode,
    )


def _ms(at: datetime | None) -> int:
    return int(at.timestamp() * 1000) if at else 0
