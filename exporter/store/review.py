"""What was set aside and is kept for a person to look at: the store's face for `odoo-otel refused`.

Rows of the quarantine that came from a sender's request have the origin `hooks/<name>`; those of the outbox
(`outbox/traces`) and of the fold (`fold/odoo/jobs`) are shown beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apsw

from exporter.store import statements as st
from exporter.store.connecting import Readers
from exporter.store.statements import execute
from exporter.store.writer import Writer
from exporter.store.writing import Work

HOOKS = "hooks/"
_KEPT = "SELECT id FROM quarantine WHERE tenant = ? AND origin = ? AND key = ?"
_KEEP = "INSERT INTO quarantine(tenant, origin, key, reason, head, body) VALUES (?, ?, ?, ?, ?, ?)"
_EXCESS = """
DELETE FROM quarantine WHERE tenant = ?1 AND origin = ?2
AND id <= (SELECT id FROM quarantine WHERE tenant = ?1 AND origin = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)
"""
_DROP = "DELETE FROM quarantine WHERE id = ?"
_LIST = "SELECT id, tenant, origin, key, reason, head, body FROM quarantine ORDER BY id DESC LIMIT ?"
_FIND = "SELECT id, tenant, origin, key, reason, head, body FROM quarantine WHERE id = ?"
MOST = 200  # of one sender that are kept, the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One row that was set aside.

    Attributes:
        id: given by the store; 0 before.
        origin: `hooks/<name>`, `outbox/<signal>`, `fold/<source>`, `events` (unreadable) or `timers`.
        key: what it is known by there; the same is kept once.
        head: what else is known of it; `body`: masked where it came from a sender, b"" where none was kept.
    """

    tenant: str
    origin: str
    key: str
    reason: str
    head: str = ""
    body: bytes = b""
    id: int = 0


class Review(Protocol):
    """What a person may still decide about."""

    def keep(self, aside: SetAside, *, within: float | None = None) -> bool:
        """Set it aside, counted; False when it is there already. The oldest beyond MOST of its origin leave.

        Raises:
            StoreError: it was not durable in so many seconds.
        """

    def find(self, number: int) -> SetAside | None:
        """One row."""

    def drop(self, number: int) -> None:
        """It was decided about."""


class SqliteReview:
    """See Review."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._do, self._readers = writer.do, readers

    def keep(self, aside: SetAside, *, within: float | None = None) -> bool:
        """See Review."""
        return self._do(_keeping(aside), within)

    def find(self, number: int) -> SetAside | None:
        """See Review."""
        return one(self._readers, number)

    def drop(self, number: int) -> None:
        """See Review."""
        self._do(_dropping(number))


def listed(readers: Readers, limit: int) -> Sequence[SetAside]:
    """The newest rows that were set aside."""
    return _rows(readers, _LIST, limit)


def one(readers: Readers, number: int) -> SetAside | None:
    """One of them."""
    return next(iter(_rows(readers, _FIND, number)), None)


def _rows(readers: Readers, sql: str, binding: int) -> list[SetAside]:
    rows: list[tuple[Any, ...]] = readers.rows(sql, (binding,))
    return [
        SetAside(id=number, tenant=tenant, origin=origin, key=key, reason=reason, head=head, body=body or b"")
        for number, tenant, origin, key, reason, head, body in rows
    ]


def _keeping(aside: SetAside) -> Work[bool]:
    def work(connection: apsw.Connection) -> bool:
        if connection.execute(_KEPT, (aside.tenant, aside.origin, aside.key)).fetchall():
            return False
        row = (aside.tenant, aside.origin, aside.key, aside.reason, aside.head, aside.body)
        connection.execute(_KEEP, row)
        connection.execute(_EXCESS, (aside.tenant, aside.origin, MOST))
        execute(connection, st.COUNT, [(aside.tenant, "quarantined", 1)])
        return True

    return work


def _dropping(number: int) -> Work[None]:
    def work(connection: apsw.Connection) -> None:
        connection.execute(_DROP, (number,))

    return work
