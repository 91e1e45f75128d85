"""Upkeep of the SQLite store: how large it is, what goes first, and the pages that go back to the disk."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from exporter.domain.times import from_micros, micros
from exporter.errors import StoreFull
from exporter.store import pruning
from exporter.store.connecting import Readers
from exporter.store.encoded import Signal
from exporter.store.protocols import FOLD
from exporter.store.settling import pruning as pruning_outbox
from exporter.store.upkeep import BODIES, KEYS, Space
from exporter.store.writer import Writer

_PAGES = """
SELECT page_count, freelist_count, page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()
"""
_BEHIND = """
SELECT max(seen) FROM (SELECT seen FROM events INDEXED BY events_order
WHERE tenant = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?)
"""
_ENDED = """
SELECT max(ended_at) FROM (SELECT ended_at FROM runs INDEXED BY runs_newest
WHERE tenant = ? AND ended_at IS NOT NULL ORDER BY started_at LIMIT ?)
"""
_OFFSETS = "SELECT consumer, seq FROM offsets WHERE tenant = ?"
_WAITING = """
SELECT signal, sum(CASE outcome WHEN 'put' THEN rows ELSE -rows END) FROM sent GROUP BY signal ORDER BY 2 DESC LIMIT 1
"""


class SqliteUpkeep:
    """See Upkeep."""

    def __init__(self, writer: Writer, readers: Readers, path: Path) -> None:
        self._do, self._rows, self._path = writer.do, readers.rows, path
        self._refusing = ""
        self._forgot: dict[str, int] = {}

    def space(self) -> Space:
        """How large the store is."""
        found: list[tuple[Any, ...]] = self._rows(_PAGES)
        pages, free, size = found[0]
        log = self._path.with_name(f"{self._path.name}-wal")
        return Space(size=pages * size, used=(pages - free) * size, log=_size(log))

    def drop(self, tenant: str, before: datetime, keys_before: datetime) -> Mapping[str, int]:
        """Drop some of what is older, counted; nothing is left once it is empty."""
        at = micros(before)
        works = {
            "bodies": pruning.stripping(tenant, at),
            "keys": pruning.unkeying(tenant, micros(keys_before)),
            "runs": pruning.ending(tenant, at),
            "observations": pruning.unobserving(tenant, at),
            "quarantined": pruning.clearing(tenant),
        }
        return self._do(pruning.counting(tenant, works)) or self._forget(tenant)

    def oldest(self, tenant: str) -> datetime | None:
        """Where some of the oldest history ends."""
        offsets: dict[Any, Any] = dict(self._rows(_OFFSETS, (tenant,)))  # type: ignore[arg-type]
        span = (offsets.get(BODIES, 0), offsets.get(FOLD, 0))
        found: list[Any] = [
            *self._rows(_BEHIND, (tenant, *span, pruning.AT_ONCE)),
            *self._rows(_ENDED, (tenant, pruning.AT_ONCE)),
        ]
        return min((from_micros(at) for (at,) in found if at is not None), default=None)

    def shed(self, rows: int) -> tuple[Signal, int] | None:
        """Drop so many of the oldest rows nobody could send, of the signal with most of them."""
        found: list[tuple[Any, ...]] = self._rows(_WAITING)
        if not found or not found[0][1]:
            return None
        signal, waiting = found[0]
        return signal, self._do(pruning_outbox(signal, max(waiting - rows, 0)))

    def compact(self, pages: int) -> int:
        """Give at most so many free pages back to the disk; how many there still are."""
        return self._do(pruning.compacting(pages))

    def refuse(self, reason: str) -> None:
        """Append no Events while there is a reason."""
        self._refusing = reason

    def require_room(self) -> None:
        """Raise StoreFull while Events are refused."""
        if self._refusing:
            raise StoreFull(self._refusing)

    def _forget(self, tenant: str) -> dict[str, int]:
        """Subjects of which the keys are gone: all are looked at once whenever more keys went."""
        offsets: dict[Any, Any] = dict(self._rows(_OFFSETS, (tenant,)))  # type: ignore[arg-type]
        keys = offsets.get(KEYS, 0)
        if keys == self._forgot.get(tenant, 0):
            return {}
        gone = 0
        place: int | None = 0
        while place is not None:
            found, place = self._do(pruning.forgetting(tenant, place))
            gone += found
        self._forgot[tenant] = keys
        return {"subjects": gone} if gone else {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
