"""The SQLite store keeps the contract, and what is its own: the file, its lock, its schema, its faults."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import apsw
import pytest

from exporter.errors import StoreError, StoreFull
from exporter.store import open_reader, open_store, schema
from exporter.store.entries import Appended, Stored, Unreadable
from exporter.store.sqlite import SqliteStore
from tests.contract import store_contract as contract
from tests.contract.store_contract import A, Check, Place, full, keys, progress

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_the_contract(check: Check, path: Path) -> None:
    """The SQLite store does what every store must do (R24)."""
    check(Place(open=lambda: open_store(path), read=lambda: open_reader(path)))


def test_the_contract_sees_a_store_that_forgets_to_deduplicate(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: a store whose repeats are refused loudly does not pass (negative control)."""
    broken = contract.Place(open=lambda: open_store(path), read=lambda: open_reader(path))
    monkeypatch.setattr(SqliteStore, "append", lambda *_: Appended(appended=0, repeated=0))
    with pytest.raises(AssertionError):
        contract.appending_twice_is_appending_once(broken)


def test_a_second_writer_is_refused(path: Path, store: SqliteStore) -> None:
    """Only one process writes; the sentence names the one that does."""
    store.append(A, [progress(1)])
    with pytest.raises(StoreError, match=r"already open for writing by process \d+"):
        open_store(path)
    store.close()
    open_store(path).close()


def test_a_newer_schema_is_refused(path: Path) -> None:
    """A file of a newer program is left alone, by writer and reader, with one sentence (R22)."""
    open_store(path).close()
    with apsw.Connection(str(path)) as newer:
        newer.pragma("user_version", 99)
    newer.close()
    for opened in (open_store, open_reader):
        with pytest.raises(StoreError, match="has schema 99"):
            opened(path)


def test_an_older_schema_is_copied_then_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older file keeps all it held, gains what is new, and its copy is still the old one (R22)."""
    store = open_store(path)
    store.append(A, [progress(1)])
    store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN colour TEXT"))
    with pytest.raises(StoreError, match="odoo-otel run"):
        open_reader(path)
    newer = open_store(path)
    assert keys(newer, A) == ["0/1/1"]
    newer.close()
    before = len(schema.MIGRATIONS) - 1
    copy = apsw.Connection(str(path.with_name(f"store.db.v{before}")))
    assert copy.pragma("user_version") == before
    assert copy.execute("SELECT count(*) FROM events").get == 1
    copy.close()


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that cannot be done leaves the file at its old version, whole."""
    open_store(path).close()
    steps = (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN colour TEXT; ALTER TABLE nowhere ADD COLUMN x TEXT")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", steps)
        with pytest.raises(StoreError, match="nowhere"):
            open_store(path)
    open_store(path).close()


def test_the_file_survives_a_power_cut_and_is_private(path: Path, store: SqliteStore) -> None:
    """Write-ahead log, an fsync a commit (NORMAL loses), readable by its owner only (R2, R15)."""
    store.append(A, [progress(1)])
    settings = store._writer.do(lambda c: (c.pragma("journal_mode"), c.pragma("synchronous"), c.pragma("mmap_size")))
    assert settings == ("wal", 2, 0)
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "store.db": 0o600,
        "store.db-wal": 0o600,
        "store.db-shm": 0o600,
        "store.db.lock": 0o600,
    }


def test_without_a_store_the_reader_says_so(path: Path) -> None:
    """A missing file is one sentence, and is not created."""
    with pytest.raises(StoreError, match="no store at"):
        open_reader(path)
    assert not path.exists()


def test_a_file_that_is_no_store_is_refused(path: Path) -> None:
    """Something else under that name is refused and kept."""
    path.write_bytes(b"a letter to my aunt " * 500)
    with pytest.raises(StoreError, match="not a database"):
        open_store(path)
    assert path.read_bytes().startswith(b"a letter")


def test_closing_twice_is_closing_once(path: Path, store: SqliteStore) -> None:
    """close() is idempotent and folds the log into the file; what comes later is refused (R20)."""
    store.append(A, [progress(1)])
    assert keys(store, A)
    store.close()
    store.close()
    assert not path.with_name("store.db-wal").exists()
    for refused in (lambda: store.append(A, []), lambda: store.marks(A, "odoo/crons")):
        with pytest.raises(StoreError, match="was closed"):
            refused()


def test_the_reader_sees_only_what_is_committed(path: Path, store: SqliteStore) -> None:
    """While a transaction is under way, readers see the state before it and do not wait for it."""
    inside, go = threading.Event(), threading.Event()

    def half(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO counters VALUES ('half', 'events', 1)")
        inside.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store._writer.do, half)
        assert inside.wait(10)
        reader = open_reader(path)
        before = reader.tenants()
        go.set()
        writing.result(10)
    assert (before, reader.tenants()) == ([], ["half"])
    reader.close()


def test_a_reader_of_another_process_sees_the_writer_s_commits(path: Path, store: SqliteStore) -> None:
    """Another process reads while this one has the store open for writing."""
    store.append(A, [progress(1)])
    code = (
        "import sys, pathlib, exporter.store as s; print(s.open_reader(pathlib.Path(sys.argv[1])).counts()['events'])"
    )
    seen = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout == "1\n"


def test_requests_that_wait_share_one_transaction(store: SqliteStore) -> None:
    """What gathers while the writer is busy becomes one transaction, and a fenced Commit undoes only itself."""
    inside, go = threading.Event(), threading.Event()
    commits: list[int] = []
    connection = store._writer._connection

    def hook() -> bool:
        commits.append(1)
        return False

    def busy(_: apsw.Connection) -> None:
        inside.set()
        go.wait(10)

    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(store._writer.do, busy)
        assert inside.wait(10)
        appends = [pool.submit(store.append, A, [progress(n)]) for n in range(10)]
        fenced = pool.submit(store.commit, full(A, 77, 78))
        while store._writer._queue.qsize() < 11:
            pass
        connection.set_commit_hook(hook)
        go.set()
        first.result(10)
        assert [append.result(10).appended for append in appends] == [1] * 10
        with pytest.raises(StoreError, match="is at 0"):
            fenced.result(10)
    assert len(commits) == 2  # the busy one, and all others together
    assert len(keys(store, A)) == 10


def test_a_late_request_is_withdrawn(path: Path) -> None:
    """Past the deadline the caller is told, and what had not begun is never written."""
    store = SqliteStore(path, deadline=0.05)
    inside, go = threading.Event(), threading.Event()

    def busy(_: apsw.Connection) -> None:
        inside.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(store._writer.do, busy)
        assert inside.wait(10)
        with pytest.raises(StoreError, match="nothing was written"):
            store.append(A, [progress(1)])
        with pytest.raises(StoreError, match="may still be written"):
            blocked.result(10)
        go.set()
    store.close()
    store = open_store(path)
    assert keys(store, A) == []
    store.close()


def test_a_full_store_refuses_keeps_and_drains(path: Path) -> None:
    """Without room: StoreFull, what was acknowledged stays, draining works and makes room again (R9)."""
    store = open_store(path, max_bytes=600_000)
    store.commit(full(A, 0, 1, outbox=contract._spans(*(["x" * 2_000] * 100))))
    appended: list[int] = []
    with pytest.raises(StoreFull, match="no room"):
        appended.extend(
            store.append(A, [progress(n) for n in range(k, k + 100)]).appended for k in range(0, 10**5, 100)
        )
    assert len(keys(store, A)) == sum(appended) > 0
    store.settle("traces", [row.id for row in store.pending("traces", 1_000)])
    assert store.append(A, [progress(10**6)]).appended == 1
    assert store._writer.do(lambda c: c.pragma("integrity_check")) == "ok"
    store.close()


def test_in_a_full_store_the_small_still_fit(path: Path) -> None:
    """A request too big for the room does not take its neighbours in the same transaction with it (R9)."""
    store = open_store(path, max_bytes=600_000)
    inside, go = threading.Event(), threading.Event()

    def busy(_: apsw.Connection) -> None:
        inside.set()
        go.wait(10)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(store._writer.do, busy)
        assert inside.wait(10)
        big = pool.submit(store.append, A, [progress(n) for n in range(20_000)])
        small = pool.submit(store.append, A, [progress(10**6)])
        while store._writer._queue.qsize() < 2:
            pass
        go.set()
        assert small.result(10).appended == 1
        with pytest.raises(StoreFull):
            big.result(10)
    assert keys(store, A) == ["0/1000000/1"]
    store.close()


def test_a_limit_on_the_size_of_files_is_a_full_disk(path: Path) -> None:
    """Where no file may grow the store refuses and keeps what it has; it goes on when it may (R9)."""
    code = """
        import pathlib, resource, sys
        from exporter.errors import StoreFull
        from exporter.store import open_store
        from tests.contract.store_contract import progress
        store = open_store(pathlib.Path(sys.argv[1]))
        store.append("acme", [progress(1)])
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for numbers, limit in ((range(2, 500), 64), (range(500, 501), hard)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                print(store.append("acme", [progress(n) for n in numbers]).appended)
            except StoreFull as error:
                print("refused")
        store.close()
    """
    child = [sys.executable, "-c", dedent(code), str(path)]
    said = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "refused\n1\n"
    store = open_store(path)
    assert keys(store, A) == ["0/1/1", "0/500/1"]
    store.close()


def test_what_cannot_be_decoded_is_handed_on_as_unreadable(store: SqliteStore) -> None:
    """A body or name of another program comes back as Unreadable in its place, never skipped in silence (R13)."""
    store.append(A, [progress(n) for n in range(5)])
    damage = (
        "UPDATE events SET body = x'7b7d' WHERE key = '0/1/1';"
        "UPDATE events SET name = 'odoo.future.thing' WHERE key = '0/2/1';"
        "UPDATE events SET at = 1 << 62 WHERE key = '0/3/1'"
    )
    store._writer.do(lambda connection: connection.execute(damage).fetchall())
    found = store.read(A, 0, 10)
    assert [type(row) for row in found] == [Stored, Unreadable, Unreadable, Unreadable, Stored]
    assert isinstance(found[2], Unreadable)
    assert (found[2].name, found[2].reason) == ("odoo.future.thing", "KeyError: 'odoo.future.thing'")


def test_keys_outlive_bodies(store: SqliteStore) -> None:
    """An Event whose body was pruned is not read again, and its key still makes a repeat a no-op (decision 8)."""
    store.append(A, [progress(1), progress(2)])
    store._writer.do(lambda connection: connection.execute("UPDATE events SET body = NULL WHERE key = '0/1/1'").get)
    assert store.append(A, [progress(1)]) == Appended(appended=0, repeated=1)
    assert keys(store, A) == ["0/2/1"]
