"""What housekeeping asks of the SQLite store: history goes in order, what is needed stays, room really comes back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from exporter.domain.runs import Open
from exporter.errors import StoreFull
from exporter.store import open_reader, open_store, schema
from exporter.store.ballast import Ballast
from exporter.store.entries import Appended, Commit, ObservationRow, OutboxRow, SubjectRow
from exporter.store.protocols import FOLD
from exporter.store.sqlite import SqliteStore
from tests.contract.store_contract import T0, A, B, full, keys, later, progress, run

YEAR = timedelta(days=365)


def _one(store: SqliteStore, sql: str) -> object:
    return store._writer.do(lambda connection: connection.execute(sql).get)


def _emptied(store: SqliteStore, before: int, keys_before: int = -(10**6)) -> dict[str, int]:
    """Everything older than so many seconds behind T0, until nothing is left."""
    gone: dict[str, int] = {}
    while found := store.upkeep.drop(A, later(before), later(keys_before)):
        gone = {name: gone.get(name, 0) + found.get(name, 0) for name in {*gone, *found}}
    return gone


def test_what_is_old_goes_and_what_is_needed_stays(store: SqliteStore) -> None:
    """Folded bodies, ended Runs and numbers from before go, counted; not folded, open and newer ones stay."""
    store.append(A, [progress(number) for number in range(10)])
    store.append(B, [progress(number) for number in range(10)])
    numbers = [ObservationRow(series=f"s{n % 2}", run=f"r{n}", at=later(n), value=1.0) for n in range(10)]
    runs = [run(n) for n in range(8)] + [run(8, ended_at=None, result=None)]
    store.commit(full(A, 0, 7, runs=runs, observations=numbers, parked=()))
    gone = _emptied(store, 9)
    assert gone == {"bodies": 7, "runs": 8, "observations": 9}
    assert keys(store, A) == ["0/7/1", "0/8/1", "0/9/1"]
    assert len(keys(store, B)) == 10
    assert store.append(A, [progress(3)]) == Appended(appended=0, repeated=1)
    reader = open_reader(store._path)
    assert [row.id for _, row in reader.runs(A)] == ["cron/7#8"]
    assert [row.at for row in reader.observations(A, "s1")] == [later(9)]
    assert reader.dropped(A) == gone
    assert reader.dropped(B) == {}
    reader.close()


def test_keys_go_later_and_never_the_last(store: SqliteStore) -> None:
    """A key whose body is gone goes at its own time; the newest Event's place is never given again."""
    store.append(A, [progress(number) for number in range(5)])
    store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=0, offset=5))
    assert _emptied(store, 100, 2) == {"bodies": 5, "keys": 2}
    assert store.append(A, [progress(1), progress(2)]) == Appended(appended=1, repeated=1)
    assert _emptied(store, 100, 100) == {"keys": 3}
    assert _one(store, "SELECT min(seq) FROM events") == 6
    store.append(A, [progress(50)])
    assert [found.seq for found in store.read(A, 5, 10)] == [6, 7]


def test_an_idle_subject_is_forgotten_with_the_last_key(store: SqliteStore) -> None:
    """A thing that is over goes with its links once no key of its facts is left; actions, open and timed ones stay."""
    store.append(A, [progress(number) for number in range(5)])
    over = SubjectRow(key="job/9", kind="job", state=b"j")
    waits = SubjectRow(key="job/8", kind="job", state=b"j", open=Open(workflow="w", state="s", since=T0))
    timed = SubjectRow(key="cron/7", kind="job", state=b"a Timer is set for it")
    lasting = SubjectRow(key="cron/1", kind="cron", state=b"c")
    first = full(A, 0, 3, subjects=(over, waits, timed, lasting), links={"x:1": "job/9", "x:2": "job/8"}, parked=())
    store.commit(first)
    recent = SubjectRow(key="job/10", kind="job", state=b"j")
    store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=3, offset=5, subjects=(recent,)))
    every = ["job/9", "job/8", "cron/7", "cron/1", "job/10"]
    _emptied(store, 100, 2)
    assert store.subjects(A, every).keys() == set(every)
    assert _emptied(store, 100, 4)["subjects"] == 1
    assert store.subjects(A, every).keys() == set(every) - {"job/9"}
    assert store.links(A, ["x:1", "x:2"]) == {"x:2": "job/8"}


def test_what_is_open_stays_though_no_gauge_counts_it(store: SqliteStore) -> None:
    """Without metrics, or of a model that is left out, a Run that waits longer than retention keeps its beginning."""
    store.append(A, [progress(number) for number in range(5)])
    opened = Open(workflow="w", state="s", since=T0)
    shown = SubjectRow(key="record/1", kind="record", state=b"r", open=opened)
    hidden = SubjectRow(key="record/2", kind="record", state=b"r", open=opened, shown=False)
    store.commit(full(A, 0, 3, subjects=(shown, hidden), parked=()))
    store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=3, offset=5))
    assert _emptied(store, 100, 5)["keys"] == 4
    found = store.subjects(A, ["record/1", "record/2"])
    assert {key: (row.shown, row.open and row.open.since) for key, row in found.items()} == {
        "record/1": (True, T0),
        "record/2": (False, T0),
    }
    reader = open_reader(store._path)
    assert (reader.counts()["open_runs"], [row[3] for row in reader.open_runs(A)]) == (1, [1])
    reader.close()
    over = replace(hidden, open=None)
    store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=5, offset=5, subjects=(over,)))
    assert store.subjects(A, ["record/2"])["record/2"].open is None


def test_the_oldest_history_is_found_and_shrinks_the_store(store: SqliteStore) -> None:
    """Dropping up to `oldest` again and again leaves no history, and its pages go back to the disk."""
    for start in range(0, 12_000, 1_000):
        store.append(A, [progress(number) for number in range(start, start + 1_000)])
    runs = [run(number, body=b"x" * 500) for number in range(6_000)]
    store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=0, offset=12_000, runs=runs))
    before = store.upkeep.space()
    rounds = 0
    while at := store.upkeep.oldest(A):
        assert store.upkeep.drop(A, at + timedelta(microseconds=1), T0 - YEAR)
        rounds += 1
    assert 6 <= rounds < 20
    after = store.upkeep.space()
    assert after.used < 0.6 * before.used
    while store.upkeep.compact(300):
        pass
    packed = store.upkeep.space()
    assert packed.size == packed.used <= after.used
    store.close()
    assert store._path.stat().st_size == packed.size


def test_rows_nobody_could_send_go_last_and_counted(store: SqliteStore) -> None:
    """The oldest of the signal with most of them; without any there is nothing to shed."""
    assert store.upkeep.shed(5) is None
    rows = [OutboxRow(signal="traces", context=b"c", body=str(n).encode(), at=T0) for n in range(8)]
    store.commit(full(A, 0, 1, outbox=[*rows, OutboxRow(signal="logs", context=b"c", body=b"log", at=T0)]))
    assert store.upkeep.shed(5) == ("traces", 5)
    assert [row.body for row in store.pending("traces", 10)] == [b"5", b"6", b"7"]
    assert len(store.pending("logs", 10)) == 1
    reader = open_reader(store._path)
    assert reader.sent()["traces", "pruned"] == 5
    reader.close()


def test_without_room_no_event_is_taken_but_everything_else_goes_on(store: SqliteStore) -> None:
    """While it refuses: StoreFull with the reason; Commits, marks and reports are written (R9)."""
    store.append(A, [progress(1)])
    store.upkeep.refuse("The disk is full.")
    for refused in (lambda: store.append(A, [progress(2)]), store.upkeep.require_room):
        with pytest.raises(StoreFull, match="disk is full"):
            refused()
    store.append(A, [], {("odoo/jobs", "low"): "3"})
    store.commit(full(A, 0, 1))
    store.upkeep.refuse("")
    assert store.append(A, [progress(2)]).appended == 1


def test_an_older_file_is_packed_once(tmp_path: Path) -> None:
    """A file of version 1 cannot give pages back; opening it makes it one that can."""
    path = tmp_path / "old.db"
    old = apsw.Connection(str(path))
    old.execute(schema.FIRST)
    old.pragma("user_version", 1)
    assert old.pragma("auto_vacuum") == 0
    old.close()
    store = open_store(path)
    assert _one(store, "PRAGMA auto_vacuum") == 2
    store.close()


def test_readers_that_overlap_do_not_keep_the_log_growing(store: SqliteStore) -> None:
    """With some reader always at work the write-ahead log stays below 48 MiB while 100 MiB are written."""
    over = threading.Event()

    def read() -> None:
        reader = apsw.Connection(str(store._path), flags=apsw.SQLITE_OPEN_READONLY)
        while not over.is_set():
            with reader:
                reader.execute("SELECT count(*) FROM marks").fetchall()
                over.wait(0.02)
        reader.close()

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(read)
        largest = 0
        for n in range(200):
            row = OutboxRow(signal="traces", context=b"c", body=b"x" * 500_000, at=T0)
            store.commit(Commit(tenant=A, consumer=FOLD, expected_offset=n, offset=n + 1, outbox=[row]))
            largest = max(largest, store.upkeep.space().log)
        over.set()
    assert 8 * 2**20 < largest < 48 * 2**20


def test_the_ballast_really_takes_its_room(tmp_path: Path) -> None:
    """Its blocks are taken, not only its length; dropped it is gone, and dropping it twice changes nothing."""
    ballast = Ballast(tmp_path / "ballast", 2**20)
    assert ballast.held == 0
    assert ballast.hold()
    assert (ballast.held, (tmp_path / "ballast").stat().st_blocks * 512 >= 2**20) == (2**20, True)
    ballast.drop()
    ballast.drop()
    assert not (tmp_path / "ballast").exists()
