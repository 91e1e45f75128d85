"""The durable home of everything, and the only code that speaks SQL."""

from pathlib import Path

from exporter.store.reading import SqliteReader
from exporter.store.sqlite import SqliteStore


def open_store(path: Path, *, max_bytes: int | None = None) -> SqliteStore:
    """The store at the path, for the one process that writes; its folder is created. Raises StoreError.

    `max_bytes` is the budget of the file; beyond it, writes that need room are refused with StoreFull.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteStore(path, max_bytes=max_bytes)


def open_reader(path: Path) -> SqliteReader:
    """A read-only view of the store at the path, also while another process writes it. Raises StoreError."""
    return SqliteReader(path)
