"""What the configuration says of cost, by a running exporter: what is not wanted is neither asked for nor told."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

WANTED = ("odoo/crons", "odoo/jobs", "odoo/approvals")
A_MINUTE = 240  # calls: four a second


@pytest.fixture
def server() -> Iterator[LiveServer]:
    """A fake Odoo that lives."""
    with LiveServer(live_lab()) as found:
        yield found


def models(server: LiveServer) -> set[str]:
    """Which were asked for."""
    return {path.split("/")[3] for _, path in server.asked if path.startswith("/json/2/")}


def test_what_is_left_out_is_neither_asked_for_nor_told(tmp_path: Path, server: LiveServer) -> None:
    """Sources by include and exclude, models by exclude, successes by their share: failures are told."""
    cost = {"exclude_sources": ["odoo/mails", "odoo/keys"], "exclude_models": ["ir.cron"], "sample_successes": 0}
    one = live.cron(server.odoo, "LAB ok")
    with (
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme", cost=cost)], endpoint=collector.url) as exporter,
    ):
        until(lambda: all(exporter.value("odoo_source_success", source=one) == 1 for one in WANTED))
        with server.odoo.transaction():
            live.ran(server.odoo, one)
            for _ in range(5):
                live.done(server.odoo, live.job(server.odoo))
                live.failed(server.odoo, live.job(server.odoo))
        until(lambda: exporter.value("odoo_job_runs_total", odoo_database="acme", result="success") == 5)
        until(lambda: exporter.settled("acme"))
        roots = [span.name for span in {span.span_id: span for span in collector.spans()}.values()]
        sources = {dict(labels)["source"] for name, labels in exporter.samples() if name == "odoo_source_success"}
    assert "mail.mail" not in models(server)
    assert "res.users.apikeys" not in models(server)
    assert not {"odoo/mails", "odoo/keys"} & sources
    assert len([name for name in roots if name.startswith("process ")]) == 5
    assert not any(name.startswith("cron ") for name in roots)


def test_odoo_is_asked_no_more_often_than_is_allowed(tmp_path: Path, server: LiveServer) -> None:
    """`calls_per_minute` holds the pace through a running service: over some seconds no more calls than it allows."""
    with Exporter(tmp_path, [server.entry("acme", cost={"calls_per_minute": A_MINUTE})]) as exporter:
        until(lambda: len(server.asked) > 4)
        began, before = time.monotonic(), len(server.asked)
        until(lambda: len(server.asked) >= before + 20, what="twenty calls more")
        took = time.monotonic() - began
        assert exporter.process.poll() is None
    assert took >= 19 * 60 / A_MINUTE
