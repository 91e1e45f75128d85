"""The Collector away for 20 real seconds while Odoo goes on working: nothing lost, order kept, memory flat (R4)."""

import threading
from pathlib import Path

from tests.fakes import collector as answers
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

OUTAGE, WARM = 20.0, 5.0  # seconds
EVERY, JOBS = 0.1, 7  # so many jobs done every so many seconds: 70 a second, with three spans each 210
GROWTH = 20  # MiB


class Work:
    """Jobs that are done at a sustained rate until `stop`."""

    def __init__(self, odoo: LiveOdoo) -> None:
        self.done = 0
        self._odoo = odoo
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            with self._odoo.transaction():
                for _ in range(JOBS):
                    live.done(self._odoo, live.job(self._odoo), seconds=0.5)
                    self.done += 1


def test_an_outage_of_twenty_seconds_costs_nothing(tmp_path: Path) -> None:
    """R4, feature 73: 210 spans/s: every span arrives, children before their root, RSS +20 MiB, the backlog drains."""
    odoo = live_lab()
    work = Work(odoo)
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reports("acme").keys() >= {"odoo/jobs"})
        work.start()
        threading.Event().wait(WARM)
        collector.default = answers.status(503)
        before = exporter.rss()
        threading.Event().wait(OUTAGE)
        grown = exporter.rss() - before
        waiting = exporter.value("odoo_otel_outbox_items", signal="traces")
        work.stop()
        collector.default = answers.ok()
        assert waiting > 0.5 * OUTAGE * JOBS / EVERY * 3, "the outage held up too little: the test is blind"
        until(lambda: exporter.counts()["runs"] == work.done and exporter.folded("acme"))
        exporter.stop()  # what is left of a backoff of up to 60 s is not waited for: the next life begins without one
        exporter.start()
        until(lambda: exporter.settled("acme"), 30, "the drain")
        assert exporter.value("odoo_otel_exported_total", signal="traces", outcome="accepted") == 3 * work.done
        assert exporter.value("odoo_job_runs_total", odoo_database="acme") == work.done
        exporter.stop()
    assert grown <= GROWTH, f"RSS grew by {grown:.1f} MiB"
    _nothing_lost(collector, work.done)


def _nothing_lost(collector: FakeCollector, jobs: int) -> None:
    spans = {span.span_id: span for span in collector.spans() if span.span_id in collector.stored}
    assert len(spans) == 3 * jobs
    assert collector.differing() == []
    place = {key: n for n, key in enumerate(collector.order)}
    children = [span for span in spans.values() if span.parent_span_id]
    assert len(children) == 2 * jobs
    assert all(place[span.span_id] < place[span.parent_span_id] for span in children)
    ends = [span.end_time_unix_nano / 1e9 for span in spans.values()]
    assert max(ends) - min(ends) > OUTAGE, "the work did not go on through the outage: the test is blind"
