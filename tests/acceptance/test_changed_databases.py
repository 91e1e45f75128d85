"""Databases that changed under us: upgraded, neutralized, moved, copied, restored; nothing is lost or doubled (R7)."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter import cli
from exporter.config import STORE_FILE
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_http import KEY
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab
from tests.fakes.odoo_versions import become

JOBS = "odoo_job_runs_total"
UUID = "5d2f6ec4-0000-4000-8000-00000000000"


def company(number: int = 1) -> LiveOdoo:
    """A database that shows its uuid."""
    odoo = live_lab(running=True)
    odoo.insert("ir.config_parameter", key="database.uuid", value=f"{UUID}{number}")
    return odoo


def neutralize(odoo: LiveOdoo) -> None:
    """As `odoo-bin neutralize` marks it."""
    odoo.insert("ir.config_parameter", key="database.is_neutralized", value="true")


def work(odoo: LiveOdoo, count: int = 1) -> None:
    """So many jobs."""
    with odoo.transaction():
        for _ in range(count):
            live.done(odoo, live.job(odoo))


def said(collector: FakeCollector) -> list[tuple[str, str]]:
    """(what changed, the sentence) of every log event about a database."""
    found = []
    for request in collector.requests:
        if request.signal == "logs":
            message = ExportLogsServiceRequest.FromString(request.body)
            for record in (r for one in message.resource_logs for scope in one.scope_logs for r in scope.log_records):
                if record.event_name == "odoo.database.changed":
                    about = {pair.key: pair.value.string_value for pair in record.attributes}
                    found.append((about["odoo.database.change"], record.body.string_value))
    return found


def is_dark(exporter: Exporter) -> bool:
    """Whether the last poll of the actions failed; `odoo_up` is 0 also for a seldom Source that fails since before."""
    return exporter.value("odoo_source_success", source="odoo/crons") == 0


def done(exporter: Exporter, name: str = "acme") -> float:
    """Jobs that were told."""
    return exporter.value(JOBS, odoo_database=name, result="success")


def test_an_upgrade_is_said_and_read_through_the_new_door(tmp_path: Path, collector: FakeCollector) -> None:
    """From 17 to 19 while the exporter runs: JSON-2 from then on, every job once, one log event."""
    odoo = company()
    become(odoo, 17)
    with (
        LiveServer(odoo, (17, 0)) as server,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.value("odoo_up") == 1)
        work(odoo, 2)
        until(lambda: done(exporter) == 2, what="the jobs before")
        server.away()
        until(lambda: exporter.value("odoo_up") == 0, what="the outage")
        odoo.absent.discard("ir.cron.progress")
        become(odoo, 19)
        server.version = (19, 0)
        work(odoo, 3)
        server.asked.clear()
        server.back()
        until(lambda: done(exporter) == 5, what="the jobs since")
        until(lambda: any(path.startswith("/json/2/") for _, path in server.asked), what="the new door")
        until(lambda: exporter.reads("acme") and exporter.settled("acme"))
        assert exporter.value("odoo_info", version="19.0") == 1
    assert said(collector) == [
        ("upgraded", "The database was upgraded from Odoo 17.0 to 19.0: it is read by what 19.0 shows.")
    ]
    assert collector.differing() == []


def test_a_neutralized_database_wakes_nobody(tmp_path: Path, collector: FakeCollector) -> None:
    """A staging copy: a failing and a missed action open nothing; live again, the next failure does."""
    odoo = company()
    neutralize(odoo)
    one, missed = live.cron(odoo, "LAB fails"), live.cron(odoo, "LAB missed")
    odoo.raw("ir.cron", missed, nextcall=odoo.now - timedelta(hours=2))
    with (
        LiveServer(odoo) as server,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        odoo.now += timedelta(seconds=30)
        live.ran(odoo, one, failed=True)
        until(lambda: exporter.value("odoo_cron_runs_total", result="failure") == 1, what="the failed run")
        until(lambda: exporter.folded("acme"))
        assert exporter.value("odoo_anomaly_active") == 0
        server.away()
        until(lambda: is_dark(exporter), what="a poll that fails")
        odoo.tables["ir.config_parameter"] = {
            number: row
            for number, row in odoo.tables["ir.config_parameter"].items()
            if row["key"] != "database.is_neutralized"
        }
        server.back()
        until(lambda: [what for what, _ in said(collector)] == ["live"], what="the log event")
        odoo.now += timedelta(seconds=30)
        live.ran(odoo, one, failed=True)
        until(lambda: exporter.value("odoo_anomaly_active", detector="result.failing") == 1, what="the Finding")


@pytest.mark.parametrize("away", [True, False], ids=["after an outage", "between two polls"])
def test_a_restored_database_is_told_on(tmp_path: Path, collector: FakeCollector, *, away: bool) -> None:
    """`pg_restore` of a while ago: said once; every run, job and approval is told once, under whatever id it came."""
    odoo = company()
    one, waiting = live.cron(odoo, "LAB ok"), live.order(odoo)
    with (
        LiveServer(odoo) as server,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        with odoo.transaction():
            backup = odoo.backup()
        _day(odoo, exporter, (one, waiting), 1)
        if away:
            server.away()
            until(lambda: exporter.value("odoo_up") == 0, what="the outage")
        with odoo.transaction():
            odoo.restore(backup)
            odoo.now += timedelta(seconds=5)
        if away:
            server.back()
        until(lambda: [what for what, _ in said(collector)] == ["restored"], what="the log event")
        _day(odoo, exporter, (one, waiting), 2)
        until(lambda: exporter.settled("acme"))
    assert [what for what, _ in said(collector)] == ["restored"]
    assert sum("was restored" in line for line in exporter.lines) == 1
    roots = [span for span in collector.spans() if not span.parent_span_id]
    assert len({span.span_id for span in roots}) == len({span.trace_id for span in roots}) + 1, "an order told twice"
    assert collector.differing() == []


def _day(odoo: LiveOdoo, exporter: Exporter, known: tuple[int, int], days: int) -> None:
    """An action runs, a job is done, an order is made and approved, and the one that was there is."""
    one, waiting = known
    with odoo.transaction():
        odoo.now += timedelta(seconds=30)
        live.ran(odoo, one)
        live.done(odoo, live.job(odoo, uuid=f"uuid of day {days}"))
        asked = [(order, live.submitted(odoo, order)) for order in (waiting, live.order(odoo))]
    until(lambda: exporter.value("odoo_approvals", state="review") == len(asked), what=f"waiting on day {days}")
    with odoo.transaction():
        odoo.now += timedelta(seconds=30)
        for order, review in asked:
            live.approved(odoo, order, review)
    told = {"odoo_cron_runs_total": days, JOBS: days, "odoo_workflow_runs_total": 2 * days}
    until(lambda: {name: exporter.value(name, result="success") for name in told} == told, what=f"telling day {days}")


def test_a_moved_database_is_told_on(tmp_path: Path, collector: FakeCollector) -> None:
    """Another address after a restart: said once, the same ids, nothing told twice."""
    odoo = company()
    with LiveServer(odoo) as first, LiveServer(odoo) as second:
        exporter = Exporter(tmp_path, [first.entry("acme")], endpoint=collector.url)
        with exporter:
            until(lambda: exporter.reads("acme"))
            work(odoo, 2)
            until(lambda: done(exporter) == 2 and exporter.settled("acme"))
            exporter.stop()
            exporter.databases = [second.entry("acme")]
            exporter.start()
            until(lambda: exporter.reads("acme"))
            work(odoo, 1)
            until(lambda: done(exporter) == 3 and exporter.settled("acme"))
            exporter.stop()
            exporter.start()
            until(lambda: exporter.reads("acme") and exporter.settled("acme"))
    assert [what for what, _ in said(collector)] == ["moved"]
    assert len({span.span_id for span in collector.spans() if span.name == "attempt"}) == 3
    assert collector.differing() == []


def test_a_copy_is_not_told_under_the_ids_of_the_original(tmp_path: Path) -> None:
    """`createdb -T`: the same uuid elsewhere, whatever its clock, is refused; as another environment it is read."""
    behind = company()
    behind.now -= timedelta(hours=1)
    with LiveServer(company()) as original, LiveServer(behind) as copy:
        acme, twin = original.entry("acme"), copy.entry("twin")
        with Exporter(tmp_path, [acme]) as exporter:
            until(lambda: exporter.reads("acme"))
            exporter.databases = [acme, twin]
            exporter.reload()
            until(lambda: any("twin has the uuid of acme" in line for line in exporter.lines), what="the sentence")
            assert exporter.reads("acme")
            assert exporter.value("odoo_up", odoo_database="twin") == 0
            reports = exporter.reports("twin").values()
            assert all("Set another `environment` for twin" in one.error for one in reports)
            exporter.databases = [acme, {**twin, "environment": "staging"}]
            exporter.reload()
            until(lambda: exporter.reads("twin") and exporter.reads("acme"), what="both")


def test_of_two_new_copies_one_is_read(tmp_path: Path) -> None:
    """Both in the first configuration: one of them waits; under the old environment again it is refused again."""
    with LiveServer(company()) as original, LiveServer(company()) as copy:
        names = ("acme", "twin")
        entries = {"acme": original.entry("acme"), "twin": copy.entry("twin")}
        with Exporter(tmp_path, [*entries.values()]) as exporter:
            until(lambda: any("one is a copy of the other" in line for line in exporter.lines), what="the sentence")
            until(lambda: any(exporter.reads(name) for name in names), what="one of them")
            assert sorted(exporter.value("odoo_up", odoo_database=name) for name in names) == [0, 1]
            (dark,) = (name for name in names if exporter.value("odoo_up", odoo_database=name) == 0)
            exporter.databases = [
                {**entries, dark: {**entries[dark], "environment": "staging"}}[name] for name in names
            ]
            exporter.reload()
            until(lambda: all(exporter.reads(name) for name in names), what="both")
            exporter.databases = [*entries.values()]
            exporter.reload()
            until(lambda: exporter.value("odoo_up", odoo_database=dark) == 0, what="refused again")


def test_another_database_behind_the_address_is_said(tmp_path: Path, collector: FakeCollector) -> None:
    """Another uuid after an outage is a warning, once."""
    odoo = company()
    with (
        LiveServer(odoo) as server,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        for number in (2, 2):
            server.away()
            until(lambda: is_dark(exporter), what="a poll that fails")
            (row,) = odoo.tables["ir.config_parameter"].values()
            row["value"] = f"{UUID}{number}"
            server.back()
            until(lambda: exporter.reads("acme"))
        until(lambda: exporter.settled("acme"))
        until(lambda: said(collector) != [])
    assert [what for what, _ in said(collector)] == ["replaced"]


def test_a_right_withdrawn_while_it_runs_changes_nothing(tmp_path: Path, collector: FakeCollector) -> None:
    """A neutralized database that shows its uuid no more, and does again, is neither replaced nor live (R7)."""
    odoo = company()
    neutralize(odoo)
    with (
        LiveServer(odoo) as server,
        Exporter(tmp_path, [server.entry("acme")], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        for change in (odoo.forbidden.add, odoo.forbidden.discard):
            server.away()
            until(lambda: is_dark(exporter), what="a poll that fails")
            change("ir.config_parameter")
            asked = len(server.asked)
            server.back()
            until(lambda seen=asked: any("config_parameter" in path for _, path in server.asked[seen:]))
            until(lambda: exporter.reads("acme"))
        work(odoo)
        until(lambda: done(exporter) == 1 and exporter.settled("acme"))
    assert said(collector) == []


def _check(config: Path) -> tuple[int, str]:
    """Exit code and words of `odoo-otel check`."""
    found = CliRunner().invoke(cli.main, ["check", "--config", str(config)])
    return found.exit_code, found.output


def test_check_names_a_copy(tmp_path: Path) -> None:
    """Two databases with one uuid cannot be watched (exit code 2); with another environment they can."""
    with LiveServer(company()) as original, LiveServer(company()) as copy:
        twin = copy.entry("twin")
        for environment, code, words in (
            ("production", 2, "error   twin: It has the uuid of acme: one is a copy of the other, their ids would be"),
            ("staging", 0, "note    twin: It has the uuid of acme: one is a copy of the other. Their environments"),
        ):
            config = tmp_path / "config.yaml"
            entries = [original.entry("acme"), {**twin, "environment": environment}]
            config.write_text(json.dumps({"state_dir": str(tmp_path / "state"), "databases": entries}))
            found, said = _check(config)
            assert words in said
            assert found == code, said


def test_check_says_that_it_was_restored(tmp_path: Path) -> None:
    """Before a poll has seen it, by what the store remembers, and afterwards; it is no fault."""
    odoo = company()
    one = live.cron(odoo, "LAB ok")
    with LiveServer(odoo) as server, Exporter(tmp_path, [server.entry("acme")]) as exporter:
        backup = odoo.backup()
        odoo.now += timedelta(seconds=30)
        live.ran(odoo, one)
        until(lambda: exporter.value("odoo_cron_runs_total", result="success") == 1)
        assert "restored" not in _check(tmp_path / "config.yaml")[1]
        exporter.stop()
        odoo.restore(backup)
        assert (
            "note    acme: It was restored since it was read: what it did up to" in _check(tmp_path / "config.yaml")[1]
        )
        exporter.start()
        until(lambda: any("was restored" in line for line in exporter.lines))
        said = _check(tmp_path / "config.yaml")[1]
        assert "note    acme: It was restored: that was seen at" in said
        assert "since it was read" not in said


def test_check_goes_on_beside_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    """Of an older program, damaged, or of somebody else: a note, and everything else is said."""
    with LiveServer(company()) as server:
        config = tmp_path / "config.yaml"
        state = tmp_path / "state"
        state.mkdir()
        config.write_text(json.dumps({"state_dir": str(state), "databases": [server.entry("acme")]}))
        (state / STORE_FILE).write_bytes(b"no store at all" * 100)
        code, said = _check(config)
    assert code < 2
    assert "note    store: Whether a database was restored cannot be said, the store cannot be read:" in said
    assert said.rstrip().count("\n") > 3


def test_check_says_that_it_is_neutralized() -> None:
    """A note, not a fault."""
    odoo = company()
    neutralize(odoo)
    with LiveServer(odoo) as server:
        url = str(server.entry("x")["url"])
        environ = {"ODOO_URL": url, "ODOO_DB": "lab", "ODOO_USER": "monitor", "ODOO_API_KEY": KEY}
        found = CliRunner().invoke(cli.main, ["check"], env=environ)
    assert "It is neutralized" in found.output
    assert json.dumps(f"{UUID}1")[1:-1] in found.output
