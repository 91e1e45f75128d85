"""What tests of the store begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.store import open_store
from exporter.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of a test is."""
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An open store, closed in the end."""
    opened = open_store(path)
    yield opened
    opened.close()
