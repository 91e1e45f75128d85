"""A refold: what is stored tells the same Runs and numbers again, and mends those that a wrong fold told."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from shutil import copyfile
from typing import Any

import apsw
import pytest

from exporter.clock import StepClock
from exporter.domain.tenants import Tenant
from exporter.errors import StoreError
from exporter.fold.subjects import Flow
from exporter.loops.folding import Folding, FoldingOptions
from exporter.refolding import MARGIN, replay
from exporter.store import open_store
from exporter.store.protocols import Ledger
from exporter.store.replaying import Replaced
from tests.fakes.simulated import LIVE, NAME, company, store_of

DERIVED = ("runs", "observations")
HISTORY = ("totals", "outbox", "sent", "subjects", "timers", "events", "offsets", "marks")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a company after three days, made once."""
    found = tmp_path_factory.mktemp("company") / "store.db"
    store_of(company(5, days=3), found, hours=12)
    return found


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(copyfile(made, tmp_path / "store.db"))


def rows(path: Path, tables: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of some tables."""
    with apsw.Connection(str(path)) as connection:
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}  # noqa: S608


def again(ledger: Ledger, tenant: Tenant) -> Folding:
    """As the store was folded."""
    clock = StepClock(LIVE + timedelta(days=9))
    return Folding(ledger=ledger, flow=Flow(tenant=tenant), clock=clock, options=FoldingOptions(host_id=NAME))


def refolded(path: Path) -> Replaced:
    """What a refold changes."""
    return replay(path, NAME, again, lambda _: None)[0]


def test_a_refold_of_what_is_right_changes_nothing(path: Path) -> None:
    """Every Run and number is told again, byte for byte: a refold needs nothing but the Events (decision 1)."""
    before = rows(path, (*DERIVED, *HISTORY))
    found = refolded(path)
    assert (found.changed, found.fresh, found.gone) == (0, 0, 0)
    assert found.same > 1_000
    assert found.numbers == len(before["observations"])
    assert rows(path, (*DERIVED, *HISTORY)) == before


def test_a_refold_mends_what_a_wrong_fold_told(path: Path) -> None:
    """Runs with a wrong result, Runs that are missing or never were, wrong numbers: all are as they would be today."""
    before = rows(path, (*DERIVED, *HISTORY))
    with apsw.Connection(str(path)) as connection:
        connection.execute("UPDATE runs SET result = 'wrong' WHERE rowid % 7 = 0 AND ended_at IS NOT NULL")
        connection.execute("DELETE FROM runs WHERE rowid % 7 = 1 AND ended_at IS NOT NULL")
        connection.execute(
            "INSERT INTO runs SELECT tenant, id || '#phantom', kind, workflow, subject, trace_id, started_at, ended_at,"
            " result, origin, body FROM runs WHERE rowid % 50 = 2 AND ended_at IS NOT NULL"
        )
        connection.execute("UPDATE observations SET value = -1 WHERE value < 2")
        connection.execute("DELETE FROM observations WHERE value > 3")
    found = refolded(path)
    assert min(found.changed, found.fresh, found.gone) > 10
    assert rows(path, (*DERIVED, *HISTORY)) == before


def test_what_is_told_from_facts_that_left_stays(path: Path) -> None:
    """Runs from before a day after the last body that was dropped are left as they are, whatever they say."""
    store = open_store(path)
    cut = LIVE - timedelta(days=1)
    while store.upkeep.drop(NAME, cut, LIVE - timedelta(days=400)):
        pass
    store.close()
    with apsw.Connection(str(path)) as connection:
        connection.execute("UPDATE runs SET result = 'wrong' WHERE ended_at IS NOT NULL")
    found, since = replay(path, NAME, again, lambda _: None)
    assert since is not None
    assert since - MARGIN <= cut
    assert found.changed > 0
    left = rows(path, ("runs",))["runs"]
    micros = since.timestamp() * 1e6
    assert {row[8] for row in left if row[6] <= micros and row[7] is not None} <= {"wrong"}
    assert not [row for row in left if row[6] > micros and row[8] == "wrong"]


def test_nothing_of_a_stranger_is_folded(path: Path) -> None:
    """A database that was never read, and a store that is in use: one sentence, nothing changed, no copy left."""
    with pytest.raises(StoreError, match="holds nothing of other"):
        replay(path, "other", again, lambda _: None)
    store = open_store(path)
    with pytest.raises(StoreError, match="already open for writing"):
        refolded(path)
    store.close()
    assert not [one for one in path.parent.iterdir() if "refold" in one.name]


def test_what_is_open_stays_open(path: Path) -> None:
    """A Run that this store does not know as ended is not closed by a refold: its Subject goes on telling it."""
    with apsw.Connection(str(path)) as connection:
        connection.execute("UPDATE runs SET ended_at = NULL WHERE rowid % 7 = 0 AND ended_at IS NOT NULL")
    before = [row for row in rows(path, ("runs",))["runs"] if row[7] is None]
    assert len(before) > 10
    found = refolded(path)
    assert (found.changed, found.fresh, found.gone) == (0, 0, 0)
    assert [row for row in rows(path, ("runs",))["runs"] if row[7] is None] == before
