"""The Outbox in memory: what the sending loop's unit tests live on; the contract test runs the same on the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from exporter.store.encoded import Signal
from exporter.store.entries import OutboxRow

Count = Literal["accepted", "rejected", "pruned"]


@dataclass
class MemoryOutbox:
    """Rows by id; `quarantine` holds the rejected with their reasons, `counts` what the store would add up."""

    rows: dict[int, OutboxRow] = field(default_factory=dict)
    quarantine: dict[int, str] = field(default_factory=dict)
    counts: dict[tuple[Signal, Count], int] = field(default_factory=dict)
    settles: int = 0
    _last: int = 0

    def add(self, rows: Sequence[OutboxRow]) -> list[int]:
        """What a Commit does: append, give ids."""
        ids = []
        for row in rows:
            self._last += 1
            self.rows[self._last] = replace(row, id=self._last)
            ids.append(self._last)
        return ids

    def pending(self, signal: Signal, limit: int, after: int = 0) -> list[OutboxRow]:
        """Rows in order of id."""
        found: list[OutboxRow] = []
        for row in self.rows.values():
            if row.signal == signal and row.id > after:
                found.append(row)
                if len(found) == limit:
                    break
        return found

    def settle(
        self, signal: Signal, delivered: Sequence[int], rejected: Mapping[int, str] | None = None, counted: int = 0
    ) -> None:
        """Drop the delivered, set the rejected aside, count."""
        self.settles += 1
        refused = rejected or {}
        for key in (*delivered, *refused):
            assert self.rows.pop(key).signal == signal
        self.quarantine |= refused
        self._count(signal, "accepted", len(delivered) - counted)
        self._count(signal, "rejected", len(refused) + counted)

    def prune(self, signal: Signal, keep: int) -> int:
        """Drop the oldest beyond the budget."""
        mine = [key for key, row in self.rows.items() if row.signal == signal]
        gone = mine[: max(0, len(mine) - keep)]
        for key in gone:
            del self.rows[key]
        self._count(signal, "pruned", len(gone))
        return len(gone)

    def _count(self, signal: Signal, what: Count, number: int) -> None:
        self.counts[signal, what] = self.counts.get((signal, what), 0) + number
