"""A door that keeps its calls apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from exporter.clock import StepClock
from exporter.sources.odoo.door import JSON, Domain, Row
from exporter.sources.odoo.throttle import Throttled

T0 = datetime(2026, 11, 25, tzinfo=UTC)


@dataclass(slots=True)
class Noting:
    """A door that notes when it was asked."""

    clock: StepClock
    asked: list[float] = field(default_factory=list)

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """Note it."""
        del model, method, named
        self.asked.append(self.clock.monotonic())
        return None

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """Note it."""
        del model, domain, fields, order, limit
        self.asked.append(self.clock.monotonic())
        return []

    def server_time(self) -> datetime:
        """The clock's."""
        return self.clock.now()

    def version(self) -> tuple[int, int]:
        """Any."""
        return 19, 0


def test_calls_are_kept_apart_evenly() -> None:
    """Request rates below 1/s: with 20 calls a minute the n-th call goes 3 n seconds later, the first at once."""
    clock = StepClock(T0)
    door = Noting(clock)
    throttled = Throttled(door, 20, clock)
    for number in range(4):
        _ = throttled.search_read("ir.cron", [], ["id"]) if number % 2 else throttled.call("ir.cron", "search_count")
    assert door.asked == [0, 3, 6, 9]


def test_a_pause_saves_nothing_up() -> None:
    """After a quiet minute calls go one by one again: a host that counts sees no burst."""
    clock = StepClock(T0)
    door = Noting(clock)
    throttled = Throttled(door, 60, clock)
    throttled.call("ir.cron", "search_count")
    clock.step(60)
    for _ in range(3):
        throttled.call("ir.cron", "search_count")
    assert door.asked == [0, 60, 61, 62]
    assert throttled.version() == (19, 0)
    assert throttled.server_time() == clock.now()
