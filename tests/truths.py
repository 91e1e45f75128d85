"""What really happened, thrown by hypothesis, and what a poller that looks now and then sees of it.

A truth is built as Odoo would have written it: versions of rows, each visible from its commit until the next one
(facts: /docs/events.md and the order of commits in Odoo 19). `polled` turns it into the Events of polls.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import floor

from hypothesis import strategies as st

from exporter.domain.events import Event
from exporter.domain.runs import Result
from tests.worlds import BILL, PO, SOURCES, Review, Row, at, counted, document, gone, job, moved, posted, read

COMMIT = 0.005  # seconds between the last progress row and ir.cron
POLL = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One version of a row: visible from `shown` until before `until`; `make` is the Event of a poll at a time."""

    shown: float
    make: Callable[[float], Event]
    until: float | None = None


@dataclass(slots=True)
class Truth:
    """What happened: facts, and the results that the fold should find, by subject."""

    facts: list[Fact] = field(default_factory=list)
    results: dict[str, list[Result]] = field(default_factory=dict)
    end: float = 0.0

    def add(self, shown: float, make: Callable[[float], Event], until: float | None = None) -> None:
        """One more fact."""
        self.facts.append(Fact(shown=shown, make=make, until=until))
        self.end = max(self.end, shown, until or shown)

    def joined(self, other: "Truth") -> "Truth":
        """Both."""
        return Truth(
            facts=[*self.facts, *other.facts], results=self.results | other.results, end=max(self.end, other.end)
        )


def polled(truth: Truth, times: Iterable[float]) -> list[list[Event]]:
    """The Events of each poll: every version that stands when it looks and was not told before."""
    told: set[int] = set()
    polls = []
    for time in times:
        here = [f for f in truth.facts if f.shown <= time and (f.until is None or f.until > time) and id(f) not in told]
        told |= {id(f) for f in here}
        polls.append([f.make(time) for f in here])
    return polls


def times(truth: Truth, every: float = POLL) -> list[float]:
    """Regular polls from before the truth until well behind it."""
    return [n * every for n in range(int((truth.end + 90) / every) + 2)]


def marked(polls: Sequence[Sequence[Event]], moments: Sequence[float]) -> list[list[Event]]:
    """Polls with the Sources' marks behind them."""
    return [[*events, *(read(s, time) for s in SOURCES)] for events, time in zip(polls, moments, strict=True)]


Change = tuple[float, float, float, float]  # when ir.cron was written, lastcall, failure_count, nextcall
CronKind = st.sampled_from(["success", "success", "failure", "partial", "error", "unknown"])


@st.composite
def crons(draw: st.DrawFn, *, least: float = 2.0, killed: bool = True) -> Truth:
    """Runs of one action, at least `least` seconds apart; `killed`: some died before ir.cron counted them."""
    truth, time, failures, row, stuck = Truth(), 5.0, 0, 0, 0
    changes: list[Change] = [(0.0, -60.0, 0, draw(st.integers(0, 50)))]
    results: list[Result] = []
    for wanted in draw(st.lists(CronKind, min_size=1, max_size=7)):
        kind: Result = wanted if killed or wanted != "unknown" else "success"  # type: ignore[assignment]
        kind = "success" if kind == "error" and stuck >= 2 else kind
        start = time
        for last, seconds in _batches(draw):
            row += 1
            time = _row(truth, row, (time, time + seconds), stuck + 1, (kind, last))
        stuck = stuck + 1 if kind == "error" else 0
        failures = failures + 1 if kind == "failure" else failures if kind in {"error", "unknown"} else 0
        if kind not in {"error", "unknown"}:
            called, due = (floor(start), _next(changes[-1][3], start)) if kind != "partial" else changes[-1][1::2]
            changes.append((time + COMMIT, called, failures, due))
        results.append(kind)
        time += least + draw(st.integers(0, 120_000)) / 1000
    _reads(truth, changes)
    truth.results["cron/42"] = _last_crash_is_open(results)
    return truth


def _batches(draw: st.DrawFn) -> list[tuple[bool, float]]:
    """(is the last one, seconds) of each loop iteration."""
    number = draw(st.integers(1, 3))
    return [(n == number - 1, draw(st.integers(0, 40_000)) / 1000) for n in range(number)]


def _row(truth: Truth, number: int, when: tuple[float, float], counter: int, what: tuple[Result, bool]) -> float:
    start, end = when
    kind, last = what
    partial = kind == "partial" or not last
    row = Row(
        number=number,
        start=floor(start),
        end=floor(end),
        done=5,
        remaining=5 if partial else 0,
        counter=counter,
    )
    if kind == "error" and last:
        truth.add(start, row.started)
        return start
    truth.add(start, row.started, until=end)
    truth.add(end, row.ended)
    return end + 0.004


def _next(due: float, start: float) -> float:
    """`nextcall` behind a run: it moves on only if it was due (ir_cron.py, _reschedule_later)."""
    while due <= start:
        due += 60
    return due


def _reads(truth: Truth, changes: Sequence[Change]) -> None:
    for place, (shown, *values) in enumerate(changes):
        until = changes[place + 1][0] if place + 1 < len(changes) else None
        truth.add(shown, _read(*values), until)


def _read(lastcall: float, failures: float, due: float) -> Callable[[float], Event]:
    return lambda poll: counted(poll, lastcall, int(failures), nextcall=due, interval=1)


def _last_crash_is_open(results: list[Result]) -> list[Result]:
    """A run that crashed is told when the next one begins."""
    return results[:-1] if results[-1] == "error" else results


@st.composite
def jobs(draw: st.DrawFn, number: int = 7, *, least: float = 0.0) -> Truth:
    """The episodes of one job; states stand for at least `least` seconds."""
    truth, versions, results = Truth(), _Versions(number=number, least=least, draw=draw), []
    for place in range(draw(st.integers(1, 3))):
        outcome = draw(st.sampled_from(["success", "success", "failure", "cancellation"]))
        versions.waits(again=place > 0)
        if outcome == "cancellation":
            versions.cancelled()
        else:
            versions.attempts(draw(st.integers(1, 3)), outcome)
        results.append(outcome)
    for place, (shown, make) in enumerate(versions.found):
        until = versions.found[place + 1][0] if place + 1 < len(versions.found) else None
        truth.add(shown, make, until)
    for place, posting in enumerate(versions.messages):
        for shown in versions.messages[place:]:  # messages are read when the job is seen failed, all of them
            until = next((later for later, _ in versions.found if later > shown), None)
            truth.add(shown, _message(number, floor(posting)), until)
    truth.results[f"job/{number}"] = results
    return truth


def _message(number: int, date: int) -> Callable[[float], Event]:
    return lambda poll: posted(date, number, seen=poll)


@dataclass(slots=True)
class _Versions:
    """The versions of a job's row as Odoo writes them (order of commits, B)."""

    number: int
    least: float
    draw: st.DrawFn
    time: float = 3.0
    found: list[tuple[float, Callable[[float], Event]]] = field(default_factory=list)
    messages: list[float] = field(default_factory=list)

    def _later(self) -> float:
        self.time += self.least + self.draw(st.integers(0, 60_000)) / 1000 + 0.01
        return self.time

    def _add(self, state: str, retry: int = 0, **dates: float | None) -> None:
        number, created = self.number, 3.0
        shown = {name: None if value is None else float(floor(value)) for name, value in dates.items()}
        if "exec_time" in dates:
            shown["exec_time"] = dates["exec_time"]
        self.found.append((self.time, lambda poll: job(poll, state, retry, number=number, created=created, **shown)))

    def waits(self, *, again: bool) -> None:
        """Created, or requeued."""
        if again:
            self._later()
        self._add("pending")

    def cancelled(self) -> None:
        """By a person, before it ran."""
        self._add("cancelled", cancelled=self._later())

    def attempts(self, number: int, outcome: str) -> None:
        """Attempts that are retried, and the last one."""
        for retry in range(number):
            queued = self._later()
            self._add("enqueued", retry, enqueued=queued)
            started = self._later()
            self._add("started", retry, enqueued=queued, started=started)
            ended = self._later()
            if retry < number - 1:
                self._add("pending", retry + 1, eta=ended + 10)
            elif outcome == "success":
                spent = ended - floor(started)
                self._add("done", retry + 1, enqueued=queued, started=started, done=ended, exec_time=spent)
            else:
                self._add("failed", retry + 1, enqueued=queued, started=started)
                self.messages.append(ended)


_NEXT = {
    "draft": ["sent", "to approve", "purchase", "cancel"],
    "sent": ["to approve", "purchase", "cancel"],
    "to approve": ["purchase", "cancel"],
    "purchase": ["cancel"],
    "cancel": ["draft"],
}


@st.composite
def purchases(draw: st.DrawFn, record: int = PO[1], *, least: float = 1.0, most: float = 200.0) -> Truth:
    """A purchase that is moved through its states, and reviews that are asked while it is a draft.

    Its changes are `least` to `least` + `most` seconds apart.
    """
    truth, of, time, state = Truth(), (PO[0], record), 1.0, "draft"
    results: list[Result] = []
    truth.add(0.5, lambda _: document(0, "draft", of))
    for number in range(draw(st.integers(1, 6))):
        if state == "draft" and draw(st.booleans()):
            time = _round(draw, truth, of, time)
        time += least + draw(st.integers(0, int(most * 1000))) / 1000
        following = draw(st.sampled_from(_NEXT[state]))
        truth.add(time, _moved(floor(time), (state, following), number + record * 100, of))
        state = following
        results += ["success"] if state == "purchase" else ["cancellation"] if state == "cancel" else []
    truth.results[f"record/{PO[0]}/{record}"] = results
    return truth


def _moved(when: float, states: tuple[str, str], number: int, of: tuple[str, int]) -> Callable[[float], Event]:
    return lambda poll: replace(moved(when, *states, number, of), seen=at(poll))


def _round(draw: st.DrawFn, truth: Truth, of: tuple[str, int], time: float) -> float:
    """Two tiers, decided one after the other or deleted by a restart; returns when it is over."""
    time += 2 + draw(st.integers(0, 60_000)) / 1000
    first = of[1] * 10_000 + int(time * 2)
    reviews = [Review(number=first + tier, asked=floor(time), tier=tier + 1, of=of) for tier in range(2)]
    restarted = draw(st.booleans())
    shown = time
    for place, review in enumerate(reviews):
        decided = time + 1 + draw(st.integers(0, 60_000)) / 1000
        if restarted and place:
            _asked(truth, review, shown, decided)
            truth.add(decided, review.vanished)
        else:
            _asked(truth, review, shown, decided)
            truth.add(decided, _decided(review, floor(decided)))
        time = decided
    return time + 1


def _asked(truth: Truth, review: Review, shown: float, until: float) -> None:
    truth.add(shown, lambda poll: replace(review.requested(), seen=at(poll)), until=until)


def _decided(review: Review, when: float) -> Callable[[float], Event]:
    return lambda poll: replace(review.decided(when), seen=at(poll))


@st.composite
def bills(draw: st.DrawFn) -> Truth:
    """Rounds of reviews of a document whose states nobody follows, a minute apart."""
    truth, time = Truth(), 1.0
    for _ in range(draw(st.integers(1, 3))):
        time = _round(draw, truth, BILL, time) + 60
    return truth


@st.composite
def companies(draw: st.DrawFn) -> Truth:
    """Something of everything."""
    return draw(crons()).joined(draw(jobs())).joined(draw(purchases())).joined(draw(bills()))


__all__ = ["Truth", "bills", "companies", "crons", "gone", "jobs", "marked", "polled", "purchases", "times"]
