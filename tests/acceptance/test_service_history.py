"""The first start on a database that has worked for long: nobody is woken by what is over."""

from datetime import timedelta
from pathlib import Path

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, counted, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

FAILED, DONE, ORDERS, RUNS = 40, 20, 5, 10


def _old_database() -> LiveOdoo:
    """Ten days of work, then today."""
    odoo = live_lab(running=True)
    odoo.step(-10 * 86_400)
    one = live.cron(odoo, "LAB ok")
    for number in range(RUNS):
        odoo.step(3600)
        live.ran(odoo, one, failed=number % 2 == 0)
    for _ in range(FAILED):
        live.failed(odoo, live.job(odoo))
    for _ in range(DONE):
        live.done(odoo, live.job(odoo))
    for _ in range(ORDERS):
        order = live.order(odoo)
        odoo.step(60)
        review = live.submitted(odoo, order)
        odoo.step(60)
        live.approved(odoo, order, review)
    odoo.step(9.5 * 86_400)
    odoo.raw("ir.cron", one, nextcall=odoo.now + timedelta(hours=1))  # it is not late: that would be said, and rightly
    return odoo


def test_what_is_over_is_drawn_and_never_counted(tmp_path: Path) -> None:
    """Feature 15, decision 6: spans say odoo.run.origin=history, counters stay at zero, no failure is a log record."""
    odoo = _old_database()
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.counts()["runs"] >= FAILED + DONE + ORDERS + RUNS, what="reading the history")
        until(lambda: exporter.settled("acme"))
        roots = [span for span in {s.span_id: s for s in collector.spans()}.values() if not span.parent_span_id]
        assert len(roots) == FAILED + DONE + ORDERS + RUNS
        for span in roots:
            words = {one.key: one.value.string_value for one in span.attributes}
            assert words["odoo.run.origin"] == "history"
            assert span.end_time_unix_nano / 1e9 < (odoo.now - timedelta(hours=1)).timestamp()
        assert not any(counted(exporter.samples()).values())
        assert not [request for request in collector.requests if request.signal == "logs"]
        live.failed(odoo, live.job(odoo))  # and from now on everything counts
        until(lambda: exporter.value("odoo_job_runs_total", result="failure") == 1)
        until(lambda: [request for request in collector.requests if request.signal == "logs"])
        assert exporter.counts()["runs"] == len(roots) + 1
        exporter.stop()


def test_history_can_be_left_out_of_the_traces(tmp_path: Path) -> None:
    """`history_spans: false`: Runs of the past are known and observed, but not sent."""
    odoo = _old_database()
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme", history_spans=False)], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.counts()["runs"] >= FAILED + DONE + ORDERS + RUNS, what="reading the history")
        until(lambda: exporter.settled("acme"))
        assert exporter.counts()["spans"] == 0
        assert exporter.counts()["observations"] > 0
        assert collector.requests == []
        exporter.stop()


def test_history_days_zero_reads_nothing_old(tmp_path: Path) -> None:
    """`history_days: 0`: what is over is not even read; what happens from now on is."""
    odoo = _old_database()
    with LiveServer(odoo) as server, Exporter(tmp_path, [server.entry("acme", history_days=0)]) as exporter:
        until(lambda: exporter.value("odoo_up", odoo_database="acme") == 1)
        live.done(odoo, live.job(odoo))
        until(lambda: exporter.value("odoo_job_runs_total", result="success") == 1)
        assert exporter.counts()["runs"] == 1
        exporter.stop()
