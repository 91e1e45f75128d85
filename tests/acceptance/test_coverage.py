"""What the running service says of itself: what it cannot see, how whole what it tells is, and how little it asks."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.fakes import odoo_live as live
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_http import Canned
from tests.fakes.odoo_live import LiveServer, live_lab

MOST = 12  # calls of one idle cycle (bench: idle_calls)
SECONDS = 6


class AtOnce:
    """A trouble that changes nothing but the time an answer takes: how many requests are open at once at most."""

    def __init__(self) -> None:
        self.lock, self.open, self.most = threading.Lock(), 0, 0

    def __call__(self, _path: str, real: Callable[[], Canned]) -> Canned:
        """The real answer, a little later, so that two at once would meet."""
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        time.sleep(0.005)
        try:
            return real()
        finally:
            with self.lock:
                self.open -= 1


def spots(exporter: Exporter) -> set[tuple[str, str]]:
    """What it says that it cannot see."""
    found = exporter.samples().items()
    blind = [dict(labels) for (name, labels), value in found if name == "odoo_blind_spot" and value == 1]
    return {(one["spot"], one["why"]) for one in blind}


def test_blind_spots_and_gaps_are_shown(tmp_path: Path) -> None:
    """No right, no tracking, no log: each is a gauge; the end of the key, too (features 61, 64, 114)."""
    odoo = live_lab()
    cron = live.cron(odoo, "LAB ok")
    odoo.forbidden.add("queue.job")
    odoo.write("res.users", 1, login="monitor")
    odoo.insert("res.users.apikeys", user_id=1, expiration_date=odoo.now + timedelta(days=30))
    for one in odoo.tables["ir.model.fields"]:
        odoo.write("ir.model.fields", one, tracking=False)
    with LiveServer(odoo) as server, Exporter(tmp_path, [server.entry("acme")]) as exporter:
        wanted = {("queue.job", "no_access"), ("purchase.order.state", "tracking_off"), ("log_db", "log_off")}
        until(lambda: spots(exporter) == wanted, what="every blind spot")
        until(lambda: exporter.value("odoo_api_key_expiry_timestamp_seconds") > time.time(), what="the key's end")
        with odoo.transaction():
            live.ran(odoo, cron)
        until(lambda: exporter.value("odoo_coverage_runs_total", kind="cron") == 1, what="the run")
        assert exporter.value("odoo_coverage_runs_total", kind="cron", gap="none") == 1


def test_idle_it_asks_little_and_one_thing_at_a_time(tmp_path: Path) -> None:
    """An idle cycle of all collections is at most 12 calls, and never are two of them open (idle_calls)."""
    with LiveServer(live_lab()) as server, Exporter(tmp_path, [server.entry("acme")]) as exporter:
        live.cron(server.odoo, "LAB ok")
        until(lambda: exporter.reads("acme"))
        time.sleep(2)
        server.trouble = watch = AtOnce()
        before = len(server.asked)
        time.sleep(SECONDS)
        asked = len(server.asked) - before
        assert watch.most == 1
        assert SECONDS < asked <= MOST * SECONDS
