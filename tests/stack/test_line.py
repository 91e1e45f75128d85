"""The line, end to end: a real Odoo 19 through both doors into a real Jaeger and a real Prometheus, killed on the way.

One story is played once (module fixture), the tests then look at what Jaeger and Prometheus hold. In the story the
exporter is killed three times and the Collector stands still for a minute.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from exporter.domain import ids
from exporter.domain.tenants import Tenant
from exporter.sources.odoo.door import READS
from exporter.sources.odoo.registry import COLLECTIONS
from tests.stack.conftest import CONFIG
from tests.stack.lab import Lab, company, running
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.exporter import Exporter
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.odoo import PEOPLE
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import wait_until
from tests.stack.servers.prometheus import EVERY_SECOND, Prometheus
from tests.stack.test_boards import board_queries, rule_queries

DARK = 60.0  # seconds the Collector stands still
DOORS = {"json2": "127.0.0.1", "jsonrpc": "localhost"}  # tenant, named by its door -> host: one database is read once
Span = dict[str, Any]
# (address, method) of a call over JSON-2 or JSON-RPC in Odoo's access log.
CALL = re.compile(r"werkzeug: (\S+) - - .*\"POST /(?:json/2/\S+/(\S+)|jsonrpc#\S+\.(\w+)) HTTP")
ROOTS = {"cron", "process", "workflow"}
SESSION = {"login", "version"}  # of the JSON-RPC door, beside its reads


@dataclass(slots=True)
class Line:
    """What the story left behind."""

    lab: Lab
    exporter: Exporter
    collector: Collector
    jaeger: Jaeger
    prometheus: Prometheus
    jobs: dict[str, str] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    restarted: list[int] = field(default_factory=list)
    quiet: dict[str, list[Span]] = field(default_factory=dict)

    def tenant(self, name: str) -> Tenant:
        """The tenant as its ids are computed: this user may not read database.uuid, so it is made from the address."""
        uuid = str(uuid5(NAMESPACE_URL, f"{address(self.lab, DOORS[name])}/{self.lab.odoo.db}"))
        return Tenant(name=name, database=self.lab.odoo.db, uuid=uuid, environment=name)

    def spans(self, tenant: str) -> list[Span]:
        """Every span Jaeger holds of a tenant's Runs; Findings (an action that fails) have traces of their own."""
        if not self.quiet:
            for trace in self.jaeger.traces("odoo", limit=1500):
                for span in trace["spans"]:
                    tags = trace["processes"][span["processID"]]["tags"]
                    name = next(tag["value"] for tag in tags if tag["key"] == "service.namespace")
                    if not span["operationName"].startswith("finding "):
                        self.quiet.setdefault(name, []).append(span)
        return self.quiet[tenant]

    def trace(self, tenant: str, what: tuple[str, str, str]) -> list[Span]:
        """The spans of the trace whose id anybody can compute from (model, record id, run key)."""
        wanted = ids.trace_id(self.tenant(tenant), *what).hex()
        return [span for span in self.spans(tenant) if span["traceID"].zfill(32) == wanted]


def address(lab: Lab, host: str) -> str:
    """Odoo's address under a name."""
    return f"http://{host}:{lab.odoo.port}"


def tags(span: Span) -> dict[str, Any]:
    """A span's attributes."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


@pytest.fixture(scope="module")
def line(postgres: Postgres, stack_folder: Path) -> Iterator[Line]:
    """Odoo, exporter, Collector, Jaeger and Prometheus after the story."""
    folder = stack_folder / "line"
    folder.mkdir()
    folder.chmod(0o755)
    with (
        running(postgres, folder / "odoo", OdooOptions(cron_threads=1)) as lab,
        Jaeger(folder / "jaeger") as jaeger,
        Prometheus(folder / "prometheus", EVERY_SECOND) as prometheus,
    ):
        access = {"url": lab.odoo.url, "database": lab.odoo.db, "user": "mon", "api_key": company().keys["mon"]}
        databases = [
            {**access, "name": name, "door": name, "url": address(lab, host), "environment": name, "poll_seconds": 1}
            for name, host in DOORS.items()
        ]
        down = {**access, "name": "down", "url": "http://127.0.0.1:9", "poll_seconds": 1}
        wrong = {"name": "wrong", "url": "no address"}
        exporter = Exporter(folder / "exporter", [*databases, down, wrong])
        targets = Targets(jaeger=jaeger.otlp_grpc, prometheus=prometheus.otlp, exporter=exporter.target)
        with Collector(folder / "collector", CONFIG, targets, COLLECTOR_SCRAPE_INTERVAL="1s") as collector:
            exporter.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            found = Line(lab, exporter, collector, jaeger, prometheus)
            try:
                _story(found)
                yield found
            finally:
                exporter.stop()


def _story(line: Line) -> None:
    lab, exporter = line.lab, line.exporter
    exporter.start()
    wait_until(lambda: _polled(line), "both doors polled")
    lab.odoo.wait_for_queue()
    for name in ("ok", "fail"):
        lab.run_cron(name)
        lab.finished_cron(name)
    _purchases(line)
    exporter.kill()
    _jobs(line)
    lab.run_cron("fail")
    lab.finished_cron("fail", runs=2)
    exporter.start()
    _killed_action(line)
    exporter.kill()
    exporter.start()
    line.collector.stop()
    dark = time.monotonic()
    lab.run_cron("partial")
    lab.finished_cron("partial")
    lab.run_cron("partial")
    lab.finished_cron("partial", runs=2)
    lab.run_cron("ok")
    lab.finished_cron("ok", runs=2)
    order = line.orders["in the dark"] = lab.create_purchase("carl", 700)
    lab.confirm("carl", order)
    lab.approve("dora", order)
    exporter.kill()
    exporter.start()
    time.sleep(max(DARK - (time.monotonic() - dark), 0))
    line.collector.start()
    line.jobs["later"] = lab.enqueue_job("succeed", seconds=0.1)
    lab.finished_job(line.jobs["later"])
    _settled(line)


def _polled(line: Line) -> bool:
    reader = line.exporter.reader()
    try:
        polled = {name: [report for report, success in reader.reports(name) if success] for name in DOORS}
        return all(len(reports) == len(COLLECTIONS) for reports in polled.values())
    finally:
        reader.close()


def _purchases(line: Line) -> None:
    """Approved, refused, restarted, by different people."""
    lab, orders = line.lab, line.orders
    orders["small"] = lab.create_purchase("carl", 100)
    lab.confirm("carl", orders["small"])
    orders["two steps"] = lab.create_purchase("carl", 900)
    lab.confirm("carl", orders["two steps"])
    time.sleep(2)
    lab.approve("dora", orders["two steps"])
    orders["refused"] = lab.create_purchase("carl", 950)
    lab.confirm("carl", orders["refused"])
    lab.cancel("dora", orders["refused"])
    order = orders["rejected"] = lab.create_purchase("alice", 8000)
    lab.request_validation("alice", order)
    time.sleep(2)
    lab.reject_tier("bob", order)
    _read_by_both(line)
    lab.cancel("dora", order)
    order = orders["tiers"] = lab.create_purchase("alice", 9000)
    lab.request_validation("alice", order)
    time.sleep(2)
    lab.validate_tier("bob", order)
    line.restarted = [int(row["id"]) for row in lab.reviews(order)]
    _read_by_both(line)
    lab.restart_validation("alice", order)
    _read_by_both(line)
    lab.request_validation("alice", order)
    lab.validate_tier("bob", order)
    time.sleep(2)
    lab.validate_tier("fay", order)
    lab.confirm("dora", order)


def _read_by_both(line: Line) -> None:
    """Both doors have polled the reviews, begun from now on: what is deleted next was seen."""
    now = datetime.now(UTC)

    def read() -> bool:
        reader = line.exporter.reader()
        try:
            reports = [one for name in DOORS for one, _ in reader.reports(name) if one.source == "odoo/approvals"]
        finally:
            reader.close()
        return len(reports) == len(DOORS) and all(one.ok and one.began_at > now for one in reports)

    wait_until(read, "the reviews read by both doors", within=60)


def _jobs(line: Line) -> None:
    """While the exporter is dead."""
    lab, jobs = line.lab, line.jobs
    jobs["done"] = lab.enqueue_job("succeed", seconds=1.5)
    jobs["failed"] = lab.enqueue_job("fail", text="LAB upstream said no to jane.doe@example.com")
    jobs["retried"] = lab.enqueue_job("retry", times=1, seconds=1)
    jobs["first"], jobs["second"], jobs["last"] = lab.enqueue_graph()
    for uuid in jobs.values():
        lab.finished_job(uuid)


def _killed_action(line: Line) -> None:
    """An action that is running when Odoo dies, and runs again afterwards."""
    lab = line.lab
    lab.run_cron("slow")
    wait_until(lambda: lab.progress("slow"), "slow runs")
    time.sleep(1.5)
    lab.odoo.kill()
    lab.odoo.start()
    lab.run_cron("slow")
    lab.finished_cron("slow")


def _settled(line: Line) -> None:
    """Everything was told, sent and scraped."""
    expected = len(_runs(line))

    def told() -> bool:
        reader = line.exporter.reader()
        try:
            closed = [row for name, row in reader.runs(limit=1000) if name in DOORS and row.ended_at]
            waiting = sum(items for _, items, _ in reader.outbox())
            return len(closed) >= 2 * expected and not waiting
        finally:
            reader.close()

    wait_until(told, f"{expected} runs told by both doors and sent", within=60)
    time.sleep(5)  # nothing more comes, and the next scrapes have passed through the Collector


def _runs(line: Line) -> list[tuple[str, str, str]]:
    """(model, record id, trace key) of everything the story made happen, from Odoo's own tables."""
    rows = line.lab.sql("SELECT id, cron_id FROM ir_cron_progress ORDER BY id")
    ours = {str(cron) for cron in company().crons.values()}
    firsts = {row["id"] for row in rows if row["cron_id"] in ours} - _continued(line)
    crons = [("ir.cron", row["cron_id"], row["id"]) for row in rows if row["id"] in firsts]
    jobs = [("queue.job", uuid, "1") for uuid in line.jobs.values()]
    return [*crons, *jobs, *(("purchase.order", str(order), "") for order in line.orders.values())]


def _continued(line: Line) -> set[str]:
    """Progress rows that continue the run before them, told by Odoo's own log (`#loop n`)."""
    found: set[str] = set()
    for name in company().crons:
        rows = [row["id"] for row in line.lab.progress(name)]
        place = 0
        for text in line.lab.cron_lines(name):
            if loops := re.search(r"#loop (\d+);", text):
                found |= set(rows[place + 1 : place + int(loops[1])])
                place += int(loops[1])
            elif "starting" in text and _crashed(line, rows[place : place + 1]):
                place += 1
    return found


def _crashed(line: Line, row: list[str]) -> bool:
    query = "SELECT 1 FROM ir_cron_progress WHERE id = :'row' AND timed_out_counter > 0"
    return bool(row and line.lab.sql(query, row=row[0]))


@pytest.mark.parametrize("tenant", DOORS)
def test_every_run_of_odoo_is_one_trace_and_nothing_else_is(line: Line, tenant: str) -> None:
    """Killed thrice, a Collector dark for 60 s: no trace missing, none double (R1, R3, R4; features 2, 36, 60)."""
    wanted = {ids.trace_id(line.tenant(tenant), *run).hex() for run in _runs(line)}
    found = {span["traceID"].zfill(32) for span in line.spans(tenant)}

    assert found == wanted


@pytest.mark.parametrize("tenant", DOORS)
def test_no_span_is_there_twice_and_each_has_its_parent(line: Line, tenant: str) -> None:
    """Spans are unique, each trace is one tree: one root, all others with one parent in it, no warning (R3)."""
    spans = line.spans(tenant)
    known = {(span["traceID"], span["spanID"]) for span in spans}
    parents = {(span["traceID"], span["spanID"]): parents_of(span) for span in spans}
    roots = Counter(trace for (trace, _), found in parents.items() if not found)

    assert len(spans) == len(known)
    assert roots == dict.fromkeys({trace for trace, _ in known}, 1)
    assert {span["operationName"].split()[0] for span in spans if not parents_of(span)} == ROOTS
    assert [
        one for one, found in parents.items() if len(found) > 1 or not {(one[0], of) for of in found} <= known
    ] == []
    assert [(span["operationName"], span["warnings"]) for span in spans if span.get("warnings")] == []


def parents_of(span: Span) -> list[str]:
    """The ids of the spans that it is the child of, in its own trace; a parent elsewhere is a fault."""
    found = [ref for ref in span["references"] if ref["refType"] == "CHILD_OF"]
    assert {ref["traceID"] for ref in found} <= {span["traceID"]}, span
    return [ref["spanID"] for ref in found]


@pytest.mark.parametrize("tenant", DOORS)
@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("ok", ["success", "success"]),
        ("fail", ["failure", "failure"]),
        ("slow", ["error", "success"]),
        ("partial", ["partial", "success"]),
    ],
)
def test_scheduled_actions_end_as_they_did(line: Line, tenant: str, name: str, results: list[str]) -> None:
    """Success, failure, a killed run and a half-done one are told apart over RPC (features 2, 5)."""
    cron = str(company().crons[name])
    roots = [s for s in line.spans(tenant) if s["operationName"] == f"cron LAB {name}"]
    found = sorted((s["startTime"], tags(s)["odoo.run.result"], tags(s)["odoo.record.id"]) for s in roots)

    assert [(result, record) for _, result, record in found] == [(result, cron) for result in results]


@pytest.mark.parametrize("tenant", DOORS)
def test_durations_are_those_of_odoo_s_log(line: Line, tenant: str) -> None:
    """Each finished run took as long as Odoo's own log says, to the second RPC shows."""
    checked = 0
    for name in ("ok", "fail", "slow", "partial"):
        said = [float(m[1]) for text in line.lab.cron_lines(name) if (m := re.search(r"duration ([\d.]+)s", text))]
        roots = sorted(
            (s for s in line.spans(tenant) if s["operationName"] == f"cron LAB {name}"), key=lambda s: s["startTime"]
        )
        ended = [s for s in roots if tags(s)["odoo.run.result"] != "error"]
        for seconds, span in zip(said, ended, strict=True):
            wait = [w for w in line.spans(tenant) if w["traceID"] == span["traceID"] and w["operationName"] == "wait"]
            took = (span["duration"] - sum(w["duration"] for w in wait)) / 1e6
            assert abs(took - seconds) <= 1.05, (name, took, seconds)
            checked += 1

    assert checked == 7


@pytest.mark.parametrize("tenant", DOORS)
def test_a_job_that_failed_while_we_were_dead_is_told_with_its_true_end(line: Line, tenant: str) -> None:
    """The failure has class, masked message and the end that only its mail.message knows (features 2, 33, 62)."""
    spans = line.trace(tenant, ("queue.job", line.jobs["failed"], "1"))
    root = next(s for s in spans if s["operationName"].startswith("process "))
    posted = line.lab.sql(
        "SELECT extract(epoch FROM date)::bigint AS at FROM mail_message "
        "WHERE model = 'queue.job' AND res_id = :'job' ORDER BY id DESC LIMIT 1",
        job=line.lab.job(line.jobs["failed"])["id"],
    )

    assert tags(root)["error.type"] == "odoo.addons.queue_job.exception.JobError"
    assert tags(root)["otel.status_description"] == "LAB upstream said no to [EMAIL]"
    assert (root["startTime"] + root["duration"]) // 1_000_000 == int(posted[0]["at"])


@pytest.mark.parametrize("tenant", DOORS)
def test_job_durations_attempts_and_graph(line: Line, tenant: str) -> None:
    """exec_time to the microsecond, the unseen attempt counted, dependencies as links (features 33, 42)."""
    done = line.trace(tenant, ("queue.job", line.jobs["done"], "1"))
    attempt = next(s for s in done if s["operationName"] == "attempt")
    seconds = float(line.lab.job(line.jobs["done"])["exec_time"])
    retried = line.trace(tenant, ("queue.job", line.jobs["retried"], "1"))
    root = next(s for s in retried if s["operationName"].startswith("process "))
    last = line.trace(tenant, ("queue.job", line.jobs["last"], "1"))
    links = {
        ref["traceID"].zfill(32)
        for s in last
        for ref in s["references"]
        if ref["refType"] == "FOLLOWS_FROM" or ref["traceID"] != s["traceID"]
    }

    assert attempt["duration"] == pytest.approx(seconds * 1e6, abs=2)
    assert tags(root)["odoo.job.attempts"] == 2
    assert links == {
        ids.trace_id(line.tenant(tenant), "queue.job", line.jobs[name], "1").hex() for name in ("first", "second")
    }


@pytest.mark.parametrize("tenant", DOORS)
@pytest.mark.parametrize(
    ("order", "steps", "decision"),
    [
        ("small", ["state draft"], "approved"),
        ("two steps", ["state draft", "state to approve"], "approved"),
        ("refused", ["state draft", "state to approve"], "cancelled"),
        ("in the dark", ["state draft", "state to approve"], "approved"),
        ("rejected", ["review LAB Bob Reviewer", "review LAB Fay Reviewer", "state draft"], "cancelled"),
    ],
)
def test_purchases_are_one_trace_a_record(line: Line, tenant: str, order: str, steps: list[str], decision: str) -> None:
    """Each purchase is one trace with a span for every state it was in (features 15, 66, 104)."""
    spans = line.trace(tenant, ("purchase.order", str(line.orders[order]), ""))
    root = next(s for s in spans if s["operationName"] == "workflow purchase")
    # The lab has no mail server: what a reviewer should have been told failed, and stands in the document's trace, too.
    children = [s["operationName"] for s in spans if s is not root and s["operationName"] != "send mail"]

    assert sorted(children) == sorted(steps)  # RPC shows seconds: two states of one second begin together
    assert tags(root)["odoo.approval.decision"] == decision


@pytest.mark.parametrize("tenant", DOORS)
def test_a_refused_review_says_who_refused(line: Line, tenant: str) -> None:
    """Bob refused it, nobody asked Fay any more; both stay evidence though Odoo deleted them later (feature 66)."""
    spans = line.trace(tenant, ("purchase.order", str(line.orders["rejected"]), ""))
    told = {s["operationName"]: tags(s) for s in spans}

    assert told["review LAB Bob Reviewer"]["odoo.approval.decision"] == "refused"
    assert told["review LAB Bob Reviewer"]["odoo.approval.approver.id"] == company().users["bob"]
    assert told["review LAB Fay Reviewer"]["odoo.approval.decision"] == "cancelled"


@pytest.mark.parametrize("tenant", DOORS)
def test_a_restarted_review_is_kept_though_odoo_deleted_it(line: Line, tenant: str) -> None:
    """Four reviews by two people: Bob's first approval and the deleted rest stay evidence (features 15, 66, 110)."""
    spans = line.trace(tenant, ("purchase.order", str(line.orders["tiers"]), ""))
    reviews = sorted((s for s in spans if s["operationName"].startswith("review ")), key=lambda s: s["startTime"])
    decided = Counter((s["operationName"], tags(s)["odoo.approval.decision"]) for s in reviews)
    bob, fay = company().users["bob"], company().users["fay"]

    assert decided == {
        ("review LAB Bob Reviewer", "approved"): 2,
        ("review LAB Fay Reviewer", "cancelled"): 1,
        ("review LAB Fay Reviewer", "approved"): 1,
    }
    assert {tags(s).get("odoo.approval.approver.id") for s in reviews} == {bob, fay, None}
    assert {tags(s)["odoo.wait.kind"] for s in reviews} == {"human"}
    assert not line.lab.sql("SELECT 1 FROM tier_review WHERE id = :'id'", id=line.restarted[1])


COUNTERS = [
    ('odoo_cron_runs_total{{cron="{ok}",result="success"}}', 2),
    ('odoo_cron_runs_total{{cron="{fail}",result="failure"}}', 2),
    ('odoo_cron_runs_total{{cron="{fail}",result="success"}}', 0),
    ('odoo_cron_runs_total{{cron="{slow}",result="error"}}', 1),
    ('odoo_cron_runs_total{{cron="{slow}",result="success"}}', 1),
    ('odoo_cron_runs_total{{cron="{partial}",result="partial"}}', 1),
    ('odoo_cron_runs_total{{cron="{partial}",result="success"}}', 1),
    ("sum(odoo_cron_runs_total{{}})", 8),
    ("sum(odoo_cron_run_duration_seconds_count{{}})", 8),
    ('sum(odoo_job_runs_total{{result="success"}})', 6),
    ('sum(odoo_job_runs_total{{result="failure"}})', 1),
    ("sum(odoo_job_retries_total{{}})", 1),
    ('sum(odoo_job_errors_total{{error_type="odoo.addons.queue_job.exception.JobError"}})', 1),
    ('odoo_workflow_runs_total{{workflow="purchase",result="success"}}', 4),
    ('odoo_workflow_runs_total{{workflow="purchase",result="cancellation"}}', 2),
    ('odoo_approval_decisions_total{{workflow="purchase",decision="approved"}}', 6),
    ('odoo_approval_decisions_total{{workflow="purchase",decision="refused"}}', 1),
    ('odoo_approval_decisions_total{{workflow="purchase",decision="cancelled"}}', 3),
    ("sum(odoo_otel_corrections_total{{}}) or vector(0)", 0),
    ("odoo_up{{}}", 1),
    ('odoo_cron_consecutive_failures{{cron="{fail}"}}', 2),
]


@pytest.mark.parametrize("tenant", DOORS)
@pytest.mark.parametrize(("query", "value"), COUNTERS)
def test_counters_in_prometheus_are_what_was_caused(line: Line, tenant: str, query: str, value: float) -> None:
    """Exactly-once totals survive three SIGKILLs and the Collector's minute (R1, R3; features 37, 38, 39, 75, 79)."""
    crons = {name: str(number) for name, number in company().crons.items()}
    promql = query.format(**crons).replace("{", f'{{odoo_database="{tenant}",', 1)

    assert [found for _, found in line.prometheus.query(promql)] == [value], promql


WHOLE = "1h"  # longer than the story: what $__rate_interval stands for
CAUSED = {
    "odoo_cron_runs_total": {
        "ok success": 2,
        "fail failure": 2,
        "slow error": 1,
        "slow success": 1,
        "partial partial": 1,
        "partial success": 1,
    },
    "odoo_job_runs_total": {"job_succeed success": 5, "job_retry success": 1, "job_fail failure": 1},
    "odoo_approval_decisions_total": {"purchase approved": 6, "purchase refused": 1, "purchase cancelled": 3},
}
GROWN = {  # panel: (metric, the label by which it adds up)
    "overview: Scheduled actions by result A": ("odoo_cron_runs_total", "result"),
    "overview: Queue jobs by result A": ("odoo_job_runs_total", "result"),
    "integrations: Decisions A": ("odoo_approval_decisions_total", "decision"),
}
BAD = r"failure|timeout|error"
SHARES = {  # panel: the metrics whose bad ends it divides by all of them
    "overview: Failure share A": ("odoo_cron_runs_total", "odoo_job_runs_total"),
    "overview: Failure share by database A": ("odoo_cron_runs_total",),
    "overview: Failure share by database B": ("odoo_job_runs_total",),
}
GAUGES: dict[str, list[tuple[dict[str, str], float]]] = {
    "overview: Databases up A": [({"odoo_database": "TENANT"}, 1)],
    "overview: Open findings A": [({"severity": "warning"}, 1)],  # the action that fails, failed to the end
    "overview: Queue depth A": [],  # every job has ended, every purchase is decided
    "overview: Oldest pending job A": [],
    "overview: Longest running job A": [],
    "overview: Approvals waiting A": [],
    "overview: Oldest approval A": [],
    "overview: Events not folded yet A": [({"odoo_database": "TENANT"}, 0)],
    "overview: Outbox A": [({"signal": "logs"}, 0), ({"signal": "traces"}, 0)],
    "integrations: Documents that wait A": [],
    "integrations: Longest approval A": [],
}
FIRES: dict[str, list[tuple[dict[str, str], float]]] = {
    "OdooDown": [({"odoo_database": "down"}, 0)],
    "OdooCronFailing": [
        ({"odoo_database": name, "detector": "result.failing", "subject": "FAIL", "severity": "warning"}, 1)
        for name in sorted(DOORS)
    ],
    "OdooDetectorsSilent": [({"odoo_database": "down"}, 0)],  # nobody ever looked at that one
    "OdooOtelWatchdog": [({}, 1)],
}


def shown(line: Line, query: str, tenant: str) -> list[tuple[dict[str, str], float]]:
    """What a query of a board shows of a tenant over the whole story, in a fixed order; a fault of it raises."""
    query = query.replace("$__rate_interval", WHOLE).replace("$odoo_database", tenant)
    assert "$" not in query.replace("$1", ""), query
    return sorted(line.prometheus.query(query), key=str)


def grown(line: Line, metric: str, tenant: str) -> dict[str, float]:
    """By how much each counter of a metric grew under Prometheus' eyes: as caused, less what it began with.

    `increase` cannot see the value with which a series begins: a first run, or one while nobody scraped.
    """
    names = {str(number): name for name, number in company().crons.items()}
    series = line.prometheus.api("query", query=f'{metric}{{odoo_database="{tenant}"}}[{WHOLE}]')["result"]
    found = {}
    for one in series:
        labels = one["metric"]
        who = labels.get("function", labels.get("workflow", names.get(labels.get("cron", ""), ""))).rpartition(".")[2]
        ends = f"{who} {labels.get('result', labels.get('decision'))}"
        found[ends] = CAUSED[metric].get(ends, 0) - float(one["values"][0][1])
    assert CAUSED[metric].keys() <= found.keys()
    return found


@pytest.mark.parametrize("tenant", DOORS)
@pytest.mark.parametrize("panel", GROWN)
def test_panels_count_what_was_caused(line: Line, tenant: str, panel: str) -> None:
    """Runs by result, jobs by result and decisions, as the fixture caused them (features 17, 37, 38, 39)."""
    metric, label = GROWN[panel]
    wanted: Counter[str] = Counter()
    for ends, number in grown(line, metric, tenant).items():
        wanted[ends.split()[1]] += int(number)
    answer = {labels[label]: value for labels, value in shown(line, board_queries()[panel], tenant)}

    assert answer == pytest.approx(dict(wanted), rel=0.05)
    assert sum(wanted.values()) >= 1


@pytest.mark.parametrize("tenant", DOORS)
@pytest.mark.parametrize("panel", SHARES)
def test_panels_show_the_share_that_failed(line: Line, tenant: str, panel: str) -> None:
    """Bad ends divided by all of them, as the fixture caused them; nothing where there were none (feature 85)."""
    ends = [one for metric in SHARES[panel] for one in grown(line, metric, tenant).items()]
    bad, every = sum(number for name, number in ends if re.search(BAD, name)), sum(number for _, number in ends)
    answer = [value for _, value in shown(line, board_queries()[panel], tenant)]

    assert answer == pytest.approx([bad / every] if every else [], rel=0.05)


@pytest.mark.parametrize("tenant", DOORS)
@pytest.mark.parametrize("panel", GAUGES)
def test_panels_show_what_is_now(line: Line, tenant: str, panel: str) -> None:
    """What is up, open, waiting and unsent after the story, and nothing else (features 17, 40, 41)."""
    wanted = [({k: v.replace("TENANT", tenant) for k, v in labels.items()}, n) for labels, n in GAUGES[panel]]

    assert shown(line, board_queries()[panel], tenant) == wanted


@pytest.mark.parametrize("tenant", DOORS)
def test_the_open_finding_stands_on_the_board(line: Line, tenant: str) -> None:
    """The action that fails stands there with its newest sentence and a trace (features 9, 103).

    What ended, or was said otherwise, while the Collector was away is shown for Prometheus' five minutes: that
    one alone is open says `overview: Open findings A`.
    """
    found = [labels for labels, _ in shown(line, board_queries()["overview: Findings A"], tenant)]

    one = ("result.failing", str(company().crons["fail"]), "LAB fail")
    (labels,) = [labels for labels in found if "2 times in a row" in labels["sentence"]]
    assert (labels["detector"], labels["subject"], labels["name"]) == one
    assert line.jaeger.trace(labels["trace_id"])


@pytest.mark.parametrize("panel", sorted(board_queries().keys() - GROWN.keys() - SHARES.keys() - GAUGES.keys()))
def test_every_other_panel_is_answered(line: Line, panel: str) -> None:
    """The rest of both boards is no fault to the Prometheus of a real Odoo, and of no database that is not chosen."""
    answer = shown(line, board_queries()[panel], "json2")

    assert {labels["odoo_database"] for labels, _ in answer if "odoo_database" in labels} <= {"json2"}


@pytest.mark.parametrize("rule", rule_queries())
def test_rules_fire_for_what_was_caused(line: Line, rule: str) -> None:
    """The action that fails, the database that is down, the dead man's switch; of the others none (features 78, 79)."""
    fails = str(company().crons["fail"])
    wanted = [({k: v.replace("FAIL", fails) for k, v in labels.items()}, n) for labels, n in FIRES.get(rule, [])]

    assert sorted(line.prometheus.query(rule_queries()[rule]), key=str) == sorted(wanted, key=str)


def test_a_database_that_is_down_or_wrong_harms_only_itself(line: Line) -> None:
    """The one that is down is `odoo_up 0`, the wrong one is skipped with its faults, the others run (feature 76)."""
    logged = [entry["message"] for entry in line.exporter.lines()]

    assert line.prometheus.query('odoo_up{odoo_database="down"}')[0][1] == 0
    assert any(message.startswith("wrong is skipped: ") for message in logged)
    assert any(message.startswith("down cannot be read: ") for message in logged)


def test_histograms_lead_to_traces(line: Line) -> None:
    """A bucket's exemplar, through OpenMetrics and the Collector, is the id of a trace Jaeger holds (feature 75)."""
    now = time.time()
    series = line.prometheus.exemplars("odoo_cron_run_duration_seconds_bucket", now - 600, now)
    found = {exemplar["labels"]["trace_id"] for one in series for exemplar in one["exemplars"]}

    assert found
    assert all(line.jaeger.trace(trace_id) for trace_id in found)


def test_failures_and_decisions_are_log_events_with_their_trace(line: Line) -> None:
    """Each failure and each decision came out as a log record with a trace id, exactly once (features 36, 66)."""
    records = [
        record
        for request in line.collector.logs()
        for resource in request["resourceLogs"]
        if {"key": "service.namespace", "value": {"stringValue": "json2"}} in resource["resource"]["attributes"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
    events = Counter(record["eventName"] for record in records)

    assert events["odoo.cron.failed"] == 3  # twice refused, once killed
    assert events["odoo.job.failed"] == 1
    assert events["odoo.approval.decided"] == 6
    assert all(record["traceId"] for record in records)


def test_no_secret_and_no_personal_detail_left_us(line: Line) -> None:
    """API key and the e-mail address in a job's error are in no span, log, metric or line of ours (R15; feature 62)."""
    secrets = [company().keys["mon"], "jane.doe@example.com"]
    said = [
        str(line.quiet or line.spans("json2")),
        str(line.collector.logs()),
        line.exporter.metrics(),
        line.exporter.log.read_text(),
        (line.exporter.state / "odoo-otel.sqlite").read_bytes().decode("latin-1"),
    ]

    assert [secret for secret in secrets for text in said if secret in text] == []


def test_odoo_was_only_read(line: Line) -> None:
    """Every call in Odoo's access log that did not come from the fixture's people is a read (feature 52)."""
    called: dict[str, set[str]] = {}
    for text in line.lab.odoo.log.read_text().splitlines():
        if found := CALL.search(text):
            address, *names = found.groups()
            called.setdefault(address, set()).add(next(name for name in names if name))
    people, ours = called.pop(PEOPLE), set().union(*called.values())

    assert people >= {"create", "button_confirm", "validate_tier", "trigger"}  # a writing call stands in that log
    assert ours >= {"search_read", "fields_get", "context_get"}
    assert ours - READS - SESSION == set()
