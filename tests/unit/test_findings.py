"""`odoo-otel findings`: what is wrong now, newest first, one sentence each (features 1, 44)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter import cli
from exporter.config import STORE_FILE
from exporter.domain.runs import Run
from exporter.fold.tell import encode_run
from exporter.store import open_store
from exporter.store.entries import Commit, RunRow

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def finding(number: int, *, closed: bool = False, sentence: str = "It took 412 s; 35 to 80 s are normal.") -> RunRow:
    """A Finding as the fold saves it."""
    at = START + timedelta(hours=number)
    ended = at + timedelta(minutes=30) if closed else None
    said = (
        ("odoo.finding.detector", "outlier.duration"),
        ("odoo.finding.severity", "warning"),
        ("odoo.finding.sentence", sentence),
        ("odoo.finding.since", (at - timedelta(minutes=5)).isoformat()),
    )
    run = Run(
        kind="finding",
        workflow=f"base.action_{number}",
        subject=f"finding/outlier.duration/base.action_{number}",
        model="ir.cron",
        record_id=str(number),
        key="k",
        trace_key="k",
        title=f"Action {number}",
        started_at=at,
        ended_at=ended,
        attributes=said,
    )
    return RunRow(
        id=f"{run.subject}#k",
        kind=run.kind,
        workflow=run.workflow,
        subject=run.subject,
        trace_id=bytes([number]) * 16,
        started_at=at,
        ended_at=ended,
        result="success" if closed else None,
        origin="live",
        body=encode_run(run),
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A store with two open Findings, a closed one and a Run of another kind."""
    store = open_store(tmp_path / STORE_FILE)
    rows = [finding(1), finding(2, closed=True), finding(3, sentence="Twice\nas \x1b[31mlong.")]
    other = RunRow(
        id="cron/7#1",
        kind="cron",
        workflow="x",
        subject="cron/7",
        trace_id=b"x" * 16,
        started_at=START,
        ended_at=None,
        result=None,
        origin="live",
        body=b"{}",
    )
    store.commit(Commit(tenant="acme", consumer="fold", expected_offset=0, offset=1, runs=[*rows, other]))
    store.close()
    return tmp_path


def say(state: Path, *words: str) -> list[str]:
    """The lines that `odoo-otel findings` prints."""
    done = CliRunner().invoke(cli.main, ["findings", "--state", str(state), *words])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_open_ones_newest_first(state: Path) -> None:
    """Database, severity, detector, name, since, sentence and trace stand on one line each, safe to print."""
    title, first, second = say(state)

    assert title.split()[0] == "SINCE"
    assert first.startswith("2026-03-01 14:55:00  open ")
    assert first.endswith(f"{'03' * 6}  Twice\\nas \\x1b[31mlong.")
    assert "acme      warning   outlier.duration  Action 1" in second
    assert second.endswith(f"{'01' * 6}  It took 412 s; 35 to 80 s are normal.")


def test_all_shows_closed_ones_too(state: Path) -> None:
    """With --all each line says when it was closed."""
    lines = say(state, "--all")

    assert [line[:42].split("  ")[1] for line in lines[1:]] == ["open", "2026-03-01 14:30:00", "open"]


def test_json_is_one_object_a_line(state: Path) -> None:
    """Everything a program needs, as plain text values."""
    found = [json.loads(line) for line in say(state, "--json", "--all")]

    assert [one["name"] for one in found] == ["Action 3", "Action 2", "Action 1"]
    assert found[1] == {
        "database": "acme",
        "severity": "warning",
        "detector": "outlier.duration",
        "name": "Action 2",
        "since": "2026-03-01T13:55:00+00:00",
        "closed_at": "2026-03-01T14:30:00+00:00",
        "sentence": "It took 412 s; 35 to 80 s are normal.",
        "subject": "base.action_2",
        "trace_id": "02" * 16,
        "run": "finding/outlier.duration/base.action_2#k",
    }


def test_nothing_is_said_as_such(tmp_path: Path) -> None:
    """An empty list is one sentence for a person and nothing for a program."""
    open_store(tmp_path / STORE_FILE).close()

    assert say(tmp_path) == ["No finding is open."]
    assert say(tmp_path, "--json") == []
