"""The disk fails at the n-th write, sync or read of the shipped store: from then on nothing is acknowledged (R10)."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from exporter.errors import StoreBroken, StoreError
from exporter.store import open_store, writer
from exporter.store.entries import Commit, OutboxRow
from exporter.store.protocols import FOLD
from exporter.store.sqlite import SqliteStore
from tests.contract.store_contract import T0, A, keys, progress
from tests.fakes.disk import Disk, installed

CODES = {
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "read": apsw.SQLITE_IOERR_READ,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
}
LAST = {"write": 120, "sync": 50, "read": 30}  # 200 places where it fails
MOST = 400  # appends


@dataclass
class Failing:
    """The n-th time something is done to the disk it fails; and never again, should somebody try."""

    what: str
    nth: int
    counted: Counter[str] = field(default_factory=Counter)

    def fault(self, what: str, _file: str) -> int | None:
        """See Disk."""
        self.counted[what] += 1
        return CODES[what] if what == self.what and self.counted[what] == self.nth else None


def _worked(store: SqliteStore) -> tuple[list[int], Exception | None]:
    """Append, fold and send until something fails; what was acknowledged, and what failed."""
    acknowledged: list[int] = []
    offset = 0
    try:
        for number in range(MOST):
            store.append(A, [progress(number)])
            acknowledged.append(number)
            if number % 5 == 4:
                after = store.read(A, offset, 100)[-1].seq
                rows = [OutboxRow(signal="traces", context=b"c", body=b"x" * 3_000, at=T0)]
                store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=offset, offset=after, outbox=rows))
                offset = after
                store.settle("traces", [row.id for row in store.pending("traces", 10)])
    except StoreError as error:
        return acknowledged, error
    return acknowledged, None


def _on(disk: Disk, path: Path, failing: Failing) -> tuple[list[int], Exception | None]:
    """What was acknowledged on a failing disk; once it broke nothing more is, also when the disk works again."""
    store = open_store(path)
    disk.fault = failing.fault
    acknowledged, error = _worked(store)
    if isinstance(error, StoreBroken):
        for _ in range(3):
            with pytest.raises(StoreBroken):
                store.append(A, [progress(MOST)])
    store.close()
    return acknowledged, error


@pytest.mark.parametrize("what", LAST)
def test_after_an_io_error_nothing_is_acknowledged_and_nothing_lost(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R10: an error at each of the first writes, syncs, reads: refused at once and for good; a restart has it all."""
    monkeypatch.setattr(writer, "WAL_PAGES", 30)
    broken = 0
    for nth in range(1, LAST[what] + 1):
        path = tmp_path / f"{nth}.db"
        with installed() as disk:
            acknowledged, error = _on(disk, path, Failing(what, nth))
        broken += isinstance(error, StoreBroken)
        store = open_store(path)
        assert keys(store, A)[: len(acknowledged)] == [f"0/{number}/1" for number in acknowledged]
        assert f"0/{MOST}/1" not in keys(store, A)
        assert store._writer.do(lambda connection: connection.pragma("integrity_check")) == "ok"
        store.close()
    assert broken > (LAST[what] * 0.9 if what != "read" else 0), broken
