"""`odoo-otel store` beside a running service, and the service on what came back."""

from pathlib import Path

from click.testing import CliRunner, Result

from exporter import cli
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer

JOBS = "odoo_job_runs_total"


def command(state: Path, *words: str) -> Result:
    """`odoo-otel store ...`."""
    return CliRunner().invoke(cli.main, ["store", words[0], "--state", str(state), *words[1:]])


def work(odoo: LiveOdoo, count: int) -> None:
    """So many jobs."""
    with odoo.transaction():
        for _ in range(count):
            live.done(odoo, live.job(odoo))


def test_a_store_is_copied_live_and_comes_back(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """What happened after the copy is read again from Odoo: the same spans with the same bytes, counters complete."""
    copy = str(tmp_path / "copy")
    with (
        FakeCollector() as collector,
        Exporter(tmp_path / "exporter", [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        work(odoo, 3)
        until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") == 3)
        done = command(exporter.state, "backup", copy)
        assert (done.exit_code, "events" in done.output) == (0, True)
        work(odoo, 2)
        until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") == 5)
        until(lambda: exporter.settled("acme"))
        refused = command(exporter.state, "restore", copy)
        assert (refused.exit_code, str(exporter.process.pid) in refused.stderr) == (1, True)
        assert command(exporter.state, "verify").exit_code == 0
        exporter.stop()
        assert command(exporter.state, "restore", copy).exit_code == 0
        exporter.start()
        until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") == 5, what="the jobs since the copy")
        until(lambda: exporter.settled("acme"))
        assert collector.differing() == []
        assert len({span.span_id for span in collector.spans() if span.name == "attempt"}) == 5
        assert command(exporter.state, "verify", "--quick").exit_code == 0


def test_verify_says_each_thing_and_its_code(tmp_path: Path) -> None:
    """Without a store, or with noise in its place: BAD, a sentence, 1."""
    missing = command(tmp_path, "verify")
    assert (missing.exit_code, missing.output.startswith("BAD  There is no file")) == (1, True)
    (tmp_path / "noise").write_bytes(b"x" * 5000)
    noise = command(tmp_path, "verify", str(tmp_path / "noise"))
    assert (noise.exit_code, "is no store, or damaged" in noise.output) == (1, True)


def test_a_refold_beside_a_stopped_service(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """With the same configuration nothing changes; the service must be stopped, the database must be configured."""
    with Exporter(tmp_path / "exporter", [server.entry("acme")]) as exporter:
        until(lambda: exporter.reads("acme"))
        work(odoo, 3)
        until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") == 3)
        config = ["--config", str(exporter.folder / "config.yaml")]
        running = CliRunner().invoke(cli.main, ["refold", *config, "acme"])
        assert (running.exit_code, "already open for writing" in running.stderr) == (1, True)
        exporter.stop()
        done = CliRunner().invoke(cli.main, ["refold", *config, "acme"])
        assert done.exit_code == 0, done.stderr
        assert done.output.startswith("runs, of all: 0 changed, 0 new, 0 gone, ")
        other = CliRunner().invoke(cli.main, ["refold", *config, "other"])
        assert (other.exit_code, "name one of acme" in other.stderr) == (1, True)
