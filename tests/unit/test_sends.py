"""`odoo-otel sends`: three counts, and lists that name records by id."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter import cli
from exporter.config import STORE_FILE
from exporter.domain.runs import Run
from exporter.domain.told import Measurement
from exporter.loops.batching import run_row
from exporter.store import open_store
from exporter.store.entries import Commit
from exporter.telemetry.metrics import Totals
from tests.unit.fold.test_sends import RECONCILED, World, marks, played, rule

NOW = datetime.now(UTC)
OUTCOMES = ("complete", "dropped", "rolled_back", "not_executed", "unchanged", "complete")


def _moved(run: Run) -> Run:
    """To an hour ago."""
    return type(run)(
        **{name: getattr(run, name) for name in run.__struct_fields__} | {"started_at": NOW - timedelta(hours=1)}
    )


def _stored(path: Path, runs: Sequence[Run], measurements: Sequence[Measurement]) -> None:
    store = open_store(path / STORE_FILE)
    rows = [run_row(run, b"t" * 16) for run in runs]
    totals = Totals((), cap=200).add(measurements)
    store.commit(Commit(tenant="acme", consumer="fold", expected_offset=0, offset=1, runs=rows, totals=totals))
    store.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A store with a send of every outcome, and a rule that nobody can judge."""
    facts = [one for n, outcome in enumerate(OUTCOMES, 1) for one in played(n, outcome, n * 10.0)]
    vague = rule(number=12, unevaluable="It fires at a time.")
    off = rule(number=13, active=False, unevaluable="It fires at a time.")
    world = World(flow=RECONCILED).append([rule(), vague, off, *facts, *marks(500)])
    _stored(tmp_path, [_moved(run) for run in world.runs() if run.kind == "send"], world.measurements)
    return tmp_path


def say(state: Path, *words: str) -> Result:
    """What `odoo-otel sends` prints."""
    return CliRunner().invoke(cli.main, ["sends", "--state", str(state), *words])


def test_three_counts_and_a_list_for_each_way(state: Path) -> None:
    """Each list names exactly its records; a rule that cannot be judged says why (features 1, 30, 107)."""
    done = say(state, "acme")
    assert done.exit_code == 0, done.exception
    lines = done.output.splitlines()
    assert lines[0] == "acme: 5 expected, 5 received, 3 executed by n8n"
    assert [line.rpartition(": ")[2] for line in lines if not line.startswith(" ")][1:] == ["1", "1", "1", "1", "1"]
    named = [line.split()[2] for line in lines if line.startswith("  20")]
    assert named == ["sale.order,2", "sale.order,3", "sale.order,4", "sale.order,5"]
    assert lines[-1] == "  12  Orders (sale.order): It fires at a time."


def test_only_the_last_hours_are_meant(state: Path) -> None:
    """What is older is left out."""
    assert say(state, "--hours", "0.5", "acme").output.startswith("acme: 0 expected, 0 received")


def test_json_is_one_object_a_line(state: Path) -> None:
    """Also of those that got all the way."""
    found = [json.loads(line) for line in say(state, "--json", "acme").output.splitlines()]
    assert sorted(one["outcome"] for one in found) == sorted(OUTCOMES)
    assert {one["trace_id"] for one in found} == {b"t".hex() * 16}


def test_a_database_that_is_not_stored_is_said(state: Path) -> None:
    """With the names there are."""
    done = say(state, "other")
    assert (done.exit_code, "name one of acme" in done.stderr) == (1, True)
