"""What keeps the file small and the disk free: the store's fifth face, for housekeeping alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from exporter.store.encoded import Signal

BODIES, KEYS = "bodies", "keys"  # consumers: up to which Event nothing but the key is kept, and nothing at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Bytes: of the file, of the pages in it that hold something, and of the log beside it."""

    size: int
    used: int
    log: int


class Upkeep(Protocol):
    """Every call is one short transaction of its own, so that an append never waits for long."""

    def space(self) -> Space:
        """How large the store is."""

    def drop(self, tenant: str, before: datetime, keys_before: datetime) -> Mapping[str, int]:
        """Drop some of what is older, counted by what they were; nothing is left once it is empty.

        Bodies of folded Events seen before, Runs that ended and numbers from before; keys of Events seen before
        `keys_before`, and Subjects that nothing touched since. What the fold has not read stays, and what is open.
        """

    def oldest(self, tenant: str) -> datetime | None:
        """Where some of the oldest history ends: the next thing to drop when there is no room. None: there is none."""

    def shed(self, rows: int) -> tuple[Signal, int] | None:
        """Drop so many of the oldest rows nobody could send, of the signal with most of them, counted as pruned."""

    def compact(self, pages: int) -> int:
        """Give at most so many free pages back to the disk; how many there still are."""

    def refuse(self, reason: str) -> None:
        """Append no Events while there is a reason, but say it (StoreFull); "" takes them again."""

    def require_room(self) -> None:
        """Raise StoreFull while Events are refused."""
