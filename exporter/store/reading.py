"""The Reader: what web, CLI and detectors may see of a store that another process may be writing."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from exporter.domain.counted import COUNTED, Counted, read_counted
from exporter.domain.tenants import Tenant
from exporter.domain.times import SECOND, from_micros, micros
from exporter.errors import StoreError
from exporter.store import review
from exporter.store.connecting import Readers
from exporter.store.encoded import Signal
from exporter.store.entries import ObservationRow, PollReport, RunRow, TotalRow
from exporter.store.review import SetAside
from exporter.store.rows import RUN_COLUMNS, run_row, total_rows

_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_tenant = msgspec.json.Decoder(Tenant).decode
CHOSEN_BY = ("kind", "workflow", "result")
PAGE = 5_000  # observations in one transaction
TRACED = 1_000  # Runs that `trace` returns at most
_HEX_DIGITS = 32
_AFTER_EVERY_ID = "\U0010ffff"

_OPEN_RUNS = "SELECT count(*) FROM subjects INDEXED BY subjects_open WHERE open_workflow IS NOT NULL"
_OPEN = """
SELECT kind, open_workflow, open_state, count(*), min(open_since) FROM subjects INDEXED BY subjects_open
WHERE tenant = ? AND open_workflow IS NOT NULL GROUP BY kind, open_workflow, open_state
"""
_OPEN_FINDINGS = f"""
SELECT {RUN_COLUMNS} FROM runs INDEXED BY runs_open WHERE tenant = ? AND kind = 'finding' AND ended_at IS NULL
ORDER BY started_at, id
"""  # noqa: S608 - constants only
_REPORTS = """
SELECT source, began_at, micros, ok, events, error, last_success, read_until, refused, missing FROM reports
WHERE tenant = ? ORDER BY source
"""
_OLDEST = "SELECT at FROM outbox INDEXED BY outbox_order WHERE signal = ? ORDER BY id LIMIT 1"
_OFFSET = "coalesce((SELECT seq FROM offsets WHERE tenant = ?1 AND consumer = ?2), 0)"
_LAG = f"SELECT count(*) FROM events INDEXED BY events_order WHERE tenant = ?1 AND seq > {_OFFSET}"  # noqa: S608
_LAGGING = f"""
SELECT seen FROM events INDEXED BY events_order WHERE tenant = ?1 AND seq > {_OFFSET} ORDER BY seq LIMIT 1
"""  # noqa: S608 - constants only, here and below
# DISTINCT would walk every observation; this is one seek a series.
_SERIES = """
WITH RECURSIVE names(name) AS (
  SELECT min(series) FROM observations WHERE tenant = ?1
  UNION ALL
  SELECT (SELECT min(series) FROM observations WHERE tenant = ?1 AND series > name) FROM names WHERE name IS NOT NULL)
SELECT name FROM names WHERE name IS NOT NULL
"""
# What loops/tenants.py remembers of a tenant at its first start.
_TENANT = "SELECT mark FROM marks WHERE tenant = ? AND source = 'service' AND key = 'tenant'"
_COUNTED = f"SELECT source, mark FROM marks WHERE tenant = ? AND key LIKE '{COUNTED}%' ORDER BY source, key"  # noqa: S608
_MARKS = "SELECT key, mark FROM marks WHERE tenant = ? AND source = ?"
_FIRST_OBSERVATION = """
SELECT at, run FROM observations WHERE tenant = ? AND series = ? ORDER BY at DESC, run DESC LIMIT 1 OFFSET ?
"""
_OBSERVATIONS = """
SELECT at, run, value FROM observations WHERE tenant = ? AND series = ? AND (at, run) >= (?, ?) ORDER BY at, run LIMIT ?
"""


class SqliteReader:
    """Read-only, paged; every query is a transaction of its own, every thread has its own connection."""

    def __init__(self, path: Path) -> None:
        """Open. Raises StoreError where there is no store, or one of another schema."""
        self._readers = Readers(path)
        self._rows = self._readers.rows
        if not path.exists():
            raise StoreError(f"there is no store at {path}: start `odoo-otel run` or name another file.")
        self.tenants()  # the schema version is checked now, not at the first question

    def close(self) -> None:
        """Let go of the file."""
        self._readers.close()

    def tenants(self) -> list[str]:
        """Every tenant that has anything stored."""
        return [str(tenant) for (tenant,) in self._rows("SELECT DISTINCT tenant FROM counters ORDER BY tenant")]

    def counts(self) -> dict[str, int]:
        """Numbers of events, runs, open_runs, spans (ever told), logs, observations, quarantined."""
        found: list[tuple[Any, ...]] = self._rows("SELECT name, sum(value) FROM counters GROUP BY name")
        counters = dict(found)
        put: dict[Any, Any] = dict(self._rows("SELECT signal, rows FROM sent WHERE outcome = 'put'"))  # type: ignore[arg-type]
        return {
            "events": counters.get("events", 0),
            "runs": counters.get("runs", 0),
            "open_runs": self._number(_OPEN_RUNS),
            "spans": put.get("traces", 0),
            "logs": put.get("logs", 0),
            "observations": counters.get("observations", 0),
            "quarantined": counters.get("quarantined", 0),
        }

    def runs(self, tenant: str | None = None, limit: int = 50, **where: str) -> list[tuple[str, RunRow]]:
        """(tenant, Run), the last started first; where: kind, workflow, result. Raises StoreError for another name."""
        unknown = sorted(set(where) - set(CHOSEN_BY))
        if unknown:
            raise StoreError(f"Runs cannot be chosen by {unknown[0]}: choose by {', '.join(CHOSEN_BY)}.")
        chosen = "".join(f" AND {name} = ?" for name in where)
        sql = f"SELECT {RUN_COLUMNS} FROM runs WHERE tenant = ?{chosen} ORDER BY started_at DESC, id DESC LIMIT ?"  # noqa: S608
        tenants = self.tenants() if tenant is None else [tenant]
        each = [[(name, run_row(row)) for row in self._rows(sql, (name, *where.values(), limit))] for name in tenants]
        return list(islice(merge(*each, key=lambda found: found[1].started_at, reverse=True), limit))

    def open_findings(self, tenant: str) -> list[RunRow]:
        """Findings that are open, oldest first."""
        return [run_row(row) for row in self._rows(_OPEN_FINDINGS, (tenant,))]

    def trace(self, prefix: str) -> list[tuple[str, RunRow]]:
        """The Runs whose trace id (hex) or run id begins with the prefix, at most TRACED, the first started first."""
        found = self._by_trace(prefix.lower()) if _is_hex(prefix) else []
        sql = f"SELECT {RUN_COLUMNS} FROM runs WHERE tenant = ? AND id >= ? AND id < ? ORDER BY id LIMIT ?"  # noqa: S608
        for tenant in self.tenants():
            rows = self._rows(sql, (tenant, prefix, prefix + _AFTER_EVERY_ID, TRACED))
            found += [(tenant, run_row(row)) for row in rows]
        unique = {(tenant, run.id): (tenant, run) for tenant, run in found}
        return sorted(unique.values(), key=lambda one: (one[1].started_at, one[1].id))[:TRACED]

    def open_runs(self, tenant: str) -> list[tuple[str, str, str, int, datetime]]:
        """(kind, workflow, state, count, oldest since) of open Runs."""
        found: list[tuple[Any, ...]] = self._rows(_OPEN, (tenant,))
        return [(kind, workflow, state, n, from_micros(since)) for kind, workflow, state, n, since in found]

    def dropped(self, tenant: str) -> dict[str, int]:
        """Rows that housekeeping ever dropped of a tenant, by what they were."""
        sql = "SELECT substr(name, 9), value FROM counters WHERE tenant = ? AND name LIKE 'dropped/%'"
        found: list[tuple[Any, ...]] = self._rows(sql, (tenant,))
        return dict(found)

    def totals(self, tenant: str) -> list[TotalRow]:
        """Every series of the tenant."""
        return total_rows(self._rows, tenant)

    def reports(self, tenant: str) -> list[tuple[PollReport, datetime | None]]:
        """The last report of each Source, with its mark and all rows it ever refused; when its last success began."""
        return [_report(row) for row in self._rows(_REPORTS, (tenant,))]

    def outbox(self) -> list[tuple[Signal, int, datetime | None]]:
        """(signal, rows waiting, the oldest one's time) of every signal that ever had a row."""
        sql = "SELECT signal, sum(CASE outcome WHEN 'put' THEN rows ELSE -rows END) FROM sent GROUP BY signal"
        waiting: list[tuple[Any, ...]] = self._rows(sql)
        return [(signal, rows, self._time(_OLDEST, signal)) for signal, rows in waiting]

    def sent(self) -> dict[tuple[Signal, str], int]:
        """(signal, accepted|rejected|pruned) -> count ever."""
        found: list[tuple[Any, ...]] = self._rows("SELECT signal, outcome, rows FROM sent WHERE outcome <> 'put'")
        return {(signal, outcome): rows for signal, outcome, rows in found}

    def counted(self, tenant: str) -> list[tuple[str, Counted]]:
        """(Source, how far it is read) of each part of the past that is longer than a page."""
        return [(str(source), read_counted(str(mark))) for source, mark in self._rows(_COUNTED, (tenant,))]

    def lag(self, tenant: str, consumer: str) -> tuple[int, datetime | None]:
        """Events not folded yet, and when the oldest of them was seen."""
        return self._number(_LAG, tenant, consumer), self._time(_LAGGING, tenant, consumer)

    def set_aside(self, limit: int) -> Sequence[SetAside]:
        """The newest rows that were set aside: requests of senders, Events, rows of the outbox."""
        return review.listed(self._readers, limit)

    def aside(self, number: int) -> SetAside | None:
        """One of them."""
        return review.one(self._readers, number)

    def tenant(self, name: str) -> Tenant | None:
        """Who a tenant is, and since when it is read: what ended before is history. None: it never answered."""
        found = self._rows(_TENANT, (name,))
        return _decode_tenant(str(found[0][0])) if found else None

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """How far a Source was read, and what the service remembers: key -> mark."""
        return {str(key): str(mark) for key, mark in self._rows(_MARKS, (tenant, source))}

    def series(self, tenant: str) -> list[str]:
        """The names of every series that has a number, in order."""
        return [str(name) for (name,) in self._rows(_SERIES, (tenant,))]

    def observations(
        self, tenant: str, series: str, limit: int = 1000, after: tuple[datetime, str] | None = None
    ) -> Iterator[ObservationRow]:
        """Numbers of a series in time order, a page of PAGE in each transaction.

        The newest `limit`; with `after` (at, run) the first `limit` that come behind it.
        """
        count = limit
        start = self._newest(tenant, series, limit) if after is None else _behind(micros(after[0]), after[1])
        while count > 0:
            page: list[tuple[Any, ...]] = self._rows(_OBSERVATIONS, (tenant, series, *start, min(count, PAGE)))
            for at, run, value in page:
                yield ObservationRow(series=series, run=run, at=from_micros(at), value=value)
            count = count - len(page) if len(page) == PAGE else 0
            start = _behind(page[-1][0], page[-1][1]) if page else start

    def _newest(self, tenant: str, series: str, limit: int) -> tuple[int, str]:
        """Where the newest `limit` numbers of a series begin."""
        found: list[tuple[Any, ...]] = self._rows(_FIRST_OBSERVATION, (tenant, series, limit - 1))
        return (found[0][0], found[0][1]) if found else (-(2**63), "")

    def _by_trace(self, prefix: str) -> list[tuple[str, RunRow]]:
        low, high = (bytes.fromhex(prefix.ljust(_HEX_DIGITS, digit)) for digit in "0f")
        sql = f"SELECT tenant, {RUN_COLUMNS} FROM runs WHERE trace_id BETWEEN ? AND ? LIMIT ?"  # noqa: S608
        return [(str(tenant), run_row(tuple(row))) for tenant, *row in self._rows(sql, (low, high, TRACED))]

    def _number(self, sql: str, *bindings: str) -> int:
        found: list[tuple[Any, ...]] = self._rows(sql, bindings)
        return int(found[0][0])

    def _time(self, sql: str, *bindings: str) -> datetime | None:
        found: list[tuple[Any, ...]] = self._rows(sql, bindings)
        return from_micros(found[0][0]) if found else None


def _behind(at: int, run: str) -> tuple[int, str]:
    """The first place behind (at, run): the text that comes next."""
    return at, run + "\0"


def _is_hex(prefix: str) -> bool:
    return len(prefix) <= _HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in prefix)


def _report(row: tuple[Any, ...]) -> tuple[PollReport, datetime | None]:
    source, began, took, ok, events, error, last, until, refused, missing = row
    report = PollReport(
        source=source,
        began_at=from_micros(began),
        seconds=took / SECOND,
        ok=bool(ok),
        events=events,
        error=error,
        read_until=None if until is None else from_micros(until),
        refused=refused,
        missing=_decode_texts(missing),
    )
    return report, None if last is None else from_micros(last)
