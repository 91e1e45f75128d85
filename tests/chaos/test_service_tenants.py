"""Two databases: one refuses, lies, hangs and loses rows; the other one is read as if nothing were the matter (R7)."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_http import Canned, _error, _json
from tests.fakes.odoo_live import AtOnce, LiveServer, Trouble, live_lab

Rows = list[dict[str, Any]]
LATE = 2.0  # seconds a poll of the other database may come later than the second it is due in
ROWS = "/search_read"
UUIDS = ("5d2f6ec4-0000-4000-8000-000000000001", "5d2f6ec4-0000-4000-8000-000000000002")


def _instead(answer: Canned) -> Trouble:
    """Whatever is asked: that."""
    return lambda _path, _real: answer


def _refusing(status: int, name: str, message: str) -> Trouble:
    return _instead(_json(status, _error(name, message)))


def _rows(change: Callable[[Rows], object]) -> Trouble:
    """The real rows, changed."""

    def trouble(path: str, real: Callable[[], Canned]) -> Canned:
        answer = real()
        if answer.status != 200 or not path.endswith((ROWS, "/jsonrpc")):
            return answer
        found = json.loads(answer.body)
        if path.endswith(ROWS):
            return _json(200, change(found))
        rows = found.get("result")
        is_rows = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        return _json(200, found | {"result": change(rows)}) if is_rows else answer

    return trouble


def _each(change: Callable[[str, Any], Any]) -> Trouble:
    """Every value of every row, changed; ids stay."""
    return _rows(lambda rows: [{k: v if k == "id" else change(k, v) for k, v in row.items()} for row in rows])


def _half(_path: str, real: Callable[[], Canned]) -> Canned:
    """The server restarts in the middle of a page."""
    answer = real()
    return Canned(body=answer.body[: len(answer.body) // 2], kind=answer.kind, claims=len(answer.body) + 1)


def _huge(_path: str, _real: Callable[[], Canned]) -> Canned:
    """A page that nobody asked for."""
    return Canned(body=b" " * 65 * 2**20, kind="application/json")


def _deep(depth: int) -> Canned:
    return Canned(body=b"[" * depth + b"]" * depth, kind="application/json")


TROUBLES: Mapping[str, Trouble] = {
    "500": _instead(Canned(status=500, body=b"Internal Server Error")),
    "502 html": _instead(Canned(status=502, body=b"<html>nginx</html>")),
    "200 html": _instead(Canned(body=b"<!doctype html><title>Log in</title>")),
    "redirect": _instead(Canned(status=303, headers={"Location": "/web/login"})),
    "no database": _instead(Canned(status=404, body=b"<!doctype html><p>No database")),
    "key refused": _refusing(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey"),
    "access error": _refusing(403, "odoo.exceptions.AccessError", "You are not allowed to access this."),
    "missing field": _refusing(500, "builtins.ValueError", "Invalid field 'state' on 'queue.job'"),
    "wrong types": _each(lambda _name, value: [value] if isinstance(value, str) else "x"),
    "objects": _each(lambda _name, value: {"value": value}),
    "nulls": _each(lambda _name, _value: None),
    "duplicate ids": _rows(lambda rows: rows + rows),
    "no ids": _rows(lambda rows: [{k: v for k, v in row.items() if k != "id"} for row in rows]),
    "ids that are lists": _rows(lambda rows: [row | {"id": [row["id"]]} for row in rows]),
    "a row that is none": _rows(lambda rows: [*rows, None]),
    "a number": _rows(lambda _rows: 7),
    "depth": _instead(_deep(100_000)),
    "restart in a page": _half,
    "huge page": _huge,
    "a byte a second": _instead(Canned(body=b"[" * 30, kind="application/json", pause=1.0)),
    "missing model": _refusing(404, "werkzeug.exceptions.NotFound", "the model 'queue.job' does not exist"),
}


@dataclass(slots=True)
class Stage:
    """The troubled database, the quiet one, the exporter of both, its Collector."""

    troubled: LiveServer
    quiet: LiveServer
    exporter: Exporter
    collector: FakeCollector
    jobs: dict[str, int]
    watch: AtOnce = field(default_factory=AtOnce)

    def watched(self, trouble: Trouble) -> Trouble:
        """The trouble, and how many calls of it are under way at once."""
        return lambda path, real: self.watch(path, lambda: trouble(path, real))

    def work(self) -> None:
        """A job is done in each database, and its scheduled action runs well."""
        for name, server in (("acme", self.troubled), ("beta", self.quiet)):
            with server.odoo.transaction():  # type: ignore[attr-defined]
                live.done(server.odoo, live.job(server.odoo, uuid=str(uuid4())), seconds=0.25)
            self.jobs[name] += 1

    def polls(self, times: int) -> None:
        """Work goes on until the quiet database was polled so many times more."""
        wanted = len(_polls(self.quiet)) + times
        while len(_polls(self.quiet)) < wanted:
            self.work()
            assert self.exporter.process.poll() is None, self.exporter.lines[-3:]
            time.sleep(0.1)


@pytest.fixture(params=["json2", "jsonrpc"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Both were read well, the one that will be in trouble through either door."""
    with ExitStack() as stack:
        servers = [stack.enter_context(LiveServer(live_lab())) for _ in range(2)]
        for server, uuid in zip(servers, UUIDS, strict=True):
            live.cron(server.odoo, "LAB ok")
            server.odoo.insert("ir.config_parameter", key="database.uuid", value=uuid)
        collector = stack.enter_context(FakeCollector())
        entries = [servers[0].entry("acme", door=request.param), servers[1].entry("beta")]
        exporter = stack.enter_context(Exporter(tmp_path, entries, endpoint=collector.url))
        found = Stage(*servers, exporter, collector, {"acme": 0, "beta": 0})
        until(lambda: all(exporter.value("odoo_up", odoo_database=name) for name in found.jobs))
        yield found


def _polls(server: LiveServer) -> Sequence[float]:
    """When its scheduled actions were asked for."""
    return [at for at, path in list(server.asked) if path == "/json/2/ir.cron/search_read"]


def _told(stage: Stage, server: LiveServer) -> set[str]:
    """The uuids of the jobs of which the Collector has the root span."""
    found: set[str] = set()
    for span in stage.collector.spans():
        words = {one.key: one.value.string_value for one in span.attributes}
        if not span.parent_span_id and words["odoo.model"] == "queue.job" and f":{server.port}/" in words["url.full"]:
            found.add(words["odoo.record.id"])
    return found


def _all(server: LiveServer) -> set[str]:
    return {str(row["uuid"]) for row in server.odoo.tables["queue.job"].values()}


def test_a_database_in_trouble_leaves_the_other_one_alone(stage: Stage) -> None:
    """R7, feature 73: 23 kinds of trouble in one database: the other is polled in time, told whole, and it is later."""
    began = time.monotonic()
    for name, trouble in TROUBLES.items():
        stage.troubled.trouble = stage.watched(trouble)
        asked = len(stage.troubled.asked)
        stage.polls(1)
        until(lambda asked=asked: len(stage.troubled.asked) > asked, what=f"a poll under {name}")
        assert stage.exporter.process.poll() is None, (name, stage.exporter.lines[-3:])
        assert stage.exporter.get("/readyz")[0] == 200, (name, stage.exporter.lines[-3:])
    stage.troubled.away()
    stage.polls(2)
    stage.troubled.back()
    stage.troubled.trouble = stage.troubled.hang
    stage.polls(3)
    stage.troubled.trouble = None
    stage.troubled.letting_go.set()
    gaps = [after - before for before, after in pairwise(at for at in _polls(stage.quiet) if at > began)]
    assert max(gaps) < 1 + LATE, sorted(gaps)[-5:]
    until(lambda: _told(stage, stage.quiet) >= _all(stage.quiet), what="telling all of the quiet one")
    stage.troubled.odoo.step(660)  # a model that was not there is asked for again after ten minutes
    until(lambda: _told(stage, stage.troubled) >= _all(stage.troubled), 15, "telling all of the troubled one")
    assert stage.watch.most == 1, "no more than one call in flight, whatever the answer"
    for name, number in stage.jobs.items():
        assert stage.exporter.value("odoo_job_runs_total", odoo_database=name, result="success") == number
        assert stage.exporter.value("odoo_jobs", odoo_database=name) == 0
    assert _told(stage, stage.quiet) == _all(stage.quiet)
    assert stage.collector.differing() == []
    assert stage.exporter.value("odoo_source_refused_rows_total", odoo_database="beta") == 0
    assert stage.exporter.value("odoo_source_refused_rows_total", odoo_database="acme") > 0
    stage.exporter.stop()


def test_a_database_that_never_answers_is_down_and_the_other_one_up(tmp_path: Path) -> None:
    """R7: one hangs from the beginning: odoo_up 0 for it, 1 for the other, and it is read when it answers."""
    with LiveServer(live_lab()) as troubled, LiveServer(live_lab()) as quiet:
        for server in (troubled, quiet):
            live.cron(server.odoo, "LAB ok")
        troubled.trouble = troubled.hang
        with Exporter(tmp_path, [troubled.entry("acme"), quiet.entry("beta")]) as exporter:
            until(lambda: exporter.value("odoo_up", odoo_database="beta") == 1)
            assert exporter.value("odoo_up", odoo_database="acme") == 0
            assert ("odoo_up", (("odoo_database", "acme"),)) in exporter.samples()
            troubled.trouble = None
            troubled.letting_go.set()
            until(lambda: exporter.value("odoo_up", odoo_database="acme") == 1, 30)
            exporter.stop()


def test_a_restored_and_a_copied_database_leave_the_other_one_alone(stage: Stage) -> None:
    """R7: one is put back to a backup twice, and copied: each of its jobs is told once, the copy's never."""
    troubled, quiet, exporter = stage.troubled, stage.quiet, stage.exporter
    with LiveServer(live_lab()) as copy:
        copy.odoo.insert("ir.config_parameter", key="database.uuid", value=UUIDS[0])
        exporter.stop()
        exporter.databases = [*exporter.databases, copy.entry("twin")]
        exporter.start()
        began = time.monotonic()
        until(lambda: any("twin has the uuid of acme" in line for line in exporter.lines), what="the copy refused")
        backup, made = troubled.odoo.backup(), _all(troubled)
        for _ in range(2):
            live.done(copy.odoo, live.job(copy.odoo))
            with troubled.odoo.transaction():  # type: ignore[attr-defined]
                troubled.odoo.step(5)
                live.ran(troubled.odoo, min(troubled.odoo.tables["ir.cron"]))
            stage.polls(2)
            made |= _all(troubled)
            until(lambda: _told(stage, troubled) >= made, what="telling all that was done")  # noqa: B023 - awaited here
            with troubled.odoo.transaction():  # type: ignore[attr-defined]
                troubled.odoo.restore(backup)
                troubled.odoo.step(5)
            stage.polls(2)
        made |= _all(troubled)
        until(lambda: _told(stage, troubled) >= made and _told(stage, quiet) >= _all(quiet), what="telling all")
        assert _told(stage, troubled) == made
        assert _told(stage, copy) == set()
    gaps = [after - before for before, after in pairwise(at for at in _polls(quiet) if at > began)]
    assert max(gaps) < 1 + LATE, sorted(gaps)[-5:]
    for name, number in stage.jobs.items():
        assert exporter.value("odoo_job_runs_total", odoo_database=name, result="success") == number
    assert exporter.value("odoo_cron_runs_total", odoo_database="acme", result="success") == 2
    assert sum("acme was restored" in line for line in exporter.lines) == 2
    assert stage.collector.differing() == []
    exporter.stop()


def test_rows_that_are_deleted_end_their_run(stage: Stage) -> None:
    """R7: a queue job that is deleted while it waits is told as cancelled and is not open any more."""
    odoo = stage.quiet.odoo
    one = live.job(odoo)
    until(lambda: stage.exporter.value("odoo_jobs", odoo_database="beta") == 1)
    odoo.unlink("queue.job", one)
    until(lambda: stage.exporter.value("odoo_job_runs_total", odoo_database="beta", result="cancellation") == 1)
    assert stage.exporter.value("odoo_jobs", odoo_database="beta") == 0
    stage.exporter.stop()
