"""The tables, and how a file of another version is treated: an older one is copied and migrated, a newer one refused.

Every table is keyed by tenant, but for two that cannot be: `sent` counts answers of a server to requests in which
tenants are mixed, and `meta` is about the file. Times are integer microseconds since 1970.
"""

from contextlib import suppress
from pathlib import Path

import apsw

from exporter.errors import StoreError

# A rowid table with an upsert costs a third of WITHOUT ROWID for blobs of state (facts/kernel.md); observations are
# small and only ever read by series and time, so there one B-tree serves as table and index.
FIRST = """
CREATE TABLE meta(name TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;

-- Keys outlive bodies: pruning sets body NULL, so that a row that comes back is still a repeat.
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, tenant TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
  version INTEGER NOT NULL, at INTEGER NOT NULL, seen INTEGER NOT NULL, precision INTEGER NOT NULL, body BLOB,
  UNIQUE(tenant, source, key)) STRICT;
CREATE INDEX events_order ON events(tenant, seq);

CREATE TABLE marks(
  tenant TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL, mark TEXT NOT NULL,
  UNIQUE(tenant, source, key)) STRICT;
CREATE TABLE reports(
  tenant TEXT NOT NULL, source TEXT NOT NULL, began_at INTEGER NOT NULL, micros INTEGER NOT NULL, ok INTEGER NOT NULL,
  events INTEGER NOT NULL, error TEXT NOT NULL, last_success INTEGER, read_until INTEGER, refused INTEGER NOT NULL,
  missing TEXT NOT NULL, UNIQUE(tenant, source)) STRICT;

CREATE TABLE offsets(
  tenant TEXT NOT NULL, consumer TEXT NOT NULL, seq INTEGER NOT NULL, UNIQUE(tenant, consumer)) STRICT;
CREATE TABLE subjects(
  tenant TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, state BLOB NOT NULL,
  open_workflow TEXT, open_state TEXT, open_since INTEGER, UNIQUE(tenant, key)) STRICT;
CREATE INDEX subjects_open ON subjects(tenant, kind, open_workflow, open_state, open_since)
  WHERE open_workflow IS NOT NULL;
CREATE TABLE runs(
  tenant TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, workflow TEXT NOT NULL, subject TEXT NOT NULL,
  trace_id BLOB NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, result TEXT, origin TEXT NOT NULL,
  body BLOB NOT NULL, UNIQUE(tenant, id)) STRICT;
CREATE INDEX runs_newest ON runs(tenant, started_at);
CREATE INDEX runs_trace ON runs(trace_id);
CREATE INDEX runs_open ON runs(tenant, kind) WHERE ended_at IS NULL;
CREATE TABLE links(
  tenant TEXT NOT NULL, key TEXT NOT NULL, subject TEXT NOT NULL, UNIQUE(tenant, key)) STRICT;
CREATE TABLE parked(
  tenant TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, UNIQUE(tenant, key, seq)) STRICT;
CREATE TABLE timers(
  tenant TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, source TEXT NOT NULL,
  UNIQUE(tenant, subject, name)) STRICT;
CREATE INDEX timers_due ON timers(tenant, source, due);
CREATE TABLE tombstones(
  tenant TEXT NOT NULL, subject TEXT NOT NULL, run TEXT NOT NULL, until INTEGER NOT NULL, state BLOB NOT NULL,
  UNIQUE(tenant, subject, run)) STRICT;
CREATE TABLE totals(
  tenant TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, state BLOB NOT NULL,
  UNIQUE(tenant, name, labels)) STRICT;
CREATE TABLE observations(
  tenant TEXT NOT NULL, series TEXT NOT NULL, at INTEGER NOT NULL, run TEXT NOT NULL, value REAL NOT NULL,
  PRIMARY KEY(tenant, series, at, run)) STRICT, WITHOUT ROWID;

-- A context (encoded resource and scope) is stored once; its id is a digest of tenant and bytes.
CREATE TABLE contexts(id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, body BLOB NOT NULL) STRICT;
-- AUTOINCREMENT: an id never comes back, so "after" stays true when the outbox was empty in between.
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, signal TEXT NOT NULL, context INTEGER NOT NULL,
  at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX outbox_order ON outbox(signal, id);
-- outcome: put | accepted | rejected | pruned; what waits is put less the others.
CREATE TABLE sent(
  signal TEXT NOT NULL, outcome TEXT NOT NULL, rows INTEGER NOT NULL, UNIQUE(signal, outcome)) STRICT;
CREATE TABLE owed(tenant TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL, UNIQUE(tenant, source, key)) STRICT;
CREATE TABLE quarantine(
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, origin TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL,
  head TEXT NOT NULL, body BLOB) STRICT;
-- Running numbers (events, runs, observations, quarantined), so that nobody counts big tables.
CREATE TABLE counters(
  tenant TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, UNIQUE(tenant, name)) STRICT;
"""

# touched: the offset of the Commit that wrote the Subject last; what nothing can come to any more is forgotten.
# owed.seq: the offset of the Commit that owed it last; only a poll that began later pays it. tombstones: nothing ever
# wrote one, a closed Subject is its own (docs/decisions/0004).
SECOND = """
ALTER TABLE subjects ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
UPDATE subjects SET touched = (SELECT coalesce(max(seq), 0) FROM events);
CREATE INDEX links_subject ON links(tenant, subject);
ALTER TABLE owed ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
DROP TABLE tombstones;
"""

# The step at i takes a file of version i to i + 1; once files of that version are out, it stays as it is.
MIGRATIONS: tuple[str, ...] = (FIRST, SECOND)


def version(connection: apsw.Connection) -> int:
    """The schema version of an open file; 0 while it is empty."""
    return int(connection.pragma("user_version"))


def require_current(connection: apsw.Connection, path: Path) -> None:
    """Raise StoreError unless the file has exactly the schema of this program."""
    found, ours = version(connection), len(MIGRATIONS)
    if found > ours:
        raise StoreError(
            f"{path} has schema {found} and this program knows up to {ours}: "
            "start the newer program again, or use the copy made before the upgrade."
        )
    if found < ours:
        raise StoreError(f"{path} has schema {found}, not {ours}: run `odoo-otel run` on it once, that upgrades it.")


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring an older or empty file to the newest schema, in one transaction, after copying what is in it.

    The copy is `<path>.v<old version>`. Raises StoreError for a file of a newer program, which is left as it is.
    """
    found = version(connection)
    if 0 < found < len(MIGRATIONS):
        _copy(connection, path.with_name(f"{path.name}.v{found}"))
    if found < len(MIGRATIONS):
        with connection:
            for step in MIGRATIONS[found:]:
                connection.execute(step)
            connection.execute(
                "INSERT INTO meta VALUES ('schema', ?1) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                (str(len(MIGRATIONS)),),
            )
            connection.pragma("user_version", len(MIGRATIONS))
    require_current(connection, path)
    if not connection.pragma("auto_vacuum"):  # a file of version 1: only this lets its free pages go back to the disk
        with suppress(apsw.FullError):
            connection.execute("VACUUM")


def _copy(connection: apsw.Connection, copy: Path) -> None:
    copy.unlink(missing_ok=True)  # left by an upgrade that was interrupted; the file itself is still whole
    connection.execute("VACUUM INTO ?", (str(copy),))
