"""What the past of a real Odoo costs: 100,000 messages with their tracked values, and the 50,000 orders they are of.

Written by SQL into a copy of the lab's database, read by the exporter as at any first start. What is measured is the
CPU of the exporter's process, from its start to the last span in the outbox: its imports and other polls are in it.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

from exporter.clock import SystemClock
from exporter.domain.redact import Secret
from exporter.sources.odoo.door import Access
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.rows import row_id
from exporter.store import open_reader
from tests.bench.bench_backfill import PAGE, cost, only_read
from tests.fakes.exporter import Exporter, until
from tests.stack import lab as labs
from tests.stack.installs.everything import with_needs
from tests.stack.lab import Lab, company
from tests.stack.long_past import STEPS, entry, write_past
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres

ROWS, DAYS = 100_000, 20
ORDERS = ROWS // len(STEPS)
ORDER, ORDER_FIELDS = "purchase.order", ("state", "name", "amount_total", "currency_id", "create_date", "write_date")


def lacking() -> str:
    """Why there is no real Odoo here; "" where there is one."""
    missing = [one.name for one in with_needs(["odoo-lab"]) if not one.done]
    if not missing:
        return ""
    return f"no real Odoo, {', '.join(missing)} not installed (make test-stack); a fake one: backfill_fake_*"


def backfill_rows_per_cpu_s() -> dict[str, float]:
    """Messages with their values read, folded, durable and told, per CPU second of the exporter.

    The peer reads the same pages through the same door and parses them, and does nothing with them.
    """
    return {name: figure for name, figure in _figures().items() if "rss" not in name}


def backfill_rss_mib() -> dict[str, float]:
    """The most MiB the exporter had meanwhile."""
    return {name: figure for name, figure in _figures().items() if "rss" in name}


@cache
def _figures() -> dict[str, float]:
    with _odoo() as (folder, lab):
        write_past(lab, ROWS, timedelta(days=DAYS), timedelta(days=1))
        with Exporter(folder / "exporter", [entry(lab, "acme", history_days=DAYS + 1)]) as exporter:
            until(lambda: _is_over(exporter), 900, "the past")
            cpu, peak = cost(exporter.process.pid)
            told = exporter.counts()
        began = time.thread_time()
        read = _only_read(lab)
        peer = time.thread_time() - began
    assert read >= ROWS
    assert told["runs"] >= ORDERS
    return {
        "backfill_rows_per_cpu_s": ROWS / cpu,
        "backfill_rows_per_cpu_s_peer": ROWS / peer,
        "backfill_cpu_s": cpu,
        "backfill_rss_mib": peak,
    }


@contextmanager
def _odoo() -> Iterator[tuple[Path, Lab]]:
    """A real one of its own, in a folder through which the user `postgres` may pass."""
    folder = Path(tempfile.mkdtemp(prefix="odoo-otel-bench-"))
    folder.chmod(0o755)
    try:
        with Postgres(folder / "postgres") as postgres:
            labs.prepare(postgres)
            with labs.running(postgres, folder / "odoo", OdooOptions(cron_threads=1)) as lab:
                yield folder, lab
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_over(exporter: Exporter) -> bool:
    """Whether everything was read, and every order is told."""
    reader = open_reader(exporter.store)
    try:
        counted = [one for _, one in reader.counted("acme")]
    finally:
        reader.close()
    if sum(one.of for one in counted) < ROWS + ORDERS or not all(one.over for one in counted):
        return False
    found = exporter.counts()
    return found["runs"] >= ORDERS and found["spans"] >= ROWS and exporter.folded("acme")


def _only_read(lab: Lab) -> int:
    """A bare reader of the same: orders, values, messages."""
    access = Access(url=lab.odoo.url, database=lab.odoo.db, user="mon", key=Secret(company().keys["mon"]), timeout=60)
    door = Json2Door(access, SystemClock())
    after = 0
    while rows := door.search_read(ORDER, [["id", ">", after]], ORDER_FIELDS, limit=PAGE):
        after = row_id(rows[-1])
    return only_read(door)
