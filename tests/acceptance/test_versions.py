"""Every version of Odoo from 14 to 21, as far as its source says, on real sockets: one exporter reads them all."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter import cli
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_http import KEY
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab
from tests.fakes.odoo_versions import PROFILES, become

WITHOUT_RESULTS = range(14, 18)


@dataclass(frozen=True)
class Fleet:
    """A database of each version, all read by one exporter."""

    odoos: dict[int, LiveOdoo]
    servers: dict[int, LiveServer]
    exporter: Exporter
    collector: FakeCollector


def name(major: int) -> str:
    """Of its database."""
    return f"v{major}"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """All of them running; on each a job, two runs of an action (the second failed), an approved purchase."""
    odoos = {major: live_lab(running=True) for major in PROFILES}
    crons = {}
    for major, odoo in odoos.items():
        become(odoo, major)
        crons[major] = live.cron(odoo, "LAB ok")
    with ExitStack() as running:
        servers = {major: running.enter_context(LiveServer(odoo, (major, 0))) for major, odoo in odoos.items()}
        collector = running.enter_context(FakeCollector())
        entries = [server.entry(name(major)) for major, server in servers.items()]
        folder = tmp_path_factory.mktemp("fleet")
        exporter = running.enter_context(Exporter(folder, entries, endpoint=collector.url))
        until(lambda: all(exporter.value("odoo_up", odoo_database=name(major)) == 1 for major in PROFILES), 40)
        for major, odoo in odoos.items():
            _happen(odoo, major, crons[major])
        yield Fleet(odoos, servers, exporter, collector)


def _happen(odoo: LiveOdoo, major: int, cron: int) -> None:
    """As each version writes it down."""
    with odoo.transaction():
        order = live.order(odoo)
        live.done(odoo, live.job(odoo))
        review = live.submitted(odoo, order)
        for failed in (False, True):
            odoo.now += timedelta(seconds=10)
            live.ran(odoo, cron, failed=failed)
            if PROFILES[major].ended:
                odoo.raw("ir.cron", cron, lastcall=odoo.now)
            if major in WITHOUT_RESULTS:
                odoo.raw("ir.cron", cron, failure_count=0)
            odoo.now += timedelta(seconds=3)
        live.approved(odoo, order, review)


@pytest.mark.parametrize("major", PROFILES)
def test_jobs_and_approvals_are_told_on_every_version(fleet: Fleet, major: int) -> None:
    """A queue job and a purchase with its review, whatever the door and the names of columns (features 2, 3, 52)."""
    read = fleet.exporter.value
    until(lambda: read("odoo_job_runs_total", odoo_database=name(major), result="success") == 1, what="the job")
    until(lambda: read("odoo_approval_decisions_total", odoo_database=name(major)) >= 1, what="the decision")


@pytest.mark.parametrize("major", sorted({*PROFILES} - {*WITHOUT_RESULTS}))
def test_runs_have_results_where_odoo_keeps_them(fleet: Fleet, major: int) -> None:
    """From 18 on: one success and one failure, each with its duration; on 18 `lastcall` is when it was over."""
    read = fleet.exporter.value
    runs = {"odoo_database": name(major), "cron": "lab.cron_1"}
    until(lambda: read("odoo_cron_runs_total", **runs, result="failure") == 1, what="the failure")
    assert read("odoo_cron_runs_total", **runs, result="success") == 1
    assert read("odoo_cron_run_duration_seconds_count", **runs) == 2


@pytest.mark.parametrize("major", WITHOUT_RESULTS)
def test_runs_are_told_as_unknown_where_odoo_keeps_nothing(fleet: Fleet, major: int) -> None:
    """Before 18 a run is seen by `lastcall` alone: unknown, without a duration, and the source says so (feature 61)."""
    read = fleet.exporter.value
    runs = {"odoo_database": name(major), "cron": "lab.cron_1"}
    until(lambda: read("odoo_cron_runs_total", **runs, result="unknown") >= 1, what="the run")
    assert read("odoo_cron_runs_total", **runs, result="success") == 0
    assert read("odoo_cron_runs_total", **runs, result="failure") == 0
    assert read("odoo_cron_run_duration_seconds_count", **runs) == 0
    assert any("does not tell when" in one for one in fleet.exporter.reports(name(major))["odoo/crons"].missing)


@pytest.mark.parametrize("major", PROFILES)
def test_the_door_is_that_of_the_version(fleet: Fleet, major: int) -> None:
    """JSON-2 from 19 on and nothing of it before; no call was refused for what the version does not know."""
    paths = {path for _, path in fleet.servers[major].asked}
    assert any(path.startswith("/json/2/") for path in paths) == PROFILES[major].json2
    assert ("/jsonrpc" in paths) != PROFILES[major].json2
    reports = fleet.exporter.reports(name(major))
    assert {source: one.error for source, one in reports.items() if not one.ok} == {}


@pytest.mark.parametrize("major", PROFILES)
def test_check_says_what_is_not_verified(fleet: Fleet, major: int, tmp_path: Path) -> None:
    """`unverified` for every version but 19.0, with what it does not show; it ends well (features 52, 61)."""
    url = str(fleet.servers[major].entry("x")["url"])
    environ = {"ODOO_URL": url, "ODOO_DB": "lab", "ODOO_USER": "monitor", "ODOO_API_KEY": KEY}
    done = CliRunner().invoke(cli.main, ["check"], env={**environ, "ODOO_OTEL_STATE": str(tmp_path / "state")})
    assert ("unverified" in done.output) == (major != 19)
    assert f"Odoo {major}.0 answers monitor through {'JSON-2' if PROFILES[major].json2 else 'JSON-RPC'}" in done.output
    assert not re.search(r"^error", done.output, re.MULTILINE), done.output


@pytest.mark.parametrize("major", [16, 18])
def test_a_door_that_is_not_there_is_said(fleet: Fleet, major: int) -> None:
    """`door: json2` on a version without it is one sentence that says what to set."""
    url = str(fleet.servers[major].entry("x")["url"])
    environ = {"ODOO_URL": url, "ODOO_DB": "lab", "ODOO_USER": "monitor", "ODOO_API_KEY": KEY}
    done = CliRunner().invoke(cli.main, ["check"], env={**environ, "ODOO_OTEL_DOOR": "json2"})
    assert (done.exit_code, "has no json2: set door to jsonrpc" in done.output) == (2, True)


def test_no_span_differs_when_it_is_sent_again(fleet: Fleet) -> None:
    """Runs without an end are as stable as the others."""
    assert fleet.collector.differing() == []
