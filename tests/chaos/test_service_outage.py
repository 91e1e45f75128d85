"""The Collector away for 60 real seconds while Odoo goes on working: nothing lost, order kept, memory flat (R4)."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes import collector as answers
from tests.fakes import odoo_live as live
from tests.fakes.collector import Exchange, FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

OUTAGE, WARM = 60.0, 20.0  # seconds; until then caches fill, as they do without an outage
EVERY, JOBS = 0.1, 7  # so many jobs made every so many seconds
STAYS = 2.5  # seconds that a job is pending and then runs: each is seen three times
RATE = 3 * JOBS / EVERY  # Events a second, and spans: 210
GROWTH, BUDGET = 20, 96  # MiB of memory at most, and of the store
DRAIN = 1_000  # spans a second at least
BACKOFF = 60.0  # seconds: loops/limits.py waits no longer


@dataclass
class TimedCollector(FakeCollector):
    """Remembers when how many spans were stored for the first time."""

    arrived: list[tuple[float, int]] = field(default_factory=list)

    def serve(self, exchange: Exchange) -> None:
        """Answer, then note."""
        before = len(self.stored)
        super().serve(exchange)
        if exchange.request_in.signal == "traces" and len(self.stored) > before:
            self.arrived.append((time.monotonic(), len(self.stored) - before))

    def rate(self, since: float) -> float:
        """Spans stored per second since then, from the first request that was taken to the last."""
        taken = [(when, spans) for when, spans in self.arrived if when >= since]
        return sum(spans for _, spans in taken[1:]) / (taken[-1][0] - taken[0][0])


class Work:
    """Jobs that are made, begin and end at a sustained rate until `stop`; those that were begun end."""

    def __init__(self, odoo: LiveOdoo) -> None:
        self.made: list[tuple[float, int]] = []
        self.began = self.done = 0
        self._odoo = odoo
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more; back when the last one has ended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        first = time.monotonic()
        while self.done < len(self.made) or not self._over.is_set():
            now = time.monotonic()
            with self._odoo.transaction():
                if not self._over.is_set():  # what a busy machine held up is made up for
                    due = int((now - first) / EVERY) * JOBS - len(self.made)
                    self.made += [(now, live.job(self._odoo)) for _ in range(due)]
                self._move_on(now)
            time.sleep(EVERY)

    def _move_on(self, now: float) -> None:
        while self.began < len(self.made) and self.made[self.began][0] <= now - STAYS:
            live.started(self._odoo, self.made[self.began][1])
            self.began += 1
        while self.done < self.began and self.made[self.done][0] <= now - 2 * STAYS:
            live.done(self._odoo, self.made[self.done][1], seconds=STAYS)
            self.done += 1


@dataclass
class Watched:
    """What the exporter needed at most while somebody looked."""

    rss: float = 0.0
    store: float = 0.0

    def look(self, exporter: Exporter, seconds: float) -> None:
        """Look every second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.rss = max(self.rss, exporter.rss())
            found = exporter.samples()
            names = ("odoo_otel_store_size_bytes", "odoo_otel_store_log_bytes")
            self.store = max(self.store, sum(n for (name, _), n in found.items() if name in names) / 2**20)
            threading.Event().wait(1)


def test_an_outage_of_a_minute_costs_nothing(tmp_path: Path) -> None:
    """R4, feature 73: 200 Events/s, one life: 0 lost, order kept, RSS +20 MiB, store in budget, 1,000 spans/s drain."""
    odoo = live_lab()
    work, watched = Work(odoo), Watched()
    with (
        LiveServer(odoo) as server,
        TimedCollector() as collector,
        Exporter(tmp_path, [server.entry("acme")], collector.url, {"store_budget_mib": BUDGET}) as exporter,
    ):
        until(lambda: exporter.reports("acme").keys() >= {"odoo/jobs"})
        work.start()
        watched.look(exporter, WARM)
        collector.default, watched.rss = answers.status(503), 0.0
        before, events = exporter.rss(), exporter.counts()["events"]
        watched.look(exporter, OUTAGE)
        seen, waiting = exporter.counts()["events"] - events, exporter.value("odoo_otel_outbox_items", signal="traces")
        work.stop()
        until(lambda: exporter.counts()["runs"] == work.done and exporter.folded("acme"))
        collector.default, back = answers.ok(), time.monotonic()
        until(lambda: exporter.settled("acme"), BACKOFF + 30, "the drain")
        watched.look(exporter, 1)
        assert exporter.value("odoo_otel_exported_total", signal="traces", outcome="accepted") == 3 * work.done
        assert exporter.value("odoo_job_runs_total", odoo_database="acme") == work.done
        exporter.stop()
    assert seen >= 200 * OUTAGE, "too little happened: the test is blind"
    assert waiting > 0.8 * OUTAGE * RATE, "the outage held up too little: the test is blind"
    assert watched.rss - before <= GROWTH, f"RSS grew by {watched.rss - before:.1f} MiB"
    assert watched.store <= BUDGET
    assert collector.rate(back) >= DRAIN
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
