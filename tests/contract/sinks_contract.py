"""The contract of a Sink (R24), for any Sink: run by a sending lane against a server that is ok, or has trouble.

delivered + rejected = sent; nothing is both; nothing arrives twice but by a re-send whose first answer was unclear; the
copies of a re-send are byte-identical; the order of rows that share a Resource is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from exporter.clock import StepClock
from exporter.loops.lane import Lane, LaneOptions
from exporter.loops.limits import Backoff
from exporter.sinks import Sink
from exporter.store.entries import OutboxRow
from exporter.store.protocols import Outbox
from tests.fakes import collector as answers
from tests.fakes.collector import Behaviour, FakeCollector
from tests.fakes.rows import START, span_id

Mode = Literal["ok", "transient", "permanent", "mixed"]
STEPS = 2_000


@dataclass(frozen=True)
class Subjects:
    """What is put together for one check: the Sink, the server it speaks to, and an outbox already holding `rows`."""

    sink: Sink
    server: FakeCollector
    outbox: Outbox
    rows: Sequence[OutboxRow]
    troubles: Sequence[Behaviour]


TROUBLES: Sequence[Behaviour] = (
    answers.status(429, Retry_After="1"),
    answers.status(503),
    answers.status(500),
    answers.status(404),
    answers.redirect(),
    answers.garbage(),
    answers.reset(stores=True),
    answers.reset(),
    answers.ok(),
)
HALF = answers.half(stores=True)  # an answer that is cut in the middle is HTTP's own


def troubles(random: Random, count: int, kinds: Sequence[Behaviour]) -> list[Behaviour]:
    """Some passing troubles: in some the server had stored the rows before it failed to say so."""
    return [random.choice(kinds) for _ in range(count)]


def check_sink(subjects: Subjects, mode: Mode, seed: int) -> None:
    """Send everything under a mode, then hold the result against the contract."""
    random = Random(seed)
    if mode in {"transient", "mixed"}:
        subjects.server.will(*troubles(random, 40, subjects.troubles))
    if mode in {"permanent", "mixed"}:
        subjects.server.poison |= {span_id(n + 1) for n in random.sample(range(len(subjects.rows)), 12)}
    _drain(subjects)
    _holds(subjects, mode)


def _drain(subjects: Subjects) -> None:
    clock = StepClock(START)
    backoff = Backoff(random=lambda: 1.0)
    lane = Lane("traces", subjects.outbox, subjects.sink, clock=clock, options=LaneOptions(rows=50), backoff=backoff)
    for _ in range(STEPS):
        clock.step(lane.step().seconds)
        if not subjects.outbox.pending("traces", 1):
            assert lane.state.delivered + lane.state.rejected == len(subjects.rows)
            assert lane.state.rejected == len(subjects.server.poison)
            return
    raise AssertionError(f"not drained after {STEPS} steps: {lane.state}")


def _holds(subjects: Subjects, mode: Mode) -> None:
    server, count = subjects.server, len(subjects.rows)
    sent = {span_id(n) for n in range(1, count + 1)}
    stored = set(server.stored)
    assert stored | server.poison == sent, "something is neither delivered nor rejected"
    assert server.differing() == [], "a re-send had other bytes"
    assert {raw for copies in server.seen.values() for raw in copies} == {row.body for row in subjects.rows}
    if mode in {"ok", "permanent"}:
        assert stored.isdisjoint(server.poison), "something is both"
        assert all(len(copies) == 1 for copies in server.stored.values()), "something arrived twice"
    for context in {row.context for row in subjects.rows}:
        mine = [span_id(n) for n, row in enumerate(subjects.rows, 1) if row.context == context]
        assert [key for key in server.order if key in set(mine)] == [key for key in mine if key in stored]
