"""What the past costs: 100,000 messages with their tracked values, from the wire to spans in the outbox.

They are served by a program that answers as Odoo does, so that they can be measured on any machine; bench_past.py has
them from a real one. What is measured is the CPU of the exporter alone: it does not matter how fast the other side is.
"""

import json
import os
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from exporter.clock import SystemClock
from exporter.sources.odoo.door import Door
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.rows import row_id
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_http import Canned
from tests.fakes.odoo_live import LiveServer, live_lab

ROWS, PAGE, DAYS = 100_000, 1_000, 20
TRACKING, MESSAGE = "mail.tracking.value", "mail.message"
FIELDS = ("mail_message_id", "old_value_char", "new_value_char", "create_date")
MESSAGE_FIELDS = ("model", "res_id", "date", "author_id", "subtype_id", "create_date")
# Each order is submitted, then approved.
CHANGES = (("RFQ", "To Approve"), ("To Approve", "Purchase Order"))
HERTZ = os.sysconf("SC_CLK_TCK")


class _Past(LiveServer):
    """Odoo with a long past of purchases."""

    def answer(self, path: str, headers: dict[str, str], body: Any) -> Canned:
        """The past by itself, everything else as ever."""
        if path == f"/json/2/{TRACKING}/search_read":
            return _json([self._change(one) for one in _page(body)])
        if path == f"/json/2/{TRACKING}/search_count":
            return _json(ROWS)
        if path == f"/json/2/{MESSAGE}/search_read" and (ids := _ids(body)) is not None:
            return _json([self._message(one) for one in ids if 0 < one <= ROWS])
        return super().answer(path, headers, body)

    @cached_property
    def _begin(self) -> datetime:
        """Its first row is of this moment, whenever it is asked for."""
        return self.odoo.now.replace(microsecond=0) - timedelta(days=DAYS)

    def _at(self, number: int) -> str:
        return f"{self._begin + (DAYS - 1) * timedelta(days=1) * number / ROWS:%Y-%m-%d %H:%M:%S}"

    def _change(self, number: int) -> Mapping[str, Any]:
        old, new = CHANGES[(number - 1) % 2]
        said = {"old_value_char": old, "new_value_char": new, "create_date": self._at(number)}
        return {"id": number, "mail_message_id": number, **said}

    def _message(self, number: int) -> Mapping[str, Any]:
        about = {"model": "purchase.order", "res_id": (number + 1) // 2, "date": self._at(number)}
        return {"id": number, "author_id": 7, "subtype_id": 1, "create_date": self._at(number), **about}


def _page(body: Mapping[str, Any]) -> range:
    """Which ids a page of tracked values holds; those asked for newest first are one."""
    leaves = [leaf for leaf in body.get("domain", ()) if isinstance(leaf, list)]
    after = next((leaf[2] for leaf in leaves if leaf[:2] == ["id", ">"]), 0)
    limit = body.get("limit") or ROWS
    if body.get("order") == "id desc":
        return range(ROWS, ROWS - limit, -1)
    return range(after + 1, min(after + limit, ROWS) + 1)


def _ids(body: Mapping[str, Any]) -> list[int] | None:
    return next(
        (leaf[2] for leaf in body.get("domain", ()) if isinstance(leaf, list) and leaf[:2] == ["id", "in"]), None
    )


def _json(found: Any) -> Canned:
    return Canned(body=json.dumps(found).encode(), kind="application/json")


def backfill_fake_rows_per_cpu_s() -> dict[str, float]:
    """Messages with their values read, folded, durable and told, per CPU second of the exporter.

    The peer reads the same pages and parses them, and does nothing with them.
    """
    return {name: figure for name, figure in _figures().items() if "rss" not in name}


def backfill_fake_rss_mib() -> dict[str, float]:
    """The most MiB the exporter had meanwhile."""
    return {name: figure for name, figure in _figures().items() if "rss" in name}


@cache
def _figures() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder, _Past(live_lab()) as server:
        settings = {"history_days": DAYS + 1, "poll_seconds": 1}
        with Exporter(Path(folder), [server.entry("acme", **settings)]) as exporter:
            until(lambda: _done(exporter), 300, "the past")
            cpu, peak = cost(exporter.process.pid)
        began = time.thread_time()
        read = only_read(Json2Door(server.access(), SystemClock()))
        peer = time.thread_time() - began
        assert read == ROWS
    return {
        "backfill_fake_rows_per_cpu_s": ROWS / cpu,
        "backfill_fake_rows_per_cpu_s_peer": ROWS / peer,
        "backfill_fake_rss_mib": peak,
    }


def _done(exporter: Exporter) -> bool:
    try:
        return exporter.counts()["events"] >= ROWS and exporter.counts()["spans"] >= ROWS and exporter.folded("acme")
    except KeyError:
        return False


def cost(pid: int) -> tuple[float, float]:
    """CPU seconds and the most MiB of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return (int(stat[11]) + int(stat[12])) / HERTZ, int(status.partition("VmHWM:")[2].split()[0]) / 1024


def only_read(door: Door) -> int:
    """A bare reader: pages of values, and the messages of each; how many messages."""
    after = count = 0
    while rows := door.search_read(TRACKING, [["id", ">", after]], FIELDS, limit=PAGE):
        ids: list[Any] = [row["mail_message_id"] for row in rows]
        found = door.search_read(MESSAGE, [["id", "in", ids]], MESSAGE_FIELDS)
        after, count = row_id(rows[-1]), count + len(found)
    return count
