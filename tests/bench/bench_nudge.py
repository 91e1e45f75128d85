"""From Odoo's webhook to the record's span in the outbox, over real sockets, beside a database that is only polled.

Two fake Odoos with running clocks and one exporter; the same orders are confirmed in both at the same moments, in any
part of a second, and one of them sends its webhook.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Thread

import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from exporter.store.connecting import Readers
from exporter.store.lookups import Lookups
from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

ORDERS, EVERY = 40, (0.2, 1.3)  # seconds between two of them
POLL = 15
TOKEN = "bench-token-0123456789abcdef"
HOOKS = {"odoo": {"scheme": "token", "secrets": TOKEN}}
Moments = dict[int, float]


def nudge_s() -> dict[str, float]:
    """p95 in seconds; the peer: polls every 15 s."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder, _two() as (nudged, polled):
        databases = [
            nudged.entry("nudged", hooks=HOOKS, poll_seconds=POLL, database="lab"),
            polled.entry("polled", poll_seconds=POLL, database="lab"),
        ]
        with Exporter(Path(folder), databases) as exporter:
            until(lambda: exporter.value("odoo_up") == len(databases), what="both are polled")
            time.sleep(2)
            return _measured(exporter, nudged.odoo, polled.odoo)


@contextmanager
def _two() -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two Odoos with the same orders; the ids of the second are others, so that spans can be told apart."""
    nudged, polled = live_lab(), live_lab()
    polled.sequences["purchase.order"] = 1000
    for odoo in (nudged, polled):
        for _ in range(ORDERS):
            live.order(odoo)
    with LiveServer(nudged) as first, LiveServer(polled) as second:
        yield first, second


def _measured(exporter: Exporter, nudged: LiveOdoo, polled: LiveOdoo) -> dict[str, float]:
    sent: Moments = {}
    told: Moments = {}
    watching = Thread(target=_watch, args=(exporter.store, told, 2 * ORDERS), daemon=True)
    watching.start()
    rng, url = Random(7), f"{intake(exporter)}/hooks/odoo/{TOKEN}"
    for one in range(1, ORDERS + 1):
        for odoo, order in ((nudged, one), (polled, 1000 + one)):
            with odoo.transaction():
                live.confirmed(odoo, order)
            sent[order] = time.monotonic()
        with nudged.transaction():
            said = live.native(nudged, one)
        sent[one] = time.monotonic()
        assert requests.post(url, json=said, timeout=1).status_code == 202
        time.sleep(rng.uniform(*EVERY))
    watching.join(3 * POLL)
    took = {order: told[order] - at for order, at in sent.items()}
    return {
        "nudge_s": _p95([took[order] for order in took if order <= ORDERS]),
        "nudge_s_peer": _p95([took[order] for order in took if order > ORDERS]),
    }


def _watch(store: Path, told: Moments, wanted: int) -> None:
    """Note when the first span that tells of each order's change is in the outbox."""
    readers, seen = Readers(store), 0
    found = Lookups(readers)
    while len(told) < wanted:
        rows = found.pending("traces", 1000, after=seen)
        now = time.monotonic()
        for row in rows:
            seen = max(seen, row.id)
            span = Span.FromString(row.body)
            if span.name.startswith("state "):
                told.setdefault(_order(span), now)
        time.sleep(0.01)
    readers.close()


def _order(span: Span) -> int:
    return next(int(one.value.string_value) for one in span.attributes if one.key == "odoo.record.id")


def _p95(took: Sequence[float]) -> float:
    return sorted(took)[int(len(took) * 0.95)]
