"""`odoo-otel estimate` over real sockets: its numbers are those that `odoo-otel run` then has."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import ROOT, Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

DAYS = 2
JOBS = 40


@pytest.fixture
def server() -> Iterator[LiveServer]:
    """A database of two days with a job every so often, every fifth of them failed, and an action run an hour."""
    odoo = live_lab(running=True)
    now = odoo.now
    one = live.cron(odoo, "LAB ok")
    for turn in range(JOBS):
        odoo.now = now - timedelta(days=DAYS) + timedelta(minutes=5) + turn * timedelta(days=DAYS) / (JOBS + 1)
        live.ran(odoo, one)
        if turn % 5:
            live.done(odoo, live.job(odoo))
        else:
            live.failed(odoo, live.job(odoo))
    odoo.now = now
    with LiveServer(odoo) as serving:
        yield serving


def estimated(folder: Path, *databases: dict[str, object], code: int = 0, endpoint: str = "") -> list[dict[str, Any]]:
    """What the command says of each."""
    path = folder / "estimate.yaml"
    path.write_text(json.dumps({"databases": databases, "state_dir": str(folder / "state")}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ODOO_"))}
    words = (sys.executable, "-m", "exporter", "estimate", "--json", "--days", str(DAYS), "--config", str(path))
    env = {**kept, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert not (folder / "state").exists(), "it keeps nothing"
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_estimate_is_what_a_run_then_has(tmp_path: Path, server: LiveServer) -> None:
    """Spans, log events and bytes of the history that `run` sends, series of its page; nothing was sent before."""
    entry = server.entry("acme", history_days=DAYS)
    with FakeCollector() as collector:
        (found,) = estimated(tmp_path, entry, endpoint=collector.url)
        assert collector.spans() == []
        with Exporter(tmp_path, [entry], endpoint=collector.url) as exporter:
            until(lambda: exporter.reads("acme") and exporter.settled("acme"))
            until(lambda: exporter.value("odoo_otel_exported_total", signal="traces", outcome="accepted") > 0)
            spans = {span.span_id: span for span in collector.spans()}
            shown = [labels for _, labels in exporter.samples() if ("odoo_database", "acme") in labels]
    days = found["days"]
    assert 1.9 < days <= DAYS
    assert round(found["spans"] * days) == len(spans)
    assert round(found["bytes_sent"] * days) >= sum(span.ByteSize() for span in spans.values())
    # What ended before the first start is in no counter of `run`: the estimate has those that will come.
    assert found["series"] >= len(shown)


def test_calls_a_day_are_those_of_an_idle_database(tmp_path: Path, server: LiveServer) -> None:
    """What the exporter asks in 5 s, once all is read, is its share of a day, give or take what is seldom asked."""
    entry = server.entry("acme", history_days=DAYS)
    (found,) = estimated(tmp_path, entry)
    with Exporter(tmp_path, [entry]) as exporter:
        until(lambda: exporter.reads("acme") and exporter.folded("acme"))
        began, before = time.monotonic(), len(server.asked)
        time.sleep(5)
        share = (time.monotonic() - began) / 86_400
        asked = len(server.asked) - before
    assert asked == pytest.approx(found["calls"] * share, rel=0.3)


def test_what_the_configuration_leaves_out_costs_nothing(tmp_path: Path, server: LiveServer) -> None:
    """Without successes only what failed is estimated (feature 99)."""
    (whole,) = estimated(tmp_path, server.entry("acme"))
    (less,) = estimated(tmp_path, server.entry("acme", cost={"sample_successes": 0}))
    assert 0 < less["spans"] < whole["spans"] / 2
    (none,) = estimated(tmp_path, server.entry("acme", cost={"signals": ["metrics"]}))
    assert (none["spans"], none["logs"], none["bytes_sent"]) == (0, 0, 0)
    assert none["series"] > 0


def test_a_database_that_is_down_is_said(tmp_path: Path, server: LiveServer) -> None:
    """The others are estimated, and the exit code tells."""
    away = {**server.entry("away"), "url": "http://127.0.0.1:1"}
    found = estimated(tmp_path, away, server.entry("acme"), code=1)
    assert [one["database"] for one in found] == ["acme"]
