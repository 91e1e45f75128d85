"""What many databases cost one another, and what one costs Odoo while nothing happens."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from exporter.sources.odoo.registry import COLLECTIONS
from tests.fakes import odoo_live as live
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import AtOnce, LiveServer, live_lab

FLEET, HANGING = 60, 10
POLL = 5.0  # seconds between two polls of a Source
WATCHED = 40.0  # seconds
LAST = "odoo_source_last_success_timestamp_seconds"


def fleet_60_delay_s() -> dict[str, float]:
    """The longest delay of a poll of the databases that answer, while others hang; of as many that all answer."""
    return {"fleet_60_delay_s": _delay(HANGING), "fleet_60_delay_s_peer": _delay(0)}


def _delay(hanging: int) -> float:
    """Seconds by which the longest time between two polls of scheduled actions is longer than it should be."""
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()))
        servers = [running.enter_context(LiveServer(live_lab())) for _ in range(FLEET)]
        names = [f"db{number}" for number in range(FLEET)]
        entries = [server.entry(name, poll_seconds=POLL) for server, name in zip(servers, names, strict=True)]
        for server in servers:
            live.cron(server.odoo, "LAB ok")
        exporter = running.enter_context(Exporter(Path(folder), entries))
        until(lambda: exporter.value("odoo_up") == FLEET, 120)
        for server in servers[:hanging]:
            server.trouble = server.hang
        found = _longest(exporter, names[hanging:])
        for server in servers[:hanging]:
            server.letting_go.set()
        return found - POLL


def _longest(exporter: Exporter, names: list[str]) -> float:
    """The longest time between two good polls of any of these, and between the last one and the end of looking."""
    seen: dict[str, set[float]] = defaultdict(set)
    began = looked = time.time()
    while looked < began + WATCHED:
        looked = time.time()  # before the page is asked for: what is polled meanwhile may not be on it
        for (name, labels), at in exporter.samples().items():
            about = dict(labels)
            if name == LAST and about["source"] == "odoo/crons" and about["odoo_database"] in names:
                seen[about["odoo_database"]].add(at)
        time.sleep(0.5)
    assert len(seen) == len(names), "some were never read"
    return max(longest(times, looked) for times in seen.values())


def longest(polls: Collection[float], end: float) -> float:
    """The longest time without a poll, from the first one to the end: one that is never polled again is late, too."""
    return max(after - before for before, after in pairwise(sorted([*polls, end])))


def idle_calls() -> dict[str, float]:
    """Calls of one idle cycle of all collections through JSON-2, and how many of them were open at once at most."""
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder,
        LiveServer(live_lab()) as server,
        Exporter(Path(folder), [server.entry("acme", poll_seconds=1)]) as exporter,
    ):
        live.cron(server.odoo, "LAB ok")
        until(lambda: exporter.reads("acme") and len(exporter.reports("acme")) == len(COLLECTIONS), 60)
        time.sleep(5)
        server.trouble = watch = AtOnce()
        began, before = time.monotonic(), len(server.asked)
        time.sleep(40)
        cycles = (time.monotonic() - began) / 1.0
        found = (len(server.asked) - before) / cycles
    assert watch.most == 1, "two calls were open at once"
    return {"idle_calls": found, "idle_calls_at_once": float(watch.most)}
