"""A real database that is put back, copied and neutralized: said, and nothing is lost or told twice (R7)."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.stack import lab as labs
from tests.stack.lab import Lab, company
from tests.stack.servers.odoo import Odoo
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres

WITHIN = 60.0
QUIET = OdooOptions(cron_threads=1, queue_channels="root:1")
COUNTERS = ("odoo_cron_runs_total", "odoo_job_runs_total", "odoo_workflow_runs_total")


def entry(odoo: Odoo, name: str, **settings: Any) -> dict[str, Any]:
    """In the configuration; the administrator may read the uuid, and that a database is neutralized."""
    access = {"url": odoo.url, "database": odoo.db, "user": "admin", "api_key": company().keys["admin"]}
    return {"name": name, **access, "poll_seconds": 1, **settings}


@dataclass(slots=True)
class Day:
    """What was done on a day, by the ids it got."""

    orders: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    job: int = 0
    uuid: str = ""


def worked(lab: Lab, exporter: Exporter, waiting: int, *, days: int) -> Day:
    """An action runs, a job is done, an order is made, and so it and the one that waits are approved: all is told."""
    rows, changes = newest(lab, "ir_cron_progress"), newest(lab, "mail_tracking_value")
    found = Day(orders=[waiting, lab.create_purchase("carl", 900)])
    for order in found.orders:
        lab.confirm("carl", order)
    lab.run_cron_here("ok")
    found.uuid = lab.enqueue_job("succeed")
    found.job = int(lab.finished_job(found.uuid)["id"])
    until(lambda: exporter.value("odoo_approvals", workflow="purchase") == len(found.orders), WITHIN, "waiting orders")
    for order in found.orders:
        lab.approve("dora", order)
    told = (days, days, 2 * days)
    until(lambda: tuple(exporter.value(name) for name in COUNTERS) == told, WITHIN, f"telling day {days}")
    found.rows = list(range(rows + 1, newest(lab, "ir_cron_progress") + 1))
    found.changes = list(range(changes + 1, newest(lab, "mail_tracking_value") + 1))
    return found


def newest(lab: Lab, table: str) -> int:
    """The highest id of a table."""
    (row,) = lab.sql(f"SELECT coalesce(max(id), 0) AS id FROM {table}")  # noqa: S608 - names of ours
    return int(row["id"])


def tags(span: Span) -> dict[str, str]:
    """A span's attributes."""
    return {pair.key: pair.value.string_value for pair in span.attributes}


def changed(exporter: Exporter) -> list[str]:
    """What its log says of changed databases."""
    return [line["message"] for line in exporter.logs() if " was restored" in line["message"]]


def test_work_that_is_done_again_behind_a_restore_is_told_again(postgres: Postgres, folder: Path) -> None:
    """`pg_restore` of this morning over the same name: runs, jobs and orders under the same ids are told once each."""
    with FakeCollector() as collector, labs.running(postgres, folder / "odoo", QUIET) as lab:
        odoo, dump = lab.odoo, folder / "morning.dump"
        with Exporter(folder / "exporter", [entry(odoo, "acme")], endpoint=collector.url) as exporter:
            until(lambda: exporter.reads("acme"), WITHIN, "the first poll")
            waiting = lab.create_purchase("carl", 900)
            postgres.dump(odoo.db, dump)
            first = worked(lab, exporter, waiting, days=1)
            odoo.stop()
            postgres.dropdb(odoo.db)
            postgres.restore(odoo.db, dump)
            odoo.start()
            until(lambda: changed(exporter), WITHIN, "the restore seen")
            second = worked(lab, exporter, waiting, days=2)
            until(lambda: exporter.settled("acme"), WITHIN, "sending all")
            assert len(changed(exporter)) == 1
    assert (second.orders, second.job, second.rows) == (first.orders, first.job, first.rows), "their ids came again"
    assert set(second.changes) & set(first.changes), "and those of the changes"
    roots = [span for span in collector.spans() if not span.parent_span_id]
    kinds = Counter((tags(span)["odoo.model"], tags(span)["odoo.record.id"]) for span in roots)
    made = second.orders[1]
    assert kinds == {
        ("ir.cron", str(company().crons["ok"])): 2,
        ("queue.job", first.uuid): 1,
        ("queue.job", second.uuid): 1,
        ("purchase.order", str(waiting)): 2,
        ("purchase.order", str(made)): 2,
    }
    assert len({span.span_id for span in roots}) == len(roots) == 8
    assert len({span.trace_id for span in roots if tags(span).get("odoo.record.id") == str(made)}) == 2
    assert collector.differing() == []


@pytest.fixture
def copies(postgres: Postgres, folder: Path) -> Iterator[tuple[Odoo, Odoo]]:
    """Two databases made by `createdb -T` of one, the second neutralized as a staging server does it."""
    with ExitStack() as stack:
        both = [labs.new_odoo(postgres, folder / name, QUIET) for name in ("odoo", "twin")]
        for odoo in both:
            stack.callback(postgres.dropdb, odoo.db)
        both[1].program.run("neutralize")
        for odoo in both:
            stack.enter_context(odoo)
        yield both[0], both[1]


def test_a_neutralized_copy_is_named_refused_and_read_as_another_environment(
    copies: tuple[Odoo, Odoo], folder: Path
) -> None:
    """`createdb -T` and `odoo neutralize`: check and service say which it is; told apart, both are read."""
    acme, twin = entry(copies[0], "acme"), entry(copies[1], "twin")
    with Exporter(folder / "exporter", [acme]) as exporter:
        until(lambda: exporter.reads("acme"), WITHIN, "the first poll")
        exporter.databases = [acme, twin]
        exporter.reload()
        until(lambda: any("twin has the uuid of acme" in line for line in exporter.lines), WITHIN, "the sentence")
        assert exporter.value("odoo_up", odoo_database="twin") == 0
        found = checked(folder / "exporter" / "config.yaml")
        assert found.returncode == 2, found.stdout
        assert "error   twin: It has the uuid of acme: one is a copy of the other" in found.stdout
        assert "note    twin: It is neutralized (a staging copy)" in found.stdout
        assert "acme: It is neutralized" not in found.stdout
        exporter.databases = [acme, {**twin, "environment": "staging"}]
        exporter.reload()
        until(lambda: exporter.reads("twin") and exporter.reads("acme"), WITHIN, "both")
        assert checked(folder / "exporter" / "config.yaml").returncode < 2
    assert json.dumps(exporter.lines).count("was restored") == 0


def checked(config: Path) -> "subprocess.CompletedProcess[str]":
    """`odoo-otel check`."""
    command = [Path(sys.executable).with_name("odoo-otel"), "check", "--config", config]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
