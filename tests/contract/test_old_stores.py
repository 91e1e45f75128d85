"""Stores of every version there ever was: today's program opens them, reads the same, and goes on (promise R22)."""

import json
import lzma
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from exporter.clock import StepClock
from exporter.domain.contract import EVENTS
from exporter.fold.advance import KINDS as SUBJECTS
from exporter.fold.advance import advance
from exporter.fold.subjects import Flow
from exporter.fold.tell import redraw
from exporter.fold.voices import VOICES
from exporter.loops.batching import load
from exporter.loops.folding import Folding, FoldingOptions
from exporter.loops.polling import Polling
from exporter.loops.tenants import recall
from exporter.sources.simulator.company import COLLECTIONS
from exporter.sources.simulator.source import SimulatedSource
from exporter.store import copying, open_reader, open_store, schema
from exporter.store.entries import Stored
from tests.contract.frozen import STORES, STORIES, kinds, said
from tests.fakes.simulated import LIVE, NAME, company
from tests.worlds import TENANT

FROZEN = sorted(STORES.glob("*.sqlite.xz"))


@pytest.fixture(params=FROZEN, ids=lambda path: path.name)
def frozen(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A store as it was frozen, and what was said of it."""
    packed: Path = request.param
    path = tmp_path / "store.db"
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path, packed.with_name(packed.name.replace(".sqlite.xz", ".json"))


def test_this_schema_is_frozen() -> None:
    """Whoever adds a migration freezes a store of the new schema, too: `python -m tests.contract.frozen`."""
    assert (STORES / f"schema-{len(schema.MIGRATIONS)}.sqlite.xz").exists()


def test_an_old_store_says_what_it_said(frozen: tuple[Path, Path]) -> None:
    """After the migration every Run, count, series and open Finding is what it was when it was frozen."""
    path, expected = frozen
    open_store(path).close()
    assert said(path) == json.loads(expected.read_text(encoding="utf-8"))
    assert [one.sentence for one in copying.verify(path) if not one.ok] == []


Columns = dict[str, str]


def columns(path: Path) -> Columns:
    """The columns of every table in which something stands, but for that with the number of the schema."""
    with apsw.Connection(str(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'meta'").fetchall()
        filled = [name for (name,) in tables if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall()]  # noqa: S608
        names = {one: connection.execute(f"PRAGMA table_info({one})").fetchall() for one in filled}
    connection.close()
    return {one: ", ".join(str(row[1]) for row in found) for one, found in names.items()}


def rows(path: Path, of: Columns) -> dict[str, list[tuple[object, ...]]]:
    """Every row of these columns, in an order that does not depend on where it stands."""
    with apsw.Connection(str(path)) as connection:
        found = {one: connection.execute(f"SELECT {names} FROM {one}").fetchall() for one, names in of.items()}  # noqa: S608
    connection.close()
    return {one: sorted(values, key=repr) for one, values in found.items()}


def test_the_migration_loses_nothing(frozen: tuple[Path, Path]) -> None:
    """Every row of every table, what is owed and parked included, has the values that it had (promise R22)."""
    path, _ = frozen
    of = columns(path)
    before = rows(path, of)
    open_store(path).close()
    assert len(before["events"]) > 1_000
    assert rows(path, of) == before


def test_what_the_first_schema_owed_is_paid(tmp_path: Path) -> None:
    """A read that was owed under schema 1 is owed still, and the next poll pays it."""
    path = tmp_path / "store.db"
    path.write_bytes(lzma.decompress((STORES / "schema-1.sqlite.xz").read_bytes()))
    store = open_store(path)
    (owed,) = store.owed(NAME)
    assert (owed.source, owed.key) == ("odoo/approvals", "purchase.order,17")
    store.append(NAME, [], paid=[owed])
    assert store.owed(NAME) == []
    store.close()


def test_an_old_store_goes_on(frozen: tuple[Path, Path]) -> None:
    """Every stored body and every saved state is understood: polls and fold go on for hours, nothing is set aside."""
    path, _ = frozen
    store = open_store(path)
    reader = open_reader(path)
    before = reader.counts()
    reader.close()
    clock = StepClock(LIVE + timedelta(hours=9))
    tenant = recall(store, NAME)
    assert tenant is not None
    for name in COLLECTIONS:
        source = SimulatedSource(name=name, company=company(5, days=1), now=clock.now)
        polling = Polling(NAME, source, store, store, clock, lambda: None)
        while polling.step():
            pass
    fold = Folding(ledger=store, flow=Flow(tenant=tenant), clock=clock, options=FoldingOptions(host_id=NAME))
    while fold.step():
        pass
    store.close()
    reader = open_reader(path)
    after = reader.counts()
    reader.close()
    assert after["runs"] > before["runs"]
    assert after["quarantined"] == before["quarantined"]


@pytest.fixture(params=sorted((STORES / "kinds").glob("*.sqlite.xz")), ids=lambda path: path.name)
def every_kind(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Mapping[str, Any]]:
    """A store of every kind as it was frozen, opened by this program, and what was said of it."""
    packed: Path = request.param
    path = tmp_path / "store.db"
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    open_store(path).close()
    return path, json.loads(packed.with_name(packed.name.replace(".sqlite.xz", ".json")).read_text(encoding="utf-8"))


def test_nothing_there_is_is_missing_from_what_is_frozen() -> None:
    """The newest store of every kind holds each name of an Event, each kind of Subject and each kind of Run."""
    newest = STORES / "kinds" / f"schema-{len(schema.MIGRATIONS)}.json"
    frozen = json.loads(newest.read_text(encoding="utf-8"))
    assert {name for _, name, _ in frozen["events"]} == EVENTS.keys()
    assert {kind for _, _, kind in frozen["subjects"]} == SUBJECTS.keys()
    assert {kind for _, _, kind, _, _ in frozen["runs"]} == VOICES.keys()


def test_every_kind_says_what_it_said(every_kind: tuple[Path, Mapping[str, Any]]) -> None:
    """R22: Events by name, Subjects and Runs with their results and traces are those that were frozen."""
    path, frozen = every_kind
    assert kinds(path) == frozen


def test_every_body_state_and_run_is_understood(every_kind: tuple[Path, Mapping[str, Any]]) -> None:
    """R22: each stored Event decodes, each Subject loads and advances, each Run is drawn again in its own trace."""
    path, frozen = every_kind
    store = open_store(path)
    for tenant, name, number in frozen["events"]:
        found = [one for one in store.read(tenant, 0, 10_000) if isinstance(one, Stored) and one.event.name == name]
        assert len(found) == number, (tenant, name)
    for tenant, key, _ in frozen["subjects"]:
        flow = replace(STORIES[tenant].flow, tenant=replace(TENANT, name=tenant))
        advance(load(store.subjects(tenant, [key])[key]), (), flow)
    for tenant, run, _, _, trace in frozen["runs"]:
        row = store.run(tenant, run)
        assert row is not None
        spans = redraw(row.body, replace(TENANT, name=tenant)).spans
        assert {span.trace_id.hex() for span in spans} == {trace.lower()}, run
    store.close()
