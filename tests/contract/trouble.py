"""The contract of whatever hands Events on (R24), under the modes of the Collector's own contract: ok, or in trouble.

told + refused = what there was; nothing is both; nothing comes twice, however often it was tried again. A Source is
polled by the loop that polls it in the service, into a store that has no room now and then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from exporter.clock import StepClock
from exporter.domain.events import Event
from exporter.errors import BadRecord, SourceDown, StoreFull
from exporter.loops.polling import Polling
from exporter.sources.polling import Poll, Source
from exporter.store.entries import Appended, Stored
from exporter.store.sqlite import SqliteStore
from tests.fakes.rows import START

Mode = Literal["ok", "transient", "permanent", "mixed"]
TENANT = "acme"
TROUBLES, STEPS = 15, 600
Name = tuple[str, int]  # model and id of a row


@dataclass
class Weather:
    """Passing trouble: some of the first calls fail, then none does.

    Attributes:
        left: how many still fail; `met`: how many did.
    """

    random: Random
    left: int = 0
    met: int = 0

    def may_fail(self, *kinds: Callable[[str], Exception]) -> None:
        """Raise one of these, or nothing."""
        if self.left and self.random.random() < 0.3:
            self.left -= 1
            self.met += 1
            raise self.random.choice(kinds)("passing trouble")


def outage(words: str) -> Exception:
    """Of a call: nobody answers."""
    return SourceDown(words)


def nonsense(words: str) -> Exception:
    """Of a call: somebody else answers."""
    return BadRecord(words)


@dataclass
class Stormy:
    """An Inbox that has no room now and then; it counts what came twice."""

    store: SqliteStore
    weather: Weather
    repeated: int = 0

    def append(self, tenant: str, events: Sequence[Event], *others: Any, **named: Any) -> Appended:
        """See Inbox."""
        self.weather.may_fail(StoreFull)
        found = self.store.append(tenant, events, *others, **named)
        self.repeated += found.repeated
        return found

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """See Inbox."""
        return self.store.marks(tenant, source)


@dataclass
class Watched:
    """A Source of which is remembered what it refused."""

    source: Source
    refused: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """See Source."""
        return self.source.name

    def poll(self, marks: Mapping[str, str]) -> Poll:
        """See Source."""
        found = self.source.poll(marks)
        self.refused |= {row.row for row in found.refused}
        return found


@dataclass(frozen=True)
class Found:
    """What a check ended with: the Events of the store, and the rows that were refused."""

    events: list[Event]
    refused: set[str]


def drain(source: Source, store: SqliteStore, weather: Weather) -> Found:
    """Poll until nothing is left and no trouble comes any more; nothing may be told twice meanwhile."""
    watched, inbox = Watched(source), Stormy(store, weather)
    polling = Polling(TENANT, watched, inbox, store, StepClock(START), lambda: None)  # type: ignore[arg-type]
    for _ in range(STEPS):
        try:
            more = polling.step()
        except StoreFull:
            continue
        if not more and not polling.failing and not weather.left:
            break
    else:
        raise AssertionError(f"{source.name} is not drained after {STEPS} polls")
    told = [one.event for one in store.read(TENANT, 0, 100_000) if isinstance(one, Stored)]
    events = [event for event in told if event.name not in {"source.read", "odoo.sight.changed"}]
    assert len({event.key for event in events}) == len(events)
    assert inbox.repeated == 0, "something was handed out again"
    return Found(events=events, refused=watched.refused)


def holds(told: set[Name], refused: set[Name], rows: set[Name], bad: set[Name]) -> None:
    """Hold the result against the contract: `bad` are those of the rows that cannot be told."""
    assert told.isdisjoint(refused), "something is both"
    assert told | refused == rows, "something is neither told nor refused"
    assert refused == bad
