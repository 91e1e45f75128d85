"""How rows become statements."""

import apsw
from hypothesis import given
from hypothesis import strategies as some

from exporter.store.statements import Statement, execute
from exporter.store.writing import context_id

PAIR = Statement("INSERT INTO pairs VALUES", 2, "ON CONFLICT(key) DO UPDATE SET value = excluded.value")
GONE = Statement("DELETE FROM pairs WHERE (key, value) IN (VALUES", 2, ")")
rows = some.lists(some.tuples(some.integers(0, 300), some.integers(0, 3)), max_size=500)


@given(rows, rows)
def test_many_rows_at_a_time_are_the_same_as_one_at_a_time(
    written: list[tuple[int, int]], gone: list[tuple[int, int]]
) -> None:
    """However many rows there are, upserts and deletes in chunks leave what a dict would hold."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE pairs(key INTEGER PRIMARY KEY, value INTEGER) STRICT")
    execute(connection, PAIR, written)
    execute(connection, GONE, gone)
    kept = {key: value for key, value in dict(written).items() if (key, value) not in set(gone)}
    found = connection.execute("SELECT key, value FROM pairs").fetchall()
    assert sorted(found) == sorted(kept.items())
    connection.close()


@given(some.text(), some.binary(), some.text(), some.binary())
def test_a_context_has_an_id_of_its_own(tenant: str, context: bytes, other: str, another: bytes) -> None:
    """The id of a context is a 64-bit function of tenant and bytes, and differs when one of them does."""
    ids = context_id(tenant, context), context_id(other, another)
    assert all(-(2**63) <= number < 2**63 for number in ids)
    assert (ids[0] == ids[1]) == ((tenant, context) == (other, another))
