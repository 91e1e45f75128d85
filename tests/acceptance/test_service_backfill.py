"""The first start on a database with a long past: how far it is, and that a kill in the middle costs nothing."""

import json
import os
import pty
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest

from exporter.domain.counted import Counted
from exporter.store import open_reader
from tests.fakes import odoo_live as live
from tests.fakes import past
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, counted, until
from tests.fakes.odoo_http import Canned
from tests.fakes.odoo_live import LiveOdoo, LiveServer
from tests.fakes.past import long_past
from tests.fakes.screen import seen

KILLS = 6
RUNS = past.JOBS + past.RUNS + past.ORDERS
ROWS = past.JOBS + past.RUNS + 4 * past.ORDERS  # jobs, progress, and of an order: itself, its review, two changes
PAGE = 1000
# What history is read from, page by page; messages are read for the pages of the last.
OVER = ("queue.job", "ir.cron.progress", "purchase.order", "tier.review", "mail.tracking.value")


def _history(exporter: Exporter) -> list[Counted]:
    """How far each part of the past is read, durably."""
    reader = open_reader(exporter.store)
    try:
        return [one for _, one in reader.counted("acme")]
    finally:
        reader.close()


def _is_over(exporter: Exporter) -> bool:
    found = _history(exporter)
    return sum(one.of for one in found) == ROWS and all(one.over for one in found) and exporter.settled("acme")


def test_without_a_terminal_the_log_says_how_far_it_is(tmp_path: Path) -> None:
    """Feature 15: lines with share and rows, never less than before, the last one of all rows; no bar in a log."""
    with LiveServer(long_past(running=True)) as server, Exporter(tmp_path, [server.entry("acme")]) as exporter:
        server.trouble = _slowly(0.2)
        until(lambda: any("all of it" in line for line in exporter.lines), 60, "the past")
        said = [line for line in exporter.logs() if "history of acme" in str(line["message"])]
        assert len(said) > 2
        shares = [int(line["read"]) / int(line["of"]) for line in said]
        assert shares == sorted(shares)
        assert 0 < shares[0] < 1
        assert {line["of"] for line in said} == {ROWS}
        assert (said[-1]["read"], said[-1]["message"]) == (
            ROWS,
            f"history of acme: {ROWS:,} of {ROWS:,} rows read: all of it",
        )
        assert not any("█" in line or "\x1b" in line for line in exporter.lines)
        until(lambda: exporter.counts()["runs"] == RUNS, what="telling all of it")
        exporter.stop()
        before = len(exporter.lines)
        exporter.start()
        until(lambda: exporter.reads("acme"))
        exporter.stop()
        assert not any("history of acme" in line for line in exporter.lines[before:])


def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    """Feature 15: a bar a database at the foot of the terminal, the log above it whole, none at the end."""
    odoo = long_past(running=True)
    with LiveServer(odoo) as first, LiveServer(odoo) as second:
        first.trouble = second.trouble = _slowly(0.1)
        written, code = _on_a_terminal(tmp_path, [first.entry("acme"), second.entry("beta")])
    assert code == 0
    for name in ("acme", "beta"):
        assert f"%  history of {name}: " in written
        assert f"history of {name}: {ROWS:,} of {ROWS:,} rows read: all of it" in written
    assert "█" in written
    shown = seen(written)
    assert not any("█" in line for line in shown), "a bar was left there"
    assert [json.loads(line) for line in shown], "every line of the log is whole"


def _slowly(seconds: float) -> Callable[[str, Callable[[], Canned]], Canned]:
    """A trouble: every page takes so long, so that there is time to look."""

    def trouble(path: str, real: Callable[[], Canned]) -> Canned:
        if path.endswith("/search_read") and path.split("/")[3] in OVER:
            time.sleep(seconds)
        return real()

    return trouble


def _on_a_terminal(folder: Path, databases: list[dict[str, object]]) -> tuple[str, int]:
    """What `odoo-otel run` writes to a terminal until the past of each is over, and its exit code."""
    exporter = Exporter(folder, databases)
    path = exporter._configure()
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ODOO_"))}
    command = [sys.executable, "-m", "exporter", "run", "--config", str(path)]
    process = subprocess.Popen(command, stderr=theirs, env={**environ, "TERM": "xterm", "COLUMNS": "200"})
    os.close(theirs)
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 65_536):
                parts.append(part)
        except OSError:
            pass  # Linux says EIO when the last one has closed a terminal

    reading = Thread(target=read)
    reading.start()
    try:
        until(lambda: b"".join(parts).count(b"all of it") == len(databases), 60, "the past")
        time.sleep(1.5)
        process.terminate()
        code = process.wait(15)
    finally:
        process.kill()
        reading.join()
        os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n"), code


@dataclass(slots=True)
class Served:
    """What the server answered of the past, by the lives of the exporter: (model, the ids of a page)."""

    lives: list[list[tuple[str, frozenset[int]]]] = field(default_factory=lambda: [[]])

    def watch(self, path: str, real: Callable[[], Canned]) -> Canned:
        """A trouble that is none: it looks on."""
        answer = real()
        _, _, _, model, method = path.split("/") if path.count("/") == 4 else ("",) * 5
        if method == "search_read" and model in OVER and answer.status == 200:
            ids = frozenset(row["id"] for row in json.loads(answer.body))
            if ids:
                self.lives[-1].append((model, ids))
                time.sleep(0.05)
        return answer

    @property
    def pages(self) -> int:
        """In all lives."""
        return sum(map(len, self.lives))

    def rows(self) -> Mapping[str, set[int]]:
        """Every row that was ever served."""
        found: dict[str, set[int]] = defaultdict(set)
        for model, ids in (page for life in self.lives for page in life):
            found[model] |= ids
        return found


@dataclass(slots=True)
class Stage:
    """One database with a long past, an exporter that was left alone with it, and one that is killed meanwhile."""

    odoo: LiveOdoo
    server: LiveServer
    calm: Exporter
    killed: Exporter
    collectors: tuple[FakeCollector, FakeCollector]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Nobody is started. The clock of the server stands, so that both have their first start at one moment."""
    with ExitStack() as stack:
        odoo = long_past()
        server = stack.enter_context(LiveServer(odoo))
        collectors = stack.enter_context(FakeCollector()), stack.enter_context(FakeCollector())
        calm, killed = (
            Exporter(tmp_path / name, [server.entry("acme")], endpoint=collector.url)
            for name, collector in zip(("calm", "killed"), collectors, strict=True)
        )
        yield Stage(odoo, server, stack.enter_context(calm), killed, collectors)


def test_killed_in_its_history_it_tells_what_one_left_alone_tells(stage: Stage) -> None:
    """R1, R3, feature 15: SIGKILLs while history is read: same bytes, same counters, nobody notified, no page twice."""
    alone = _read_alone(stage)
    served = Served()
    stage.server.trouble = served.watch
    with stage.killed:
        _kill(stage.killed, served)
        until(lambda: _is_over(stage.killed), 60, "the past, after kills")
        stage.server.trouble = None
        assert served.rows() == alone.rows()
        _never_twice(served)
        _nobody_is_told(stage)
        _same_told(stage)
        mine, other = ({**one.counts(), "events": 0} for one in (stage.killed, stage.calm))  # marks are Events, too
        assert mine == other
        _and_then_it_counts(stage)
        stage.killed.stop()
    stage.calm.stop()


def _read_alone(stage: Stage) -> Served:
    """What is read when nobody is killed: every row once, but for the told one with which a page begins (0014)."""
    served = Served()
    stage.server.trouble = served.watch
    until(lambda: _is_over(stage.calm), 60, "the past")
    pages = [page for life in served.lives for page in life]
    found = served.rows()
    assert sum(map(len, found.values())) == ROWS
    before: dict[str, set[int]] = defaultdict(set)
    for model, ids in pages:
        assert len(ids & before[model]) <= 1
        before[model] |= ids
    assert all(sum(of == model for of, _ in pages) > 1 for model in OVER), "a part has one page: the test is blind"
    return served


def _kill(exporter: Exporter, served: Served) -> None:
    """SIGKILL, each time when a page was served since, or a little later, and always before the past is over."""
    rng = random.Random(11)
    for _ in range(KILLS):
        wanted = served.pages + rng.randrange(1, 3)
        until(lambda wanted=wanted: served.pages >= wanted, what="a page")  # type: ignore[misc]
        time.sleep(rng.uniform(0, 0.1))
        exporter.kill()
        found = _history(exporter)
        assert sum(one.read for one in found) < ROWS, "it was too late: the test is blind"
        served.lives.append([])
        exporter.launch()


def _never_twice(served: Served) -> None:
    """A life reads again at most the one page of a part that was under way when the one before was killed."""
    last: dict[str, frozenset[int]] = defaultdict(frozenset)
    before: dict[str, set[int]] = defaultdict(set)
    for life in served.lives:
        again = [(model, ids) for model, ids in life if len(ids & before[model]) > 1]  # one told row begins a page
        assert all(ids == last[model] for model, ids in again), "a page that was kept is read again"
        assert len({model for model, _ in again}) == len(again), "a page is read twice in one life"
        for model, ids in life:
            last[model] = ids if len(ids) > 1 else last[model]  # one row alone is the newest, looked up
            before[model] |= ids
    assert len(served.lives) == KILLS + 1


def _nobody_is_told(stage: Stage) -> None:
    """No counter counts the past, no log record tells of it, no finding is open."""
    for exporter, collector in zip((stage.killed, stage.calm), stage.collectors[::-1], strict=True):
        assert not any(counted(exporter.samples()).values())
        assert not [request for request in collector.requests if request.signal == "logs"]
        assert exporter.value("odoo_anomaly_active") == 0


def _same_told(stage: Stage) -> None:
    """Byte for byte, each at least once and as itself."""
    calm, killed = stage.collectors
    assert calm.differing() == killed.differing() == []
    mine, other = ({key: copies[0] for key, copies in one.stored.items()} for one in (killed, calm))
    assert mine == other
    assert len(mine) > RUNS


def _and_then_it_counts(stage: Stage) -> None:
    """What happens from now on counts, the same in both."""
    with stage.odoo.transaction():
        stage.odoo.step(30)
        for _ in range(3):
            live.failed(stage.odoo, live.job(stage.odoo))
        live.done(stage.odoo, live.job(stage.odoo))
    for exporter in (stage.killed, stage.calm):
        until(lambda exporter=exporter: exporter.value("odoo_job_runs_total", result="failure") == 3)  # type: ignore[misc]
    mine, other = (counted(exporter.samples()) for exporter in (stage.killed, stage.calm))
    assert mine == other
