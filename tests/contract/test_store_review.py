"""What is kept for a person to look at: once, bounded, shown, dropped when it was decided about."""

from pathlib import Path

from exporter.store import open_reader
from exporter.store.review import MOST, SetAside
from exporter.store.sqlite import SqliteStore


def row(key: str, tenant: str = "acme", origin: str = "hooks/shop") -> SetAside:
    """One request."""
    return SetAside(tenant=tenant, origin=origin, key=key, reason="no_list: why", head="{}", body=b'{"a": 1}')


def test_what_is_kept_is_found_and_dropped(store: SqliteStore, tmp_path: Path) -> None:
    """It is there as it was, under a number, for whoever reads the store too; once decided about it is gone."""
    assert store.review.keep(row("a"))
    reader = open_reader(tmp_path / "store.db")
    (found,) = reader.set_aside(10)
    assert found == store.review.find(found.id) == reader.aside(found.id)
    assert SetAside(**{**{name: getattr(found, name) for name in SetAside.__slots__}, "id": 0}) == row("a")
    store.review.drop(found.id)
    assert (reader.set_aside(10), store.review.find(found.id)) == ([], None)
    assert reader.counts()["quarantined"] == 1
    reader.close()


def test_the_same_is_kept_once(store: SqliteStore) -> None:
    """A sender that repeats a broken body costs one row; another hook's or tenant's is another."""
    kept = [store.review.keep(one) for one in (row("a"), row("a"), row("a", "other"), row("a", origin="hooks/else"))]
    assert kept == [True, False, True, True]


def test_a_sender_of_nonsense_fills_nothing(store: SqliteStore, tmp_path: Path) -> None:
    """The newest of each sender stay, whatever others do."""
    store.review.keep(row("first", origin="hooks/else"))
    for number in range(MOST + 5):
        store.review.keep(row(f"{number:04}"))
    reader = open_reader(tmp_path / "store.db")
    keys = [one.key for one in reader.set_aside(MOST * 2)]
    assert keys == [f"{number:04}" for number in reversed(range(5, MOST + 5))] + ["first"]
    reader.close()
