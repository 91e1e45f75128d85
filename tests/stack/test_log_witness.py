"""Odoo's log as a witness: the real Odoo 19 writes it, the real Collector reads it, Jaeger holds each run once."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.tokens import LOGS, Tokens
from tests.stack.conftest import CONFIG
from tests.stack.lab import Lab, company, running
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.exporter import Exporter
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import HOST, free_port, wait_until

RUNS = {"ok": "success", "fail": "failure", "partial": "partial"}
Span = dict[str, Any]


@dataclass(slots=True)
class Witnessed:
    """Odoo and Jaeger after a few runs."""

    lab: Lab
    jaeger: Jaeger

    def roots(self, name: str) -> list[Span]:
        """The root spans of an action's runs."""
        traces = self.jaeger.traces("odoo", limit=500)
        return [s for trace in traces for s in trace["spans"] if s["operationName"] == f"cron LAB {name}"]


@pytest.fixture(scope="module")
def witnessed(postgres: Postgres, stack_folder: Path) -> Iterator[Witnessed]:
    """A lab whose log the Collector follows, after a run of each kind."""
    folder = stack_folder / "log"
    folder.mkdir()
    folder.chmod(0o755)
    with running(postgres, folder / "odoo", OdooOptions(cron_threads=1)) as lab, Jaeger(folder / "jaeger") as jaeger:
        access = {"url": lab.odoo.url, "database": lab.odoo.db, "user": "mon", "api_key": company().keys["mon"]}
        exporter = Exporter(folder / "exporter", [{**access, "poll_seconds": 1, "odoo_log": True}])
        port = free_port()
        exporter.configure(intake_port=port, detectors=False)
        exporter.state.mkdir(parents=True)
        token = Tokens(exporter.state).make(LOGS, datetime.now(UTC)).reveal()
        told = {"ODOO_LOG_FILE": str(lab.odoo.log), "ODOO_OTEL_LOGS_TOKEN": token, "ODOO_LOG_START": "beginning"}
        told["EXPORTER_INTAKE"] = f"http://{HOST}:{port}"
        targets = Targets(jaeger=jaeger.otlp_grpc, exporter=exporter.target)
        with Collector(folder / "collector", CONFIG, targets, **told) as collector:
            exporter.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            with exporter:
                found = Witnessed(lab, jaeger)
                for name in RUNS:
                    lab.run_cron(name)
                    lab.finished_cron(name)
                wait_until(lambda: all(found.roots(name) for name in RUNS), "every run in Jaeger", within=120)
                time.sleep(3)  # what would be told twice is told by now
                yield found


def told_by_log(lab: Lab, name: str) -> list[float]:
    """The durations that Odoo's log gives."""
    text = "\n".join(lab.cron_lines(name))
    return [float(seconds) for seconds in re.findall(r"duration (\d+\.\d+)s\)", text)]


@pytest.mark.parametrize(("name", "result"), RUNS.items())
def test_each_run_is_told_once_with_the_logs_duration(witnessed: Witnessed, name: str, result: str) -> None:
    """One root span a run; its duration is the log's where polling shows whole seconds (features 2, 60)."""
    runs, durations = witnessed.roots(name), told_by_log(witnessed.lab, name)
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in runs]
    wanted = [one for one in tags if one["odoo.run.result"] == result]
    assert wanted
    assert len(runs) == len(durations)
    steps = {s["spanID"] for run in runs for s in [run]}
    assert len(steps) == len(runs)
    worked = sorted(run["duration"] / 1e6 - _wait(witnessed, run) for run in runs)
    for told, seen in zip(sorted(durations), worked, strict=True):
        assert seen == pytest.approx(told, abs=0.1)


def _wait(witnessed: Witnessed, run: Span) -> float:
    """How much of a root span was waiting, in seconds."""
    (trace,) = [one for one in witnessed.jaeger.traces("odoo", limit=500) if one["traceID"] == run["traceID"]]
    waits = [s["duration"] for s in trace["spans"] if s["operationName"] == "wait"]
    return sum(waits) / 1e6


def test_the_exception_is_named(witnessed: Witnessed) -> None:
    """Over RPC nobody knows why an action failed: its log does (feature 10)."""
    failed = witnessed.roots("fail")
    types = {tag["value"] for run in failed for tag in run["tags"] if tag["key"] == "error.type"}
    assert types
    assert types <= {"odoo.exceptions.UserError", "odoo.exceptions.ValidationError", "ValueError"}
