"""The whole service without room: senders are told to come again, what was acknowledged stays, it goes on (R9)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from exporter.service import BALLAST_FILE
from tests.acceptance.test_hooks import HOOKS, SECRET, TOKEN, send, stripe
from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector, ok, status
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

MOST = 3_000


@dataclass
class Sender:
    """Sends webhooks of its own; what was acknowledged."""

    exporter: Exporter
    acknowledged: list[int] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def sent(self) -> int:
        """The status of one more; 503 says when to come again."""
        number = next(self._numbers)
        assert number < MOST, "it was never full: the test is blind"
        answer = send(f"{intake(self.exporter)}/hooks/stripe", stripe(f"evt_{number:05}", "purchase.order,1"))
        if answer.status_code == 202:
            self.acknowledged.append(number)
        else:
            assert (answer.status_code, answer.headers["Retry-After"].isdecimal()) == (503, True)
        return answer.status_code

    def kept(self) -> None:
        """Every acknowledged one is stored, by its key."""
        connection = apsw.Connection(str(self.exporter.store), flags=apsw.SQLITE_OPEN_READONLY)
        keys = [str(key) for (key,) in connection.execute("SELECT key FROM events").fetchall()]
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()
        assert [n for n in self.acknowledged if not any(key.endswith(f"evt_{n:05}") for key in keys)] == []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A fake Odoo that lives."""
    monkeypatch.setenv("STRIPE_SECRET", SECRET)
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    with LiveServer(live_lab()) as found:
        yield found


def test_where_files_may_not_grow_it_refuses_and_recovers(server: LiveServer, tmp_path: Path) -> None:
    """R9, feature 73: RLIMIT_FSIZE reached: 503 for webhooks, polls wait; lifted: 202, every job is told after all."""
    with Exporter(tmp_path, [server.entry("acme", hooks=HOOKS)]) as exporter:
        sender = Sender(exporter)
        until(lambda: exporter.reads("acme"))
        assert [sender.sent() for _ in range(5)] == [202] * 5
        exporter.limit_files(300_000)
        until(lambda: sender.sent() == 503)
        done(server, 50)
        until(lambda: any("no room left" in line for line in exporter.lines), what="a poll that found no room")
        assert sender.sent() == 503
        assert exporter.get("/readyz")[0] == 200
        assert exporter.process.poll() is None
        exporter.limit_files()
        assert sender.sent() == 202
        until(lambda: exporter.value("odoo_job_runs_total", odoo_database="acme") == 50, what="telling of the jobs")
        exporter.stop()
    sender.kept()


def test_within_its_budget_it_makes_room_itself(server: LiveServer, tmp_path: Path) -> None:
    """R9, feature 73: the oldest history goes, counted; at the hard limit it is 503 until it did; no key is lost."""
    settings = {"store_budget_mib": 1}
    with Exporter(tmp_path, [server.entry("acme", hooks=HOOKS)], settings=settings) as exporter:
        sender = Sender(exporter)
        until(lambda: exporter.reads("acme"))
        for _ in range(700):
            sender.sent()
        until(lambda: sender.sent() == 202 and len(sender.acknowledged) > 300, what="room again, and again")
        assert exporter.value("odoo_otel_store_dropped_total", what="bodies") > 0
        assert exporter.value("odoo_otel_store_dropped_total", what="runs") > 0
        assert any("store_budget_mib" in line for line in exporter.lines)
        assert exporter.store.stat().st_size <= 1.25 * 2**20
        exporter.stop()
    sender.kept()


def test_below_its_watermark_it_takes_nothing_sends_on_and_recovers(server: LiveServer, tmp_path: Path) -> None:
    """R9, feature 73: 503 below the watermark while the outbox drains, no ballast on a full disk, then all is told."""
    free = tmp_path / "free"
    free.write_text("50000")
    program = ("-m", "tests.fakes.full_disk", str(free))
    with FakeCollector() as collector:
        collector.default = status(503)
        entry = server.entry("acme", hooks=HOOKS)
        settings = {"free_space_mib": 512}
        with Exporter(tmp_path / "it", [entry], collector.url, settings=settings, program=program) as exporter:
            ballast = exporter.state / BALLAST_FILE
            sender = Sender(exporter)
            until(lambda: exporter.reads("acme") and ballast.exists(), what="reading, with a ballast")
            done(server, 5)
            until(lambda: exporter.value("odoo_otel_outbox_items", signal="traces") >= 5, what="spans that wait")
            free.write_text("300")
            until(lambda: sender.sent() == 503, what="refusing")
            assert exporter.value("odoo_otel_store_refusing") == 1
            assert exporter.value("odoo_otel_disk_free_bytes") == 300 * 2**20
            collector.default = ok()
            until(lambda: not exporter.value("odoo_otel_outbox_items"), 60, what="sending on")
            assert len({span.span_id for span in collector.spans() if span.name.startswith("process ")}) == 5
            free.write_text("1")
            until(lambda: not ballast.exists(), what="dropping the ballast")
            done(server, 3)
            free.write_text("50000")
            until(lambda: sender.sent() == 202, what="taking again")
            until(lambda: ballast.exists() and exporter.value("odoo_otel_store_refusing") == 0, what="the ballast")
            until(lambda: exporter.value("odoo_job_runs_total", odoo_database="acme") == 8, what="telling the rest")
            exporter.stop()
        sender.kept()


def done(server: LiveServer, jobs: int) -> None:
    """So many jobs end."""
    with server.odoo.transaction():  # type: ignore[attr-defined]
        for _ in range(jobs):
            live.done(server.odoo, live.job(server.odoo))
