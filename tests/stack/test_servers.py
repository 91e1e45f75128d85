"""The real servers start, answer, are killed and come back; the fixture company does what its helpers say."""

import json
import time
from pathlib import Path

import pytest
import requests

from tests.stack.conftest import CONFIG, LabMaker
from tests.stack.inside_odoo.fixture_company import READABLE
from tests.stack.lab import Lab, company
from tests.stack.servers.alertmanager import Alertmanager, amtool
from tests.stack.servers.collector import Collector, Targets, validate
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.odoo import Json2Error
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import ServerError, wait_until
from tests.stack.servers.prometheus import EVERY_SECOND, Prometheus, promtool

TRACE = "5b8efff798038103d269b633813fc60c"


def one_span(service: str, trace: str = TRACE) -> dict[str, object]:
    """An OTLP request with one span that ended now."""
    now = time.time_ns()
    span = {"traceId": trace, "spanId": "eee19b7ec3c1b174", "name": "probe", "kind": 1}
    times = {"startTimeUnixNano": str(now - 1_000_000), "endTimeUnixNano": str(now)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [{**span, **times}]}]}]}


def post_span(url: str, service: str) -> None:
    """Hand one span to whoever takes OTLP over HTTP at `url`."""
    requests.post(f"{url}/v1/traces", json=one_span(service), timeout=10).raise_for_status()


def test_postgres_keeps_its_rows_over_a_kill(folder: Path) -> None:
    """A durable cluster that is killed comes back on its port with what was committed."""
    with Postgres(folder / "postgres", fsync=True) as server:
        server.createdb("one")
        server.sql("one", "CREATE TABLE fact (name text); INSERT INTO fact VALUES (:'name')", name="it's kept")
        port = server.port
        server.kill()
        server.start()
        assert (server.port, server.sql("one", "SELECT name FROM fact")) == (port, [{"name": "it's kept"}])


def test_postgres_says_what_it_did_not_understand(postgres: Postgres) -> None:
    """A refused statement raises with PostgreSQL's own words."""
    with pytest.raises(ServerError, match="does not exist"):
        postgres.sql("postgres", "SELECT nothing")


def test_a_server_that_cannot_start_shows_its_log(folder: Path) -> None:
    """A start that fails ends at once, with the tail of the log in the message."""
    with pytest.raises(ServerError, match=r"ended by itself(.|\n)*no_such_setting"):
        Postgres(folder / "postgres", settings=["no_such_setting=1"]).start()


def test_jaeger_shows_a_trace_it_was_sent(jaeger: Jaeger) -> None:
    """A span sent over OTLP is found by service and by trace id."""
    post_span(jaeger.otlp_http, "probe-jaeger")
    assert wait_until(lambda: "probe-jaeger" in jaeger.services(), "service")
    assert jaeger.traces("probe-jaeger")[0]["traceID"] == TRACE
    assert (jaeger.trace(TRACE) or {})["spans"]
    assert jaeger.trace("0" * 31 + "1") is None


def test_durable_jaeger_keeps_traces_over_a_restart(folder: Path) -> None:
    """With its storage on disk Jaeger still knows the trace after a restart."""
    with Jaeger(folder / "jaeger", durable=True) as jaeger:
        post_span(jaeger.otlp_http, "probe-durable")
        wait_until(lambda: jaeger.trace(TRACE), "trace")
        jaeger.restart()
        assert jaeger.trace(TRACE)


def test_prometheus_takes_otlp_and_reloads(prometheus: Prometheus) -> None:
    """A metric sent over OTLP can be queried, and a new configuration is taken without a restart."""
    now = str(time.time_ns())
    point = {"timeUnixNano": now, "asDouble": 4.5}
    metric = {"name": "probe.value", "gauge": {"dataPoints": [point]}}
    body = {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [metric]}]}]}
    requests.post(f"{prometheus.otlp}/v1/metrics", json=body, timeout=10).raise_for_status()
    assert wait_until(lambda: prometheus.query("probe_value"), "sample")[0][1] == 4.5
    prometheus.reload(EVERY_SECOND)
    with pytest.raises(ServerError):
        prometheus.query("sum(")


def test_alertmanager_lists_an_alert(alertmanager: Alertmanager) -> None:
    """An alert that was posted is active."""
    alert = [{"labels": {"alertname": "Probe"}}]
    requests.post(f"{alertmanager.url}/api/v2/alerts", json=alert, timeout=10).raise_for_status()
    assert [found["labels"]["alertname"] for found in wait_until(alertmanager.alerts, "alert")] == ["Probe"]


def test_checkers_tell_good_from_bad(folder: Path) -> None:
    """promtool, amtool and the Collector's validate exit with 0 only on a configuration without faults."""
    good, bad = folder / "good.yml", folder / "bad.yml"
    bad.write_text("nonsense: 1\n")
    good.write_text("groups: []\n")
    assert [promtool("check", "rules", file).returncode for file in (good, bad)] == [0, 1]
    good.write_text("route: {receiver: a}\nreceivers: [{name: a}]\n")
    assert [amtool("check-config", file).returncode for file in (good, bad)] == [0, 1]
    assert [validate(file, folder).returncode for file in (CONFIG, bad)] == [0, 1]


def test_collector_passes_spans_on_to_jaeger(collector: Collector, jaeger: Jaeger) -> None:
    """Our configuration takes a span over OTLP/HTTP and hands it to Jaeger."""
    post_span(collector.url, "probe-collector")
    assert wait_until(lambda: jaeger.traces("probe-collector"), "trace through the Collector")
    assert "otelcol_receiver_accepted_spans" in requests.get(collector.metrics_url, timeout=10).text


def test_killed_collector_delivers_what_it_had_accepted(folder: Path) -> None:
    """A span accepted while Jaeger was away reaches Jaeger although the Collector was killed in between."""
    jaeger = Jaeger(folder / "jaeger")
    with Collector(folder / "collector", CONFIG, Targets(jaeger=jaeger.otlp_grpc)) as collector:
        post_span(collector.url, "probe-killed")
        collector.kill()
        with jaeger:
            collector.start()
            assert wait_until(lambda: jaeger.traces("probe-killed"), "trace after the kill", within=60)


def test_monitor_reads_and_may_not_write(lab: Lab) -> None:
    """The monitoring user reads scheduled actions over JSON-2 and is refused with 403 when it writes."""
    read = lab.call("mon", "ir.cron", "search_read", domain=[["cron_name", "=", "LAB ok"]], fields=["failure_count"])
    assert read == [{"id": company().crons["ok"], "failure_count": 0}]
    with pytest.raises(Json2Error) as refused:
        lab.call("mon", "ir.cron", "write", ids=[company().crons["last"]], vals={"priority": 3})
    assert refused.value.status == 403


@pytest.mark.parametrize("model", READABLE)
def test_monitor_may_read_what_the_exporter_polls(lab: Lab, model: str) -> None:
    """The data-only group opens each model the exporter reads, and nothing of it raises."""
    assert lab.call("mon", model, "search_count", domain=[]) >= 0


def test_a_triggered_action_runs_at_once(lab: Lab) -> None:
    """An action runs within 10 s of being triggered and leaves its progress row and its log lines."""
    started = time.monotonic()
    lab.run_cron("ok")
    (row,) = lab.finished_cron("ok", within=10)
    assert time.monotonic() - started < 10
    assert (row["done"], row["remaining"], row["timed_out_counter"]) == ("0", "0", "0")
    assert "fully done (#loop 1" in lab.cron_lines("ok")[-1]
    assert lab.cron("ok")["lastcall"]


@pytest.mark.parametrize(
    ("name", "says", "failures", "rows"),
    [
        ("fail", "failed (#loop 1", "1", [("0", "0")]),
        ("crash", "failed (#loop 1", "1", [("0", "0")]),
        ("partial", "partially done (#loop 3", "0", [("5", "15"), ("5", "10"), ("0", "10")]),
        ("stalled", "partially done (#loop 1", "0", [("0", "9")]),
        ("partial_fail", "partially done (#loop 3", "0", [("3", "7"), ("3", "4"), ("0", "4")]),
    ],
)
def test_an_action_ends_as_its_name_says(
    lab: Lab, *, name: str, says: str, failures: str, rows: list[tuple[str, str]]
) -> None:
    """Each way an action can end is there: the log's words, the failure counter, the progress rows, the new trigger."""
    lab.run_cron(name)
    seen = [(row["done"], row["remaining"]) for row in lab.finished_cron(name)]
    end = next(line for line in lab.cron_lines(name) if "#loop" in line)
    assert (seen, lab.cron(name)["failure_count"]) == (rows, failures)
    assert says in end
    assert len(lab.triggers(name)) == ("partially" in says)


def test_an_action_may_switch_itself_off(lab: Lab) -> None:
    """An action that reports it is the last run is inactive afterwards."""
    lab.run_cron("last")
    lab.finished_cron("last")
    assert lab.cron("last")["active"] == "f"


def test_a_killed_action_leaves_its_row_open(new_lab: LabMaker) -> None:
    """A run whose process is killed leaves a row that never ends, an untouched action, and its trigger."""
    lab = new_lab(None)
    lab.run_cron("long")
    wait_until(lambda: lab.progress("long"), "row of the run")
    lab.odoo.kill()
    (row,) = lab.progress("long")
    assert (row["timed_out_counter"], row["write_date"]) == ("1", row["create_date"])
    assert (lab.cron("long")["lastcall"], len(lab.triggers("long"))) == ("", 1)
    lab.odoo.start()
    assert lab.call("mon", "ir.cron.progress", "search_count", domain=[]) == 1


def test_queue_jobs_end_in_every_way(lab: Lab) -> None:
    """Jobs succeed, fail, succeed after a retry, or run out of retries; dependents wait for all they depend on."""
    good = lab.enqueue_job("succeed", seconds=0.2)
    bad = lab.enqueue_job("fail")
    again = lab.enqueue_job("retry", times=1, seconds=1)
    never = lab.enqueue_job("retry", options={"max_retries": 2}, times=9, seconds=1)
    graph = lab.enqueue_graph()
    ends = {uuid: lab.finished_job(uuid) for uuid in (good, bad, again, never, *graph)}
    assert [(ends[uuid]["state"], ends[uuid]["retry"]) for uuid in (good, bad, again, never)] == [
        ("done", "1"),
        ("failed", "1"),
        ("done", "2"),
        ("failed", "2"),
    ]
    assert len({ends[uuid]["graph_uuid"] for uuid in graph}) == 1
    assert set(json.loads(ends[graph[-1]]["dependencies"])["depends_on"]) == set(graph[:-1])


def test_jobs_are_cancelled_and_requeued(lab: Lab) -> None:
    """A job that waits for its time is cancelled; a failed one is requeued, fails again, and is set done by hand."""
    later = lab.enqueue_job("succeed", options={"eta": 3600})
    lab.cancel_job(later)
    assert lab.job(later)["state"] == "cancelled"
    failed = lab.enqueue_job("fail")
    first = lab.finished_job(failed)
    lab.requeue_job(failed)
    wait_until(lambda: lab.finished_job(failed) != first, "failed again")
    second = lab.job(failed)
    assert (second["state"], second["retry"]) == ("failed", "1")
    lab.set_job_done(failed)
    assert lab.job(failed)["state"] == "done"


def test_a_purchase_takes_two_steps_from_500(lab: Lab) -> None:
    """A buyer confirms below the limit; from it on the order waits until a manager approves; a manager may refuse."""
    small, middle, refused = (lab.create_purchase("carl", amount) for amount in (499, 500, 700))
    for order in (small, middle, refused):
        lab.confirm("carl", order)
    assert [lab.purchase(order)["state"] for order in (small, middle)] == ["purchase", "to approve"]
    lab.approve("carl", middle)
    assert lab.purchase(middle)["state"] == "to approve"
    lab.approve("dora", middle)
    lab.cancel("dora", refused)
    assert [lab.purchase(order)["state"] for order in (middle, refused)] == ["purchase", "cancel"]


def test_two_reviewers_are_asked_one_after_the_other(lab: Lab) -> None:
    """Above the tiers' limit bob is asked, then fay; only then can the order be confirmed."""
    order = lab.create_purchase("alice", 6000)
    lab.request_validation("alice", order)
    assert [row["status"] for row in lab.reviews(order)] == ["pending", "waiting"]
    with pytest.raises(Json2Error):
        lab.confirm("dora", order)
    lab.validate_tier("bob", order)
    assert lab.reviews(order)[0]["status"] == "approved"
    lab.validate_tier("fay", order)
    lab.confirm("dora", order)
    assert lab.purchase(order)["state"] == "purchase"


def test_a_rejected_review_may_be_asked_for_again(lab: Lab) -> None:
    """A rejection cancels the tier that waits; a restart deletes all reviews."""
    order = lab.create_purchase("alice", 7000)
    lab.request_validation("alice", order)
    lab.reject_tier("bob", order)
    assert [row["status"] for row in lab.reviews(order)] == ["rejected", "cancel"]
    lab.restart_validation("alice", order)
    assert lab.reviews(order) == []


def test_shell_tells_the_running_server(lab: Lab) -> None:
    """Code run in Odoo's shell prints, commits, and is seen by the server that runs beside it."""
    code = "print(env['ir.config_parameter'].sudo().set_param('lab.probe', 'seen') or 'set')"
    assert lab.odoo.shell(code).strip() == "set"
    assert lab.call("admin", "ir.config_parameter", "get_param", key="lab.probe") == "seen"
