"""R1, R3, R4, R8 again, all at once: two databases with a past, webhooks, SIGKILLs, a Collector that is away.

One exporter is killed again and again, also while history is read; one beside it is left alone. Alertmanager's webhooks
are posted to both, to each until it says 202; Odoo's own come once, and a third of them gets lost on the way to the one
that is killed. What is told of Odoo must be the same bytes; what webhooks tell bears when they came, and must be the
same ids.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import requests

from exporter.domain.counted import Counted
from exporter.store import open_reader
from tests.acceptance.test_intake import intake
from tests.chaos.test_service_kill9 import TENANTS, Killer, _has_read
from tests.fakes import collector as answers
from tests.fakes.collector import FakeCollector
from tests.fakes.company import STEP, Company
from tests.fakes.exporter import Exporter, Sample, counted, until
from tests.fakes.odoo_http import Canned
from tests.fakes.odoo_live import LiveServer, live_lab, native
from tests.fakes.past import work

PAST, ROUNDS, LONGEST, POSTS = 20, 8, 40, 3
KILLS, IN_HISTORY = 12, 4  # in all, and while history is read
OLD_JOBS = 4_300  # of each database: several pages of history
SECRET, TOKEN = "c4n4ry-hook-secret-1", "c4n4ry-token-0123456789abcdef"
DROPPED = 0.3  # of Odoo's own webhooks to the one that is killed (R8)
CLOCKED = ("odoo_delivery_latency", "odoo_anomal", "odoo_otel")  # they say when something came, or was looked at


@dataclass(slots=True)
class Stage:
    """Two databases, an exporter that is killed and one that is not, a Collector for each; what was posted so far.

    Attributes:
        sent, acked: webhooks of Odoo's own, by the name of the exporter: what reached it, and what it took.
        wire: what gets lost.
    """

    companies: Sequence[Company]
    servers: Sequence[LiveServer]
    killed: Exporter
    calm: Exporter
    collectors: tuple[FakeCollector, FakeCollector]
    posted: int = 0
    refused: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    acked: Counter[str] = field(default_factory=Counter)
    wire: Random = field(default_factory=lambda: Random(11))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Everything running; both databases were at work before anybody read them."""
    with ExitStack() as stack:
        companies = [Company(odoo=live_lab(running=False), seed=seed) for seed in (17, 18)]
        for company in companies:
            work(company.odoo, jobs=OLD_JOBS, runs=0, orders=0)
            company.odoo.now -= timedelta(seconds=(PAST + 2) * STEP)
            for _ in range(PAST):
                company.round()
        servers = [stack.enter_context(LiveServer(company.odoo)) for company in companies]
        entries = [server.entry(name, hooks=_hooks(name)) for server, name in zip(servers, TENANTS, strict=True)]
        collectors = stack.enter_context(FakeCollector()), stack.enter_context(FakeCollector())
        killed, calm = (
            stack.enter_context(Exporter(folder=tmp_path / name, databases=entries, endpoint=collector.url))
            for name, collector in zip(("killed", "calm"), collectors, strict=True)
        )
        yield Stage(companies, servers, killed, calm, collectors)


def _hooks(name: str) -> dict[str, dict[str, str]]:
    return {
        f"alerts-{name}": {"scheme": "bearer", "secrets": SECRET, "mapping": "alertmanager"},
        f"odoo-{name}": {"scheme": "token", "secrets": TOKEN, "mapping": "odoo"},
    }


def _announce(stage: Stage) -> None:
    """Odoo's webhooks of the orders that were written just now: it waits a second, and never comes again."""
    for company, tenant in zip(stage.companies, TENANTS, strict=True):
        with company.odoo.transaction():
            rows = company.odoo.tables["purchase.order"].items()
            said = [native(company.odoo, one) for one, row in rows if row["write_date"] == company.odoo.now]
        for body in said:
            for exporter in (stage.killed, stage.calm):
                if exporter is stage.calm or stage.wire.random() >= DROPPED:
                    stage.sent[exporter.folder.name] += 1
                    stage.acked[exporter.folder.name] += _is_taken_at_once(exporter, f"odoo-{tenant}", body)


def _is_taken_at_once(exporter: Exporter, hook: str, body: object) -> bool:
    try:
        return requests.post(f"{intake(exporter)}/hooks/{hook}/{TOKEN}", json=body, timeout=1).status_code == 202
    except (requests.RequestException, StopIteration):
        return False


def _post(stage: Stage, killer: Killer) -> None:
    """Some webhooks about each database, to both exporters, each until it was taken; every third one twice."""
    for tenant in TENANTS:
        for _ in range(POSTS):
            stage.posted += 1
            if stage.posted % 16 == 0:  # so that this one meets nobody at first
                stage.killed.kill()
                stage.killed.launch()
            alert = {"status": "resolved", "labels": {"alertname": "Disk"}, "fingerprint": f"f{stage.posted}"}
            now = datetime.now(UTC).isoformat()
            times = {"startsAt": now, "endsAt": now}
            body = {"version": "4", "groupKey": "g", "status": "resolved", "alerts": [{**alert, **times}]}
            for exporter in (stage.killed, stage.calm):
                for _ in range(2 if stage.posted % 3 == 0 else 1):
                    until(lambda exporter=exporter: _taken(stage, exporter, tenant, body, killer), 30, "a 202")  # type: ignore[misc] # noqa: B023 it is called at once


def _taken(stage: Stage, exporter: Exporter, tenant: str, body: object, killer: Killer) -> bool:
    """Whether it said 202; a sender that hears anything else, or nothing, comes again."""
    killer.strike()
    try:
        url = f"{intake(exporter)}/hooks/alerts-{tenant}"
        answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {SECRET}"}, timeout=5)
    except (requests.RequestException, StopIteration) as error:
        stage.refused.append(type(error).__name__)
        return False
    return answer.status_code == 202


def _round(stage: Stage, killer: Killer, *, quiet: bool) -> None:
    """The companies move on by one state, webhooks come, and everybody has seen it."""
    moments = [company.round(quiet=quiet) for company in stage.companies]
    _announce(stage)
    if not quiet:
        _post(stage, killer)
    for exporter in (stage.killed, stage.calm):
        until(lambda exporter=exporter: killer.strike() or _has_read(exporter, moments), 40, "a round of polls")  # type: ignore[misc]


def test_with_everything_at_once_nothing_is_missing_or_double(stage: Stage) -> None:
    """R1, R3, R4, R8: same ids, bytes and counters beside one left alone; every webhook that was taken is told once."""
    killer = Killer(stage.killed, seed=5)
    killer.kills = _kill_in_history(stage)
    until(lambda: all(_has_read(one, [c.odoo.now for c in stage.companies]) for one in (stage.killed, stage.calm)))
    rounds = 0
    while rounds < ROUNDS or killer.kills < KILLS or not all(company.idle for company in stage.companies):
        if rounds == 3:
            for collector in stage.collectors:
                collector.default = answers.status(503)
        if rounds == 5:
            for collector in stage.collectors:
                collector.default = answers.ok()
        _round(stage, killer, quiet=rounds >= ROUNDS and killer.kills >= KILLS)
        rounds += 1
        assert rounds < LONGEST
    for _ in range(4):
        _round(stage, killer, quiet=True)
    for exporter in (stage.killed, stage.calm):
        until(lambda exporter=exporter: exporter.address and exporter.settled(*TENANTS), 40, "sending everything")  # type: ignore[misc]
    time.sleep(0.5)
    _same(stage)


def _kill_in_history(stage: Stage) -> int:
    """SIGKILLs of which each one leaves a database of which a part of the history is read, and not all; how many.

    The clocks of the servers stand meanwhile: what is history is parted by the first answer, both must get the same.
    """
    for server in stage.servers:
        server.trouble = _slowly
    kept = 0
    for _ in range(IN_HISTORY):
        until(lambda kept=kept: sum(one.read for one in _history(stage.killed)) > kept, 30, "a page of history")  # type: ignore[misc]
        stage.killed.kill()
        found = _history(stage.killed)
        assert any(0 < one.read < one.of for one in found), "it was too late: the test is blind"
        kept = sum(one.read for one in found)
        stage.killed.launch()
    for server in stage.servers:
        server.trouble = None
    return IN_HISTORY


def _slowly(path: str, real: Callable[[], Canned]) -> Canned:
    """A trouble: a page of jobs takes a while."""
    if path == "/json/2/queue.job/search_read":
        time.sleep(0.2)
    return real()


def _history(exporter: Exporter) -> list[Counted]:
    """How far each part of the past of both databases is read, durably."""
    reader = open_reader(exporter.store)
    try:
        return [one for tenant in TENANTS for _, one in reader.counted(tenant)]
    finally:
        reader.close()


def _same(stage: Stage) -> None:
    killed, calm = stage.collectors
    assert killed.differing() == calm.differing() == []
    mine, other = (_told(collector) for collector in stage.collectors)
    assert mine.keys() == other.keys()
    assert {key for key in mine if mine[key] != other[key] and b"POST /hooks" not in mine[key]} == set()
    assert len(mine) > 2 * OLD_JOBS
    assert sum(b"POST /hooks/alerts" in raw for raw in mine.values()) >= stage.posted
    counts = [_counts(exporter) for exporter in (stage.killed, stage.calm)]
    announced = [_announced(found) for found in counts]
    assert stage.acked["killed"] <= announced[0] <= stage.sent["killed"] < stage.sent["calm"]
    assert stage.acked["calm"] <= announced[1] <= stage.sent["calm"]  # a 503 says that the row may still land
    assert counts[0] == counts[1]
    told = sum(n for (name, _), n in counts[0].items() if name == "odoo_deliveries_total")
    assert told == stage.posted
    assert stage.refused, "no webhook ever met a dead exporter: the test is blind"


def _told(collector: FakeCollector) -> dict[bytes, bytes]:
    """What was told, but for Findings, which are named by the poll that made them true."""
    told = {key: copies[0] for key, copies in collector.stored.items()}
    apart = (b"odoo.finding.detector", b"POST /hooks/odoo")
    return {key: raw for key, raw in told.items() if not any(one in raw for one in apart)}


def _announced(counts: dict[Sample, float]) -> float:
    """Takes out what was counted of Odoo's own webhooks, of which not all came to both; how many were told."""
    mine = [key for key in counts if any(value.startswith("odoo-") for name, value in key[1] if name == "hook")]
    return sum(number for key in mine if (number := counts.pop(key)) and key[0] == "odoo_deliveries_total")


def _counts(exporter: Exporter) -> dict[Sample, float]:
    found = counted(exporter.samples())
    return {key: number for key, number in found.items() if not key[0].startswith(CLOCKED)}
