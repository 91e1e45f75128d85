"""The Sources of a simulated company: `odoo/crons`, `odoo/jobs`, `odoo/approvals`, polled like any other.

A real poller sees what stands at the moment it reads. To make facts independent of when we poll, reading happens at
fixed moments: every 15 simulated seconds. A poll hands out what the readings since the last one saw, at most a chunk.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.domain.events import Event
from exporter.domain.times import SECOND, from_micros, micros
from exporter.errors import SourceDown
from exporter.sources.polling import Poll
from exporter.sources.simulator.company import COLLECTIONS, Company
from exporter.sources.simulator.facts import Fact

READING = 15 * SECOND
MARK = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSource:
    """One collection of the company.

    Attributes:
        name: one of company.COLLECTIONS.
        now: the simulated clock; nothing later is ever handed out.
        chunk: how much simulated time one poll hands out at most.
    """

    name: str
    company: Company
    now: Callable[[], datetime]
    chunk: timedelta = timedelta(hours=6)

    def poll(self, marks: Mapping[str, str]) -> Poll:
        """What the readings behind the mark saw; `began_at` is the last of them, so a backlog catches up in order.

        Raises:
            SourceDown: the marks are of another company.
        """
        after = _read_until(marks, self.company)
        newest = micros(self.now()) // READING * READING
        until = max(after, min(newest, after + self.chunk // timedelta(microseconds=1)))
        events = [self._event(fact) for fact in self.company.facts(self.name, after, until) if _is_seen(fact)]
        return Poll(
            began_at=from_micros(until),
            events=tuple(sorted(events, key=lambda event: event.seen)),
            mark_changes={MARK: _mark(self.company, until)},
            more=until < newest,
            read_until=from_micros(until),
        )

    def _event(self, fact: Fact) -> Event:
        read = _reading(fact.shown)
        return Event(
            source=self.name,
            key=f"0/{self.name}/{fact.key}",
            name=fact.name,
            at=from_micros(read if fact.at is None else fact.at),
            seen=from_micros(read),
            body=fact.body,
        )


def simulated_sources(company: Company, now: Callable[[], datetime]) -> tuple[SimulatedSource, ...]:
    """The company's Sources, to be polled like real ones."""
    return tuple(SimulatedSource(name=name, company=company, now=now) for name in COLLECTIONS)


def _reading(at: int) -> int:
    """The first reading that sees what was committed at a moment."""
    return -(-at // READING) * READING


def _is_seen(fact: Fact) -> bool:
    """Whether the row still stood like that when it was read."""
    return fact.gone is None or fact.gone > _reading(fact.shown)


def resumed(marks: Mapping[str, str]) -> tuple[Company, datetime] | None:
    """The company that the marks of one Source were made with and how far it was read; None where there are none."""
    if MARK not in marks:
        return None
    mark = json.loads(marks[MARK])
    company = Company(seed=mark["seed"], live=from_micros(mark["live"]), days=mark["days"], zone=mark["zone"])
    return company, from_micros(mark["until"])


def _mark(company: Company, until: int) -> str:
    named = {"seed": company.seed, "live": micros(company.live), "days": company.days, "zone": company.zone}
    return json.dumps({"until": until, **named})


def _read_until(marks: Mapping[str, str], company: Company) -> int:
    """Up to where the facts were handed out; before the first poll: nothing."""
    before = resumed(marks)
    if before is None:
        return _reading(micros(company.start)) - READING
    known, until = before
    if known != company:
        raise SourceDown("This state directory belongs to another simulated company: delete it or choose another one.")
    return micros(until)
