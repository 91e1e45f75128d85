"""The tables and the plans SQLite makes for the questions that are asked all the time."""

from collections.abc import Iterator

import apsw
import pytest

from exporter.store import lookups, reading, schema, settling

GLOBAL = {"meta", "sent"}


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    """An empty store in memory."""
    opened = apsw.Connection(":memory:")
    for step in schema.MIGRATIONS:
        opened.execute(step)
    yield opened
    opened.close()


def _tables(connection: apsw.Connection) -> dict[str, str]:
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {str(name): str(sql) for name, sql in found.fetchall()}


def test_every_table_is_strict_and_keyed_by_tenant(connection: apsw.Connection) -> None:
    """No table believes in a single tenant, and none takes a text for bytes (feature 104)."""
    tables = _tables(connection)
    assert [name for name, sql in tables.items() if "STRICT" not in sql] == []
    assert {name for name, sql in tables.items() if "tenant TEXT NOT NULL" not in sql} == GLOBAL


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (lookups._READ, "events_order (tenant=? AND seq>?)"),
        (lookups._PENDING, "outbox_order (signal=? AND id>?)"),
        (lookups._SUBJECTS, "sqlite_autoindex_subjects_1 (tenant=? AND key=?)"),
        (lookups._DUE, "timers_due (tenant=? AND source=? AND due<?)"),
        (lookups._TIMERS, "sqlite_autoindex_timers_1 (tenant=? AND subject=?)"),
        (lookups._OWED, "sqlite_autoindex_owed_1 (tenant=?)"),
        (reading._LAG, "events_order (tenant=? AND seq>?)"),
        (reading._OPEN, "subjects_open (tenant=?)"),
        (reading._OPEN_RUNS, "subjects_open"),
        (reading._OBSERVATIONS, "PRIMARY KEY (tenant=? AND series=? AND (at,run)>(?,?))"),
        (settling._DROP, "outbox_order (signal=? AND id=?)"),
    ],
)
def test_the_hot_questions_use_their_index(connection: apsw.Connection, sql: str, index: str) -> None:
    """The plan of a hot query goes through the index made for it, and sorts no table (facts/kernel.md)."""
    values = next((n for n in (3, 2) if f"?{n}" in sql), sql.count("?"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * values).fetchall()
    steps = "\n".join(str(row[3]) for row in plan)
    assert index in steps
    if sql not in {lookups._DUE, lookups._TIMERS}:  # they sort the few that are due, of all sources
        assert "TEMP B-TREE" not in steps
