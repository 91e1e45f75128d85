"""The whole service under SIGKILL, beside one that is left alone: two databases, the same spans, logs and counters."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.fakes import collector as answers
from tests.fakes.collector import FakeCollector
from tests.fakes.company import Company
from tests.fakes.exporter import Exporter, counted, until
from tests.fakes.odoo_live import LiveServer, live_lab

KILLS, ROUNDS, LONGEST = 12, 9, 40
DATABASE, FOUND = "odoo_database", "odoo_anomalies_total"
TENANTS = ("acme", "beta")
SOURCES = ("odoo/crons", "odoo/jobs", "odoo/approvals")


@dataclass(slots=True)
class Stage:
    """Two databases, an exporter that is killed and one that is not, a Collector for each."""

    companies: Sequence[Company]
    killed: Exporter
    calm: Exporter
    collectors: tuple[FakeCollector, FakeCollector]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Everything running."""
    with ExitStack() as stack:
        companies = [Company(odoo=live_lab(running=False), seed=seed) for seed in (7, 8)]
        servers = [stack.enter_context(LiveServer(company.odoo)) for company in companies]
        entries = [server.entry(name) for server, name in zip(servers, TENANTS, strict=True)]
        collectors = stack.enter_context(FakeCollector()), stack.enter_context(FakeCollector())
        killed, calm = (
            stack.enter_context(Exporter(folder=tmp_path / name, databases=entries, endpoint=collector.url))
            for name, collector in zip(("killed", "calm"), collectors, strict=True)
        )
        yield Stage(companies, killed, calm, collectors)


class Killer:
    """Kills at random moments of the exporter's life, also before it listens, and starts it again at once."""

    def __init__(self, exporter: Exporter, seed: int) -> None:
        self.kills = 0
        self._exporter, self._random = exporter, random.Random(seed)
        self._next = time.monotonic() + 1

    def strike(self) -> None:
        """If the time has come."""
        if time.monotonic() >= self._next and self.kills < KILLS:
            self._exporter.kill()
            self._exporter.launch()
            self.kills += 1
            self._next = time.monotonic() + self._random.uniform(0.4, 2.6)


def _has_read(exporter: Exporter, at: Sequence[datetime]) -> bool:
    """Whether every source of both databases was polled, durably, after a moment of its server's clock."""
    for name, moment in zip(TENANTS, at, strict=True):
        reports = exporter.reports(name)
        marks = [reports[source].read_until for source in SOURCES if source in reports]
        if len(marks) < len(SOURCES) or not all(mark and mark >= moment for mark in marks):
            return False
    return True


def _round(stage: Stage, killer: Killer, *, quiet: bool) -> None:
    """The companies move on by one state; everybody sees it, however often one of them is killed meanwhile."""
    moments = [company.round(quiet=quiet) for company in stage.companies]
    for exporter in (stage.killed, stage.calm):
        until(lambda exporter=exporter: killer.strike() or _has_read(exporter, moments), 30, "a round of polls")


def test_killed_twelve_times_it_tells_what_one_left_alone_tells(stage: Stage) -> None:
    """R1, R3: same span ids and bytes, same log records, same counters: nothing missing, nothing double."""
    killer = Killer(stage.killed, seed=3)
    until(lambda: all(_has_read(one, [c.odoo.now for c in stage.companies]) for one in (stage.killed, stage.calm)))
    rounds = 0
    while rounds < ROUNDS or killer.kills < KILLS or not all(company.idle for company in stage.companies):
        if rounds % 3 == 1:
            stage.collectors[0].will(answers.reset(stores=True), answers.status(503))
        _round(stage, killer, quiet=rounds >= ROUNDS and killer.kills >= KILLS)
        rounds += 1
        assert rounds < LONGEST
    for _ in range(4):  # what waits for a mark behind its end
        _round(stage, killer, quiet=True)
    for exporter in (stage.killed, stage.calm):
        until(lambda exporter=exporter: exporter.address and exporter.settled(*TENANTS), 30, "sending everything")
    assert killer.kills == KILLS
    _same_told(*stage.collectors)
    _same_counted(stage)
    stage.killed.stop()
    stage.calm.stop()


def _same_told(killed: FakeCollector, calm: FakeCollector) -> None:
    assert killed.differing() == calm.differing() == []
    assert any(len(copies) > 1 for copies in killed.seen.values()), "nothing was sent twice: the test is blind"
    mine, other = _facts(killed), _facts(calm)
    assert mine == other
    assert len(mine) > 300
    assert all(len(copies) == 1 for copies in calm.stored.values())


def _facts(collector: FakeCollector) -> dict[bytes, bytes]:
    """What was told of Runs; a Finding is named by the poll that made it true, and no two poll at one time."""
    told = {key: copies[0] for key, copies in collector.stored.items()}
    return {key: raw for key, raw in told.items() if b"odoo.finding.detector" not in raw}


def _same_counted(stage: Stage) -> None:
    """Both exporters agree, and both with what the companies did."""
    mine, other = (counted(exporter.samples()) for exporter in (stage.killed, stage.calm))
    assert {k: n for k, n in mine.items() if k[0] != FOUND} == {k: n for k, n in other.items() if k[0] != FOUND}
    for company, tenant in zip(stage.companies, TENANTS, strict=True):
        for (name, first, second), number in company.expected.items():
            values = [
                value
                for (named, labels), value in mine.items()
                if named == name and {tenant, first, second} <= {text for _, text in labels}
            ]
            assert sum(values) == number, (tenant, name, first, second)
        runs = [n for (name, _, _), n in company.expected.items() if name == "odoo_cron_runs_total"]
        said = [v for (n, labels), v in mine.items() if n == "odoo_cron_runs_total" and (DATABASE, tenant) in labels]
        assert sum(said) == sum(runs)
