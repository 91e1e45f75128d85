"""The housekeeping loop: history leaves when it is old enough or the store too large, and a full disk is survived.

Each step does one thing that takes milliseconds, so that an append never waits for long. What goes first is the oldest
history; rows that were not sent go last, and are counted. While there is no room nothing new is taken: the polls read
it later, senders of webhooks are told to come again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.clock import Clock
from exporter.domain.times import EPOCH, MICRO
from exporter.store.ballast import Ballast, Disk
from exporter.store.upkeep import Space, Upkeep

log = logging.getLogger(__name__)
MIB = 1024 * 1024
HORIZON = timedelta(days=30)  # how much later than its body the key of an Event goes: until then it cannot come twice
KEYS_LEAST = timedelta(days=7)  # for which keys are kept, however large the store is
RETENTION_EVERY = 3600.0  # seconds between two looks for what is too old
LOOK = 1.0  # seconds between two looks at the disk and at the size of the store
SHED = 10_000  # rows not sent that are dropped at once
SHRUNK = 0.9  # of its budget that a store comes down to
FREE_LEAST = 4 * MIB  # that may be free inside the file: it is used again soon
PAGES = 500  # given back at once
REOPEN = 1.1  # times the watermark that must be free before anything is taken again


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingOptions:
    """How long and how much is kept.

    Attributes:
        retention: for how long history is kept.
        budget: bytes the store may use.
        watermark: bytes that must be free on the disk, at most a tenth of it; 0: none need be.
    """

    retention: timedelta
    budget: int
    watermark: int


@dataclass(slots=True, kw_only=True)
class Housekeeping:
    """Keeps one store. `step` is everything; a thread repeats it after LOOK seconds, at once while it returns True.

    Attributes:
        now: the time of every tenant, by its own clock.
        disk: asks for the room there is.
        room: what it said last; `size`: how large the store was at the last look.
        refusing: why nothing new is taken, "" while it is.
    """

    upkeep: Upkeep
    ballast: Ballast
    disk: Callable[[], Disk]
    now: Callable[[], Mapping[str, datetime]]
    clock: Clock
    options: HousekeepingOptions
    room: Disk | None = None
    size: Space | None = None
    refusing: str = ""
    _reasons: dict[str, str] = field(default_factory=dict)
    _due: float = 0.0
    _shrinking: bool = False
    _compacting: bool = False
    _retaining: list[str] = field(default_factory=list)
    _gone: Counter[str] = field(default_factory=Counter)

    def step(self) -> bool:
        """Look at the disk; then take one thing away, if something is to go. True if there is more at once.

        Raises:
            StoreError: the disk cannot be asked, or not even a deletion can be written.
        """
        self._look_at_disk()
        self._measure(self.upkeep.space())
        if self._shrinking:
            return self._shrink()
        return self._retain() or self._compact()

    def gauges(self) -> dict[str, int]:
        """What a scrape shows of the store and its disk, by metric."""
        size, room = self.size, self.room
        found = {"odoo_otel_store_refusing": int(bool(self.refusing))}
        if size is not None:
            found |= {f"odoo_otel_store_{name}_bytes": getattr(size, name) for name in ("size", "used", "log")}
        if room is not None:
            found["odoo_otel_disk_free_bytes"] = room.free
        return found

    def _is_due(self) -> bool:
        now = self.clock.monotonic()
        if now < self._due:
            return False
        self._due = now + RETENTION_EVERY
        return True

    def _look_at_disk(self) -> None:
        """Refuse what is new below the watermark; drop the ballast when little is left, hold it again later."""
        self.room = disk = self.disk()
        watermark = min(self.options.watermark, disk.size // 10)
        if not watermark:
            return
        held = self.ballast.held
        if held and disk.free < held:
            self.ballast.drop()
            log.error("only %d MiB are free: the ballast of %d MiB was dropped to go on", disk.free // MIB, held // MIB)
        elif not held and disk.free >= REOPEN * watermark:
            self.ballast.hold()
        if disk.free < watermark:
            self._refuse(
                "disk",
                f"Only {disk.free // MIB} MiB of the disk are free and {watermark // MIB} must be: free some or lower "
                "`free_space_mib`; until then nothing new is taken.",
            )
        elif disk.free >= REOPEN * watermark:
            self._refuse("disk", "")

    def _refuse(self, why: str, reason: str) -> None:
        """Take nothing new while there is a reason; a line in the log when one comes and when it goes."""
        before = self._reasons.get(why, "")
        self._reasons[why] = reason
        self.refusing = next((one for one in self._reasons.values() if one), "")
        self.upkeep.refuse(self.refusing)
        if bool(before) != bool(reason):
            log.log(logging.ERROR if reason else logging.INFO, "%s", reason or f"there is room again ({why})")

    def _measure(self, size: Space) -> None:
        """Over its budget the store shrinks until it is well below."""
        self.size = size
        self._shrinking = size.used > self.options.budget * (SHRUNK if self._shrinking else 1.0)
        if not self._shrinking:
            self._refuse("budget", "")
        if not self._shrinking and not self._retaining:
            self._report("because the store is over `store_budget_mib`")

    def _shrink(self) -> bool:
        """Drop the oldest history there is; without any the oldest rows that wait to be sent; then take nothing."""
        now = self.now()
        oldest = {tenant: at for tenant in now if (at := self.upkeep.oldest(tenant))}
        if oldest:
            tenant = min(oldest, key=lambda one: oldest[one])
            before = oldest[tenant] + MICRO
            gone = self.upkeep.drop(tenant, before, min(before, now[tenant] - KEYS_LEAST))
        else:
            keys = (self.upkeep.drop(tenant, EPOCH, at - KEYS_LEAST) for tenant, at in now.items())
            gone = next((found for found in keys if found), {})
        self._gone.update(gone)
        if gone:
            return True
        signal, rows = self.upkeep.shed(SHED) or ("", 0)
        if rows:
            self._gone[f"{signal} not sent"] += rows
            return True
        self._refuse(
            "budget",
            f"The store is larger than {self.options.budget // MIB} MiB and holds nothing that may go: raise "
            "`store_budget_mib`; until then nothing new is taken.",
        )
        return False

    def _retain(self) -> bool:
        """Drop a little of what is older than retention, tenant by tenant."""
        if not self._retaining and self._is_due():
            self._retaining = [*self.now()]
        if not self._retaining:
            return False
        tenant = self._retaining[0]
        before = self.now().get(tenant, EPOCH) - self.options.retention
        gone = self.upkeep.drop(tenant, before, before - HORIZON)
        self._gone.update(gone)
        if not gone:
            del self._retaining[0]
        if not self._retaining:
            self._report(f"because they are older than {self.options.retention.days} days")
        return bool(self._retaining)

    def _report(self, why: str) -> None:
        """One line for everything that went."""
        if self._gone:
            gone = ", ".join(f"{number} {what}" for what, number in sorted(self._gone.items()))
            log.warning("dropped %s, %s", gone, why)
            self._gone.clear()

    def _compact(self) -> bool:
        """Give free pages back to the disk, a few at a time."""
        if self.size is None:
            return False
        least = 0 if self._compacting else max(FREE_LEAST, self.size.size // 10)
        self._compacting = self.size.size - self.size.used > least and self.upkeep.compact(PAGES) > 0
        return self._compacting
