"""What is kept for a person to look at: once, bounded, shown, dropped when it was decided about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.store import open_reader, pruning
from exporter.store.entries import Commit, Quarantined
from exporter.store.protocols import FOLD
from exporter.store.review import MOST, SetAside
from exporter.store.sqlite import SqliteStore

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


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


def refused(origin: str, *keys: str, reason: str = "KeyError: 'x'") -> Sequence[Quarantined]:
    """What the fold set aside."""
    return [Quarantined(origin=origin, key=key, reason=reason, head=key) for key in keys]


def commit(store: SqliteStore, tenant: str, *asides: Sequence[Quarantined]) -> None:
    """One Commit of the fold that moves nothing else."""
    rows = [one for some in asides for one in some]
    store.commit(Commit(tenant=tenant, consumer=FOLD, expected_offset=0, offset=0, quarantine=rows))


def shown(path: Path) -> list[tuple[str, str, str]]:
    """What a person is shown, the oldest first."""
    reader = open_reader(path)
    found = [(one.tenant, one.origin, one.key) for one in reversed(reader.set_aside(10_000))]
    reader.close()
    return found


def test_nobody_takes_the_place_of_another(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of each origin of each database stay, and a sender's requests until a person decides about them."""
    monkeypatch.setattr(pruning, "QUARANTINED", 2)
    for key in ("a", "b", "c"):
        store.review.keep(row(key))
    commit(store, "acme", refused("fold/odoo/jobs", "1"))
    for tenant in ("acme", "zeta"):
        commit(store, tenant, refused("fold/odoo/crons", "1", "2", "3", "4"))
    assert store.upkeep.drop("acme", LONG_AGO, LONG_AGO) == {"quarantined": 2}
    kept = [("acme", "hooks/shop", "a"), ("acme", "hooks/shop", "b"), ("acme", "hooks/shop", "c")]
    kept += [("acme", "fold/odoo/jobs", "1"), ("acme", "fold/odoo/crons", "3"), ("acme", "fold/odoo/crons", "4")]
    assert shown(path) == [*kept, *[("zeta", "fold/odoo/crons", key) for key in ("1", "2", "3", "4")]]
    assert store.upkeep.drop("zeta", LONG_AGO, LONG_AGO) == {"quarantined": 2}
    assert shown(path) == [*kept, ("zeta", "fold/odoo/crons", "3"), ("zeta", "fold/odoo/crons", "4")]


def test_what_breaks_at_every_mark_is_kept_once(store: SqliteStore, path: Path) -> None:
    """A Subject that a Timer breaks breaks again with each poll: one row for each reason, and all are counted."""
    for _ in range(3):
        commit(store, "acme", refused("timers", "cron/1", "cron/2"), refused("timers", "cron/1"))
    commit(store, "acme", refused("timers", "cron/1", reason="ValueError: y"))
    commit(store, "zeta", refused("timers", "cron/1"))
    mine = [("acme", "timers", "cron/1"), ("acme", "timers", "cron/2"), ("acme", "timers", "cron/1")]
    assert shown(path) == [*mine, ("zeta", "timers", "cron/1")]
    reader = open_reader(path)
    assert reader.counts()["quarantined"] == 11
    reader.close()
