"""Copies of the store: whole while it is written, back in its place, and what is damaged is said."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from exporter.errors import StoreError
from exporter.store import copying, open_reader, open_store, schema
from exporter.store.sqlite import SqliteStore
from tests.contract.store_contract import A, full, keys, progress

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An open store with a row in every table, closed in the end."""
    opened = open_store(path)
    opened.append(A, [progress(number) for number in range(200)])
    opened.commit(full(A, 0, 100, parked=()))
    yield opened
    opened.close()


def faults(path: Path, *, quick: bool = False) -> list[str]:
    """What verify finds wrong."""
    return [said.sentence for said in copying.verify(path, quick=quick) if not said.ok]


def test_a_backup_is_one_moment_of_a_store_that_goes_on(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """While another thread appends, each copy is whole and holds a prefix of what was acknowledged."""
    stop, done = threading.Event(), [200]

    def write() -> None:
        while not stop.is_set():
            store.append(A, [progress(done[0])])
            done[0] += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(5):
            before = done[0]
            found = copying.backup(path, tmp_path / f"copy{number}")
            assert before <= found.events <= done[0] + 1
    finally:
        stop.set()
        writing.join()
    for number in range(5):
        copy = tmp_path / f"copy{number}"
        assert faults(copy) == []
        opened = open_store(copy)
        held = keys(opened, A)
        opened.close()
        assert held == [f"0/{n}/1" for n in range(len(held))]


def test_a_backup_replaces_nothing(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """A file that is there is refused, a place without the right to write too; nothing half is left."""
    store.append(A, [])
    copying.backup(path, tmp_path / "copy")
    with pytest.raises(StoreError, match="exists"):
        copying.backup(path, tmp_path / "copy")
    with pytest.raises(StoreError, match="could not be copied"):
        copying.backup(path, tmp_path / "nowhere" / "copy")
    with pytest.raises(StoreError, match="there is no store"):
        copying.backup(tmp_path / "other", tmp_path / "copy2")
    assert {one.name for one in tmp_path.iterdir() if "copy" in one.name} == {"copy"}


def test_a_copy_comes_back_and_what_was_there_is_kept(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """The store is what it was at the copy, byte for byte of what is told of; the newer one stands beside it, whole."""
    copying.backup(path, tmp_path / "copy")
    store.append(A, [progress(999)])
    with pytest.raises(StoreError, match="already open for writing"):
        copying.restore(path, tmp_path / "copy", NOW)
    store.close()
    aside = copying.restore(path, tmp_path / "copy", NOW)
    assert aside == path.with_name("store.db.before-20261126T120000")
    for place, count in ((path, 200), (aside, 201)):
        opened = open_store(place)
        assert len(keys(opened, A)) == count
        opened.close()
    assert faults(path) == faults(aside) == []
    reader = open_reader(path)
    assert len(reader.runs(A)) == len(full(A, 0, 100).runs)
    reader.close()


def test_a_store_that_was_killed_is_kept_with_its_log(path: Path, tmp_path: Path) -> None:
    """What stands in the write-ahead log of the one that is replaced is not lost: it stands in the one put aside."""
    first = open_store(path)
    first.append(A, [progress(number) for number in range(50)])
    copying.backup(path, tmp_path / "copy")
    first.append(A, [progress(number) for number in range(50, 80)])
    killed = tmp_path / "killed"
    killed.mkdir()
    for one in tmp_path.glob("store.db*"):
        if one.suffix != ".lock":
            (killed / one.name).write_bytes(one.read_bytes())
    first.close()
    aside = copying.restore(killed / "store.db", tmp_path / "copy", NOW)
    assert aside is not None
    opened = open_store(aside)
    assert len(keys(opened, A)) == 80
    opened.close()


def test_a_store_may_come_where_none_was(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """On another machine: the state folder is made."""
    copying.backup(path, tmp_path / "copy")
    assert copying.restore(tmp_path / "new" / "store.db", tmp_path / "copy", NOW) is None
    assert faults(tmp_path / "new" / "store.db") == []
    assert store is not None


def test_what_is_no_store_does_not_come_back(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """Noise, a damaged page, a newer schema: one sentence, and the store stays as it is."""
    store.close()
    copying.backup(path, tmp_path / "copy")
    (tmp_path / "noise").write_bytes(b"x" * 9000)
    newer = tmp_path / "newer"
    newer.write_bytes((tmp_path / "copy").read_bytes())
    with apsw.Connection(str(newer)) as connection:
        connection.pragma("user_version", 99)
    damaged = tmp_path / "damaged"
    raw = bytearray((tmp_path / "copy").read_bytes())
    raw[8192:32768] = b"\xff" * (32768 - 8192)
    damaged.write_bytes(raw)
    before = path.read_bytes()
    for name in ("noise", "newer", "damaged"):
        with pytest.raises(StoreError, match="cannot be restored"):
            copying.restore(path, tmp_path / name, NOW)
    assert path.read_bytes() == before


def test_an_older_store_comes_back_and_is_upgraded(
    path: Path, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that an older program made is taken; the next start migrates it (R22)."""
    store.close()
    copying.backup(path, tmp_path / "copy")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN colour TEXT"))
    copying.restore(path, tmp_path / "copy", NOW)
    said = [one.sentence for one in copying.verify(path)]
    assert "it becomes" in said[0]
    opened = open_store(path)
    assert len(keys(opened, A)) == 200
    opened.close()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE offsets SET seq = 9999", "read further than the Events go"),
        ("INSERT INTO parked VALUES ('A', 'x', 9999)", "that wait for another one are gone"),
        ("DELETE FROM contexts", "have no Resource"),
        ("DELETE FROM outbox", "is not what was sent and what waits"),
        ("UPDATE runs SET ended_at = started_at - 1", "end before they begin"),
    ],
)
def test_what_is_wrong_is_said(path: Path, store: SqliteStore, damage: str, says: str) -> None:
    """Each invariant that does not hold is a sentence; a whole store has none."""
    store.close()
    assert faults(path) == []
    with apsw.Connection(str(path)) as connection:
        connection.execute(damage)
    assert [one for one in faults(path) if says in one]


def test_a_damaged_index_is_found_by_reading_all(path: Path, store: SqliteStore) -> None:
    """The whole check reads indexes, too; nothing is raised whatever byte is wrong."""
    store.close()
    whole = path.read_bytes()
    found = 0
    for at in range(4096, len(whole), len(whole) // 40):
        raw = bytearray(whole)
        raw[at : at + 1024] = bytes(byte ^ 0xFF for byte in raw[at : at + 1024])
        path.write_bytes(raw)
        found += bool(faults(path))
    path.write_bytes(whole)
    assert found > 10
    assert faults(path) == []


def test_looking_at_a_copy_leaves_nothing_beside_it(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """A backup is one file, also once it was verified where nobody may write."""
    copying.backup(path, tmp_path / "copy")
    assert faults(tmp_path / "copy") == []
    assert store is not None
    assert [one.name for one in tmp_path.glob("copy*")] == ["copy"]


def test_a_restore_that_is_killed_leaves_the_store(
    path: Path, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the copy takes its place, all that was acknowledged stands under the store's own name."""
    copying.backup(path, tmp_path / "copy")
    store.append(A, [progress(999)])
    store.close()

    def killed(_from: Path, _to: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        copying.restore(path, tmp_path / "copy", NOW)
    opened = open_store(path)
    assert len(keys(opened, A)) == 201
    opened.close()
