"""Housekeeping over a made-up store and disk: what goes and when, and what is said while there is no room."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.clock import StepClock
from exporter.errors import StoreFull
from exporter.loops.housekeeping import HORIZON, KEYS_LEAST, MIB, RETENTION_EVERY, Housekeeping, HousekeepingOptions
from exporter.store.ballast import Disk
from exporter.store.encoded import Signal
from exporter.store.upkeep import Space

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(slots=True)
class FakeUpkeep:
    """History as (tenant, day, MiB), rows to send as MiB each ten thousand; the rest in MiB."""

    history: list[tuple[str, int, int]] = field(default_factory=list)
    outbox: int = 0
    free: int = 0
    stuck: int = 0
    refused: str = ""
    asked: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def space(self) -> Space:
        """See Upkeep."""
        used = sum(size for _, _, size in self.history) + self.outbox + self.stuck
        return Space(size=(used + self.free) * MIB, used=used * MIB, log=0)

    def drop(self, tenant: str, before: datetime, keys_before: datetime) -> Mapping[str, int]:
        """See Upkeep."""
        self.asked.append((tenant, before, keys_before))
        old = [one for one in self.history if one[0] == tenant and NOW - one[1] * DAY < before][:1]
        for one in old:
            self.history.remove(one)
            self.free += one[2]
        return {"bodies": len(old)} if old else {}

    def oldest(self, tenant: str) -> datetime | None:
        """See Upkeep."""
        return min((NOW - days * DAY for owner, days, _ in self.history if owner == tenant), default=None)

    def shed(self, rows: int) -> tuple[Signal, int] | None:
        """See Upkeep."""
        if not self.outbox:
            return None
        self.outbox -= 1
        return "traces", rows

    def compact(self, pages: int) -> int:
        """See Upkeep."""
        self.free = max(self.free - pages * 4096 // MIB, 0)
        return self.free

    def refuse(self, reason: str) -> None:
        """See Upkeep."""
        self.refused = reason

    def require_room(self) -> None:
        """See Upkeep."""
        if self.refused:
            raise StoreFull(self.refused)


@dataclass(slots=True)
class FakeBallast:
    """Room that is held, or not."""

    held: int = 0
    size: int = 32 * MIB

    def hold(self) -> bool:
        """See Ballast."""
        self.held = self.size
        return True

    def drop(self) -> None:
        """See Ballast."""
        self.held = 0


@dataclass(slots=True)
class House:
    """A house to keep: `free` MiB of a disk of 100 GiB are free."""

    upkeep: FakeUpkeep = field(default_factory=FakeUpkeep)
    ballast: FakeBallast = field(default_factory=FakeBallast)
    clock: StepClock = field(default_factory=lambda: StepClock(NOW))
    free: int = 50_000
    tenants: tuple[str, ...] = ("acme", "beta")

    def keeping(self, **options: Any) -> Housekeeping:
        """With 90 days, 100 MiB, and 512 MiB that must be free."""
        usual = {"retention": 90 * DAY, "budget": 100 * MIB, "watermark": 512 * MIB}
        ballast: Any = self.ballast
        return Housekeeping(
            upkeep=self.upkeep,
            ballast=ballast,
            disk=lambda: Disk(free=self.free * MIB, size=100_000 * MIB),
            now=lambda: dict.fromkeys(self.tenants, NOW),
            clock=self.clock,
            options=HousekeepingOptions(**(usual | options)),
        )


def _until_quiet(keeping: Housekeeping) -> int:
    steps = 1
    while keeping.step():
        steps += 1
        assert steps < 1000
    return steps


def test_what_is_too_old_goes_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Everything older than retention goes, of every tenant, in small steps, said in one line; again an hour later."""
    house = House()
    house.upkeep.history = [("acme", 91, 1), ("acme", 92, 1), ("beta", 100, 1), ("beta", 89, 1)]
    keeping = house.keeping()
    assert _until_quiet(keeping) > 3
    assert house.upkeep.history == [("beta", 89, 1)]
    assert house.upkeep.asked[0] == ("acme", NOW - 90 * DAY, NOW - 90 * DAY - HORIZON)
    assert [record.message for record in caplog.records] == ["dropped 3 bodies, because they are older than 90 days"]
    asked = len(house.upkeep.asked)
    house.clock.step(RETENTION_EVERY - 1)
    _until_quiet(keeping)
    assert len(house.upkeep.asked) == asked
    house.clock.step(2)
    _until_quiet(keeping)
    assert len(house.upkeep.asked) > asked


def test_over_its_budget_the_oldest_history_goes_first(caplog: pytest.LogCaptureFixture) -> None:
    """The oldest of any tenant goes until the store is a tenth below its budget; keys stay for a week."""
    house = House()
    house.upkeep.history = [("acme", days, 10) for days in range(1, 8)] + [("beta", days, 10) for days in range(3, 9)]
    _until_quiet(house.keeping())
    assert sorted(days for _, days, _ in house.upkeep.history) == [1, 2, 3, 3, 4, 4, 5, 5, 6]
    assert timedelta(days=7) == KEYS_LEAST  # docs/store.md promises it
    assert all(keys <= NOW - KEYS_LEAST for _, _, keys in house.upkeep.asked)
    assert any("over `store_budget_mib`" in record.message for record in caplog.records)


def test_what_waits_to_be_sent_goes_last(caplog: pytest.LogCaptureFixture) -> None:
    """Only when no history is left rows go that were not sent, and that is said."""
    house = House()
    house.upkeep.history, house.upkeep.outbox = [("acme", 1, 20)], 120
    _until_quiet(house.keeping())
    assert (house.upkeep.history, house.upkeep.outbox) == ([], 90)
    assert "300000 traces not sent" in caplog.text
    assert not house.upkeep.refused


def test_with_nothing_left_to_drop_nothing_new_is_taken() -> None:
    """What the fold has not read is never dropped: the store refuses, says which setting to raise, and recovers."""
    house = House()
    keeping = house.keeping()
    house.upkeep.stuck = 200
    assert not keeping.step()
    assert "store_budget_mib" in house.upkeep.refused
    assert keeping.gauges()["odoo_otel_store_refusing"] == 1
    house.upkeep.stuck = 50
    keeping.step()
    assert not house.upkeep.refused


@pytest.mark.parametrize(("free", "refuses"), [(511, True), (513, False)])
def test_below_the_watermark_nothing_new_is_taken(free: int, refuses: bool) -> None:  # noqa: FBT001
    """Less free than the watermark: refused, with a sentence that names the setting (R9)."""
    house = House(free=free)
    house.keeping().step()
    assert bool(house.upkeep.refused) is refuses
    assert ("free_space_mib" in house.upkeep.refused) is refuses


def test_a_full_disk_is_said_once_survived_and_left(caplog: pytest.LogCaptureFixture) -> None:
    """The ballast is held while there is room, dropped when nearly none is left, held again; a line for each change."""
    caplog.set_level("INFO")
    house = House()
    keeping = house.keeping()
    keeping.step()
    assert house.ballast.held == 32 * MIB
    for house.free in (400, 300, 31, 40, 20, 530):
        keeping.step()
    assert house.ballast.held == 0
    assert house.upkeep.refused, "just above the watermark it would begin to flap"
    house.free = 600
    keeping.step()
    assert (house.ballast.held, house.upkeep.refused) == (32 * MIB, "")
    said = [record.message.partition(" ")[0] for record in caplog.records]
    assert said == ["Only", "only", "there"]


def test_a_small_disk_needs_a_tenth() -> None:
    """On a disk of 1 GiB the usual watermark would leave half of it unused: a tenth must be free."""
    house = House()
    keeping = house.keeping()
    keeping.disk = lambda: Disk(free=150 * MIB, size=1000 * MIB)
    keeping.step()
    assert not house.upkeep.refused
    keeping.disk = lambda: Disk(free=90 * MIB, size=1000 * MIB)
    keeping.step()
    assert house.upkeep.refused


def test_without_a_watermark_nothing_is_held() -> None:
    """`free_space_mib: 0`: no ballast, no refusal."""
    house = House(free=1)
    house.keeping(watermark=0).step()
    assert (house.ballast.held, house.upkeep.refused) == (0, "")


def test_free_pages_go_back_to_the_disk() -> None:
    """When more than a tenth of the file is free it is given back, a little in each step."""
    house = House()
    house.upkeep.history, house.upkeep.free = [("acme", 1, 80)], 30
    assert _until_quiet(house.keeping()) > 10
    assert house.upkeep.free == 0
    house.upkeep.free = 3
    house.clock.step(10)
    house.keeping().step()
    assert house.upkeep.free == 3
