"""The demo as a stranger runs it: a process of its own, its pages, its commands, its last line."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.collector import Behaviour, FakeCollector

NUMBERS = {"events", "runs", "spans", "observations", "open_runs", "seconds", "rss_mib"}
METRICS = re.compile(r"live at 60x: (http://127\.0\.0\.1:\d+/metrics)")
GRACE = 60


def _environment(state: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ODOO_"))}
    return {**kept, "ODOO_OTEL_STATE": str(state)}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter", *arguments]


def _demo(state: Path, seconds: int = 8, **environ: str) -> dict[str, float]:
    """Run the demo to its end; its last line."""
    command = _command("demo", "--days", "2", "--port", "0", "--seconds", str(seconds))
    env = _environment(state) | environ
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds + GRACE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _say(state: Path, *arguments: str) -> str:
    command = _command(*arguments)
    return subprocess.run(
        command, env=_environment(state), capture_output=True, text=True, timeout=GRACE, check=True
    ).stdout


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that ran once."""
    folder = tmp_path_factory.mktemp("demo")
    numbers = _demo(folder)
    (folder / "numbers.json").write_text(json.dumps(numbers), encoding="utf-8")
    return folder


def test_the_last_line_says_what_was_seen(state: Path) -> None:
    """One JSON object with the numbers, none of them zero."""
    numbers = json.loads((state / "numbers.json").read_text(encoding="utf-8"))
    assert numbers.keys() >= NUMBERS
    assert all(numbers[name] > 0 for name in NUMBERS)
    assert numbers["spans"] >= numbers["runs"]


def test_runs_and_a_trace_can_be_looked_at(state: Path) -> None:
    """`runs` lists what happened, `trace` draws one of them (features 2, 60)."""
    found = [json.loads(line) for line in _say(state, "runs", "--limit", "5000", "--json").splitlines()]
    assert {run["kind"] for run in found} == {"cron", "job", "record"}
    job = next(run for run in found if run["kind"] == "job" and run["result"] == "success")
    assert job["trace_id"][:12] in _say(state, "runs", "--limit", "5000")
    drawn = _say(state, "trace", job["trace_id"])
    assert job["trace_id"] in drawn
    assert "attempt" in drawn


def test_a_second_start_goes_on_where_the_first_one_stopped(state: Path) -> None:
    """R1, R3: the same company, nothing twice, time goes on."""
    before = json.loads((state / "numbers.json").read_text(encoding="utf-8"))
    after = _demo(state, seconds=4)
    assert before["events"] < after["events"] < before["events"] * 1.3
    ids = [json.loads(line)["run"] for line in _say(state, "runs", "--limit", "10000", "--json").splitlines()]
    assert len(ids) == len(set(ids))


def test_every_span_of_its_last_line_was_sent(tmp_path: Path) -> None:
    """As many different spans arrive at OTEL_EXPORTER_OTLP_ENDPOINT as the last line says, at a slow one, too (R3)."""
    slow = Behaviour(lambda exchange: (time.sleep(0.2), exchange.answer(200))[1], stores=True)
    with FakeCollector(default=slow) as collector:
        numbers = _demo(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, ODOO_OTEL_DETECTORS="false")
        arrived = [(span.trace_id, span.span_id) for span in collector.spans()]

    assert numbers["spans"] > 1000
    assert len(set(arrived)) == len(arrived) == numbers["spans"]
    assert {request.signal for request in collector.requests} == {"traces", "logs"}


def test_metrics_answer_while_it_runs(tmp_path: Path) -> None:
    """Feature 75: the page is there as soon as the demo is live, and SIGTERM ends it with its numbers (R20)."""
    command = _command("demo", "--days", "1", "--port", "0")
    with subprocess.Popen(
        command, env=_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            address = next(found[1] for line in process.stderr if (found := METRICS.search(line)))
            with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own page
                page = answer.read().decode()
        finally:
            process.terminate()
        numbers = json.loads(process.stdout.read().splitlines()[-1])
    assert 'odoo_database="demo"' in page
    assert numbers.keys() >= NUMBERS
