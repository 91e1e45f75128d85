"""What takes rows out of the outbox: the server's answer, or the budget where there is no sink."""

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from exporter.store import statements as st
from exporter.store.encoded import Signal
from exporter.store.statements import execute
from exporter.store.writing import Work

PRUNED_AT_ONCE = 10_000  # so that pruning a long backlog never holds up an append for long
_encode = msgspec.json.Encoder().encode

# outbox_order holds (signal, id): a row is found by it, and a wrong signal never drops another one's row.
_DROP = "DELETE FROM outbox WHERE signal = ? AND id IN (SELECT value FROM json_each(?))"
_SET_ASIDE = """
INSERT INTO quarantine(tenant, origin, key, reason, head, body)
SELECT tenant, 'outbox/' || signal, id, ?, '', body FROM outbox WHERE signal = ? AND id = ? RETURNING tenant
"""
_WAITING = """
SELECT coalesce(sum(CASE outcome WHEN 'put' THEN rows ELSE -rows END), 0) FROM sent WHERE signal = ?
"""
_PRUNE = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE signal = ? ORDER BY id LIMIT ?)"


def settling(signal: Signal, delivered: Sequence[int], rejected: Mapping[int, str], counted: int) -> Work[None]:
    """What the server's answer does: accepted and rejected together are the rows that left, also when repeated."""
    gone = _encode([*delivered])
    refused = _encode([*rejected])

    def work(connection: apsw.Connection) -> None:
        for row, reason in rejected.items():
            for (tenant,) in connection.execute(_SET_ASIDE, (reason, signal, row)).fetchall():
                execute(connection, st.COUNT, [(tenant, "quarantined", 1)])
        aside = _drop(connection, signal, refused)
        left = _drop(connection, signal, gone)
        inside = min(counted, left)  # they were delivered rows: a repeated settle finds none
        execute(connection, st.SENT, [(signal, "accepted", left - inside), (signal, "rejected", aside + inside)])

    return work


def _drop(connection: apsw.Connection, signal: Signal, ids: bytes) -> int:
    connection.execute(_DROP, (signal, ids.decode()))
    return connection.changes()


def pruning(signal: Signal, keep: int) -> Work[int]:
    """What drops the oldest rows beyond `keep`, at most PRUNED_AT_ONCE; tells how many it dropped."""

    def work(connection: apsw.Connection) -> int:
        excess = min(connection.execute(_WAITING, (signal,)).get - keep, PRUNED_AT_ONCE)
        if excess <= 0:
            return 0
        connection.execute(_PRUNE, (signal, excess))
        dropped = connection.changes()
        execute(connection, st.SENT, [(signal, "pruned", dropped)])
        return dropped

    return work
