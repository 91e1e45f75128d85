"""What the running service says of itself: what it cannot see, how whole what it tells is, and how little it asks."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.telemetry.instruments import GAPS
from tests.fakes import odoo_live as live
from tests.fakes.exporter import Exporter, until
from tests.fakes.n8n import FakeN8n, N8nServer
from tests.fakes.odoo_lab import tracked
from tests.fakes.odoo_live import AtOnce, LiveOdoo, LiveServer, live_lab

MOST = 12  # calls of one idle cycle (bench: idle_calls)
SECONDS = 6


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
        odoo.forbidden.add("mail.mail")  # a right that was there
        withdrawn = {*wanted, ("mail.mail", "no_access")}
        until(lambda: spots(exporter) == withdrawn, what="what is seen no more")
        assert exporter.value("odoo_source_success", source="odoo/mails") == 0
        odoo.forbidden.discard("mail.mail")
        until(lambda: spots(exporter) == wanted, what="what is seen again")
        until(lambda: exporter.value("odoo_source_success", source="odoo/mails") == 1)


GAPPED = {("cron", "result"), ("cron", "reason"), ("job", "attempts"), ("record", "beginning"), ("execution", "nodes")}


def unread(odoo: LiveOdoo, n8n: FakeN8n) -> None:
    """Runs of each kind of which the trace lacks a part."""
    cron, other = (live.cron(odoo, name) for name in ("LAB often", "LAB bad"))
    for _ in range(2):  # between two polls: of the first nobody read how it ended
        live.ran(odoo, cron, seconds=0)
        odoo.now += timedelta(seconds=2)
    live.ran(odoo, other, failed=True)  # and no log says why
    live.done(odoo, live.job(odoo, retry=3))
    tracked(odoo, 999, "RFQ", "To Approve")  # of a document that this user may not read
    odoo.now += timedelta(seconds=2)
    tracked(odoo, 999, "To Approve", "Purchase Order")
    kept = n8n.put("success", 7, at=datetime.now(UTC))
    kept["data"]["resultData"]["runData"] = {}


def gaps(exporter: Exporter) -> dict[tuple[str, str], float]:
    """How many Runs of each kind lack what, whole ones left out."""
    found = [(dict(labels), n) for (name, labels), n in exporter.samples().items() if "coverage_runs" in name]
    return {(one["kind"], one["gap"]): n for one, n in found if one["gap"] != "none" and n}


def test_every_gap_is_counted(tmp_path: Path) -> None:
    """Each thing that a trace may lack is caused once, and counted as that and as nothing else (features 61, 114)."""
    odoo, n8n = live_lab(), FakeN8n()
    with LiveServer(odoo) as server, N8nServer(n8n, running=True) as other:
        entry = server.entry("acme", poll_seconds=2, n8n=other.entry())
        with Exporter(tmp_path, [entry]) as exporter:
            until(lambda: exporter.reads("acme"))
            with odoo.transaction():
                unread(odoo, n8n)
            until(lambda: gaps(exporter).keys() == GAPPED, what="every gap")
            assert gaps(exporter) == dict.fromkeys(GAPPED, 1)
            assert {gap for _, gap in GAPPED} == {*GAPS} - {"none"}


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
