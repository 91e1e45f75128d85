"""How the service begins and ends: signals, exit codes, a second one on the same folder, a disk that breaks."""

import time
from pathlib import Path
from threading import Event

import apsw
import pytest

from exporter.config import STORE_FILE
from exporter.sources.odoo.registry import COLLECTIONS
from exporter.store import open_store
from tests.fakes import collector as answers
from tests.fakes import odoo_live as live
from tests.fakes.collector import Behaviour, FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

MANY = 1_000_000
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
FILL = (
    """INSERT INTO events(tenant, source, key, name, version, at, seen, precision, body)
    SELECT 'acme', 'odoo/crons', i, 'odoo.progress.ended', 1, i, i, 1000000,
           CAST('{"progress_id":1,"cron_id":1,"done":1,"remaining":0,"timed_out_counter":0}' AS BLOB) FROM n""",
    """INSERT INTO subjects(tenant, key, kind, state)
    SELECT 'acme', 'job/' || i, 'job', CAST('["job",{"episodes":1},[],0,[],{},1,{}]' AS BLOB) FROM n
    WHERE i % 10 = 0""",
    """INSERT INTO runs(tenant, id, kind, workflow, subject, trace_id, started_at, ended_at, result, origin, body)
    SELECT 'acme', 'job/' || i || '#0', 'job', 'root', 'job/' || i, randomblob(16), i, i + 1, 'success', 'live',
           randomblob(700) FROM n WHERE i % 10 = 0""",
)


@pytest.fixture
def odoo() -> LiveOdoo:
    """A database with one scheduled action."""
    made = live_lab()
    live.cron(made, "LAB ok")
    return made


def _polled(exporter: Exporter, tenant: str = "acme") -> bool:
    reports = exporter.reports(tenant)
    return len(reports) == len(COLLECTIONS) and all(report.ok for report in reports.values())


def test_sigterm_ends_it_at_once_and_nothing_is_lost(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """R20: SIGTERM in the middle of work: exit 0 in a second or two, and the next start tells what was left."""
    with (
        FakeCollector(default=answers.status(503)) as collector,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: _polled(exporter))
        with odoo.transaction():
            jobs = [live.job(odoo) for _ in range(500)]
            for one in jobs:
                live.done(odoo, one)
        until(lambda: exporter.counts()["spans"] > 0)
        assert exporter.stop() < 3
        collector.default = answers.ok()
        exporter.start()
        until(lambda: exporter.settled("acme") and exporter.counts()["runs"] == 500)
        roots = [span.span_id for span in collector.spans() if not span.parent_span_id]
        assert len(set(roots) & collector.stored.keys()) == 500
        assert exporter.value("odoo_job_runs_total", odoo_database="acme", result="success") == 500
        exporter.stop()


def test_sigterm_lets_go_what_the_server_takes(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """R20: what waits at SIGTERM for a Collector that takes it, slowly, has left when the process has."""
    gate = Event()
    slow = Behaviour(lambda exchange: (gate.wait(30), time.sleep(0.15), exchange.answer(200))[2], stores=True)
    with (
        FakeCollector(default=slow) as collector,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: _polled(exporter))
        with odoo.transaction():
            for _ in range(3000):
                live.done(odoo, live.job(odoo))
        until(lambda: exporter.counts()["spans"] == 9000, 60)
        gate.set()
        exporter.stop()
        assert exporter.settled("acme")
        assert len({span.span_id for span in collector.spans()}) == 9000


def test_sigterm_ends_it_though_odoo_and_collector_hang(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """R20: with a request to a hanging Collector and one to a hanging Odoo in flight: exit 0 in less than 10 s."""
    with (
        FakeCollector(default=answers.hang(60)) as collector,
        Exporter(tmp_path, [server.entry("acme")], collector.url, {"detectors": True}) as exporter,
    ):
        until(lambda: _polled(exporter))
        with odoo.transaction():
            live.done(odoo, live.job(odoo))
        until(lambda: collector.requests)
        asked = len(server.requests)
        server.trouble = server.hang
        until(lambda: len(server.requests) > asked)
        assert exporter.stop() < 10
        assert exporter.counts()["spans"] == 3  # pending, attempt, root: they wait for the next start
    assert not any(line["level"] in {"error", "critical"} for line in exporter.logs()), exporter.lines


def test_a_large_store_answers_at_once(tmp_path: Path, server: LiveServer) -> None:
    """R20: beside 1,000,000 Events and 100,000 Runs and Subjects a start reads none of them first (bench start_s)."""
    exporter = Exporter(tmp_path, [server.entry("acme")])
    exporter.state.mkdir(parents=True)
    open_store(exporter.store).close()
    connection = apsw.Connection(str(exporter.store))
    connection.pragma("synchronous", "off")
    for table in FILL:
        connection.execute(COUNT + table, (MANY,))
    connection.execute("INSERT INTO offsets VALUES ('acme', 'fold', ?)", (MANY,))
    connection.execute("INSERT INTO counters VALUES ('acme', 'events', ?)", (MANY,))
    connection.close()
    with exporter:
        until(lambda: exporter.get("/readyz")[0] == 200, what="being ready")
        assert exporter.bytes_read() < exporter.store.stat().st_size / 4, "what is stored was read"
        assert exporter.get("/metrics")[0] == 200
        exporter.stop()


def test_without_a_usable_database_every_fault_is_listed_and_the_code_is_78(tmp_path: Path) -> None:
    """Every fault at once, a line each, exit code 78 (EX_CONFIG)."""
    wrong = [
        {"name": "acme", "url": "odoo.example", "database": "lab", "user": "monitor", "api_key": "x"},
        {"name": "beta", "url": "https://odoo.example", "database": "lab", "api_key": "${env:NOT_SET}", "pol": 1},
    ]
    exporter = Exporter(tmp_path, wrong, settings={"label_cap": 0})
    exporter.launch()
    assert exporter.ended() == 78
    said = "\n".join(exporter.lines)
    for fault in ("databases[0].url", "databases[1].user", "databases[1].api_key", "databases[1].pol", "label_cap"):
        assert fault in said, said
    assert len(exporter.lines) == 5
    assert not (exporter.state / STORE_FILE).exists()


def test_a_wrong_database_does_not_keep_the_others_from_running(tmp_path: Path, server: LiveServer) -> None:
    """A database whose entry is wrong is reported and skipped; the other one is read."""
    wrong = {"name": "beta", "url": "not an address", "database": "b", "user": "monitor", "api_key": "x"}
    with Exporter(tmp_path, [wrong, server.entry("acme")]) as exporter:
        until(lambda: exporter.value("odoo_up", odoo_database="acme") == 1)
        assert any("beta is skipped" in line["message"] and "url" in line["message"] for line in exporter.logs())
        exporter.stop()


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path, server: LiveServer) -> None:
    """One sentence that says who has the store, a code that is not 0; the first one goes on."""
    with Exporter(tmp_path, [server.entry("acme")]) as first:
        second = Exporter(tmp_path, [server.entry("acme")])
        second.launch()
        assert second.ended() == 1
        assert len(second.lines) == 1
        assert str(first.process.pid) in second.lines[0]
        assert "Traceback" not in second.lines[0]
        assert first.get("/readyz")[0] == 200
        first.stop()


def test_a_store_that_breaks_ends_it_with_70(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """R10: an I/O error at a commit: exit 70 within a second; a start on a sound disk has every acknowledged row."""
    broken = tmp_path / "broken"
    exporter = Exporter(tmp_path, [server.entry("acme")], program=("-m", "tests.fakes.disk", str(broken)))
    with exporter:
        until(lambda: _polled(exporter))
        with odoo.transaction():
            for _ in range(500):
                live.done(odoo, live.job(odoo))
        until(lambda: exporter.counts()["events"] > 100)
        broken.touch()
        until(lambda: any("StoreBroken" in line for line in exporter.lines) or exporter.process.poll() is not None)
        seen = time.monotonic()
        assert exporter.ended() == 70
        assert time.monotonic() - seen < 1
        assert any(line["level"] == "critical" and "broken" in line["message"] for line in exporter.logs())
        before = exporter.counts()["events"]
        broken.unlink()
        exporter.start()
        expected = len(odoo.tables["queue.job"])
        until(lambda: exporter.counts()["runs"] == expected and exporter.folded("acme"), 30)
        assert exporter.counts()["events"] >= before
        assert exporter.value("odoo_job_runs_total", odoo_database="acme") == expected
        exporter.stop()
