"""The end of the line: what is wrong in a real Odoo reaches a person through a real Prometheus and Alertmanager.

One story is played once: an action that fails, one that hangs, one whose row is locked, one that takes far longer than
it ever did, and at last an Odoo that is away. A local receiver keeps every notification; the tests look at those.
"""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.stack.conftest import CONFIG
from tests.stack.lab import Lab, company, running
from tests.stack.servers.alertmanager import Alertmanager
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.exporter import Exporter
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import HOST, wait_until
from tests.stack.servers.prometheus import Prometheus

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
OLD_FAILURES = 500
LIMITS = {"ok": {"late": 4, "missed": 8}, "long": {"stuck": 5}}
HISTORY = """
INSERT INTO ir_cron_progress (cron_id, done, remaining, timed_out_counter, create_date, write_date)
SELECT :'cron'::int, 0, 0, 0, began, began + (2 + 2 * (n % 21) / 20.0) * interval '1 second'
FROM (SELECT n, now() at time zone 'utc' - interval '3 days' + n * interval '40 minutes' AS began
      FROM generate_series(1, 100) n) runs
"""
FAILURES = """
INSERT INTO queue_job (uuid, state, name, model_name, method_name, func_string, channel, retry, max_retries, priority,
                       date_created, date_started, exc_name, exc_message, user_id, company_id)
SELECT gen_random_uuid()::text, 'failed', 'old ' || n, 'otel.lab', 'job_fail', 'otel.lab().job_fail()', 'root',
       1, 5, 10,
       now() at time zone 'utc' - interval '2 days', now() at time zone 'utc' - interval '2 days', 'ValueError', 'old',
       1, 1
FROM generate_series(1, :'number'::int) n
"""
Notification = dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """The person: keeps every notification that Alertmanager posts."""

    notes: list[Notification] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    def start(self) -> str:
        """Listen; the address to post to."""
        notes = self.notes

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                notes.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Post)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://{HOST}:{self.server.server_port}/"

    def said(self, alert: str, status: str, subject: str | None = None) -> list[Notification]:
        """Notifications of an alert in a status, of one subject if given."""
        return [
            note
            for note in list(self.notes)
            if note["groupLabels"]["alertname"] == alert
            and note["status"] == status
            and subject in {None, note["groupLabels"].get("subject")}
        ]


@dataclass(slots=True)
class Alarmed:
    """Everything after the story."""

    lab: Lab
    exporter: Exporter
    prometheus: Prometheus
    jaeger: Jaeger
    receiver: Receiver
    at_start: list[Notification] = field(default_factory=list)
    while_dark: list[Notification] = field(default_factory=list)
    silent: tuple[float, float] = (0.0, 0.0)

    def cron(self, name: str) -> str:
        """The label of an action."""
        return str(company().crons[name])


@pytest.fixture(scope="module")
def alarmed(postgres: Postgres, stack_folder: Path) -> Iterator[Alarmed]:
    """Odoo, exporter with detectors, Collector, Prometheus, Alertmanager and a receiver after the story."""
    folder = stack_folder / "alerts"
    folder.mkdir()
    folder.chmod(0o755)
    receiver = Receiver()
    (folder / "webhook").write_text(receiver.start())
    with (
        running(postgres, folder / "odoo", OdooOptions(cron_threads=1)) as lab,
        Jaeger(folder / "jaeger") as jaeger,
        Alertmanager(_templates(folder / "alertmanager"), _alertmanager(folder / "webhook")) as alertmanager,
        Prometheus(_rules(folder / "prometheus"), _prometheus(alertmanager)) as prometheus,
    ):
        lab.sql(HISTORY, cron=company().crons["slow"])
        lab.sql(FAILURES, number=OLD_FAILURES)
        database = {"name": "lab", "url": lab.odoo.url, "database": lab.odoo.db, "user": "mon"}
        limits = {str(company().crons[name]): of for name, of in LIMITS.items()}
        secret = {"api_key": company().keys["mon"], "poll_seconds": 1, "limits": limits}
        exporter = Exporter(folder / "exporter", [{**database, **secret}])
        targets = Targets(jaeger=jaeger.otlp_grpc, prometheus=prometheus.otlp, exporter=exporter.target)
        with Collector(folder / "collector", CONFIG, targets, COLLECTOR_SCRAPE_INTERVAL="1s") as collector:
            exporter.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            found = Alarmed(lab, exporter, prometheus, jaeger, receiver)
            try:
                _story(found)
                yield found
            finally:
                exporter.stop()


def _templates(folder: Path) -> Path:
    folder.mkdir()
    (folder / "odoo-otel.tmpl").write_text((DASHBOARDS / "alertmanager/odoo-otel.tmpl").read_text())
    return folder


def _alertmanager(webhook: Path) -> str:
    """The shipped file, with this test's receiver and without half a minute's wait."""
    text = (DASHBOARDS / "alertmanager/alertmanager.yml").read_text()
    for shipped, here in (
        ("/run/secrets/alert_webhook_url", str(webhook)),
        ("group_wait: 30s", "group_wait: 1s"),
        ("group_interval: 5m", "group_interval: 2s"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    return text


def _rules(folder: Path) -> Path:
    folder.mkdir()
    (folder / "odoo-otel.rules.yml").write_text((DASHBOARDS / "prometheus/odoo-otel.rules.yml").read_text())
    return folder


def _prometheus(alertmanager: Alertmanager) -> str:
    """The shipped file, evaluated every second and sending to this test's Alertmanager."""
    text = (DASHBOARDS / "prometheus/prometheus.yml").read_text()
    for shipped, here in (
        ("alertmanager:9093", f"{HOST}:{alertmanager.port}"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    return text


def _story(found: Alarmed) -> None:
    receiver = found.receiver
    found.exporter.start()
    wait_until(lambda: found.prometheus.query("odoo_up == 1"), "metrics in Prometheus", within=60)
    wait_until(lambda: found.prometheus.query("odoo_detectors_judged > 0"), "detectors judge", within=60)
    time.sleep(10)
    found.at_start = [note for note in receiver.notes if note["groupLabels"]["alertname"] != "OdooOtelWatchdog"]
    _fails(found)
    _hangs(found)
    _stands_still(found)
    _takes_long(found)
    _is_silent(found)
    _goes_away(found)


def _rewrite(lab: Lab, name: str, code: str) -> None:
    lab.call("admin", "ir.cron", "write", ids=[company().crons[name]], vals={"code": code})


def _heard(found: Alarmed, alert: str, status: str, subject: str | None = None, within: float = 60) -> None:
    wait_until(lambda: found.receiver.said(alert, status, subject), f"{alert} {status}", within=within)


def _fails(found: Alarmed) -> None:
    found.lab.run_cron("fail")
    _heard(found, "OdooCronFailing", "firing", found.cron("fail"))
    found.lab.finished_cron("fail")
    _rewrite(found.lab, "fail", "model.cron_ok()")
    found.lab.run_cron("fail")
    _heard(found, "OdooCronFailing", "resolved", found.cron("fail"))


def _hangs(found: Alarmed) -> None:
    found.lab.run_cron("long")
    _heard(found, "OdooCronStuck", "firing", found.cron("long"))
    _heard(found, "OdooCronStuck", "resolved", found.cron("long"))


def _stands_still(found: Alarmed) -> None:
    """The row is locked from psql while the action is due: the scheduler passes over it."""
    lab, cron = found.lab, company().crons["ok"]
    lab.sql("UPDATE ir_cron SET nextcall = now() at time zone 'utc' WHERE id = :'cron'", cron=cron)
    hold = "BEGIN; SELECT 1 FROM ir_cron WHERE id = :'cron' FOR UPDATE; SELECT pg_sleep(25); COMMIT"
    locked = threading.Thread(target=lambda: lab.sql(hold, cron=cron))
    locked.start()
    _heard(found, "OdooCronMissed", "firing", found.cron("ok"))
    locked.join()
    lab.run_cron("ok")
    _heard(found, "OdooCronMissed", "resolved", found.cron("ok"))


def _takes_long(found: Alarmed) -> None:
    _rewrite(found.lab, "slow", "model.cron_sleep(12)")
    found.lab.run_cron("slow")
    _heard(found, "OdooOutlier", "firing", found.cron("slow"), within=90)


def _is_silent(found: Alarmed) -> None:
    """The detectors hang: they are stopped by a signal, so that nobody starts them again."""
    beat = "odoo_detectors_last_run_timestamp_seconds"
    child = _detectors(found)
    os.kill(child, signal.SIGSTOP)
    time.sleep(3)  # what was on its way has arrived
    before = found.prometheus.query(beat)[0][1]
    time.sleep(14)  # longer than a round
    found.silent = (found.prometheus.query(beat)[0][1] - before, _open_outliers(found))
    os.kill(child, signal.SIGCONT)


def _detectors(found: Alarmed) -> int:
    """The process id of the detectors of this exporter."""
    state = str(found.exporter.state)
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = place.read_bytes().decode(errors="replace").split("\0")
            if "detectors" in words and state in words:
                return int(place.parent.name)
    message = "the exporter started no detectors"
    raise AssertionError(message)


def _open_outliers(found: Alarmed) -> float:
    return found.prometheus.query('sum(odoo_anomaly_active{detector="outlier.duration"})')[0][1]


def _goes_away(found: Alarmed) -> None:
    before = len(found.receiver.notes)
    found.lab.odoo.stop()
    _heard(found, "OdooDown", "firing", within=200)
    time.sleep(10)
    found.while_dark = found.receiver.notes[before:]
    found.lab.odoo.start()
    _heard(found, "OdooDown", "resolved", within=60)


def test_a_first_start_on_old_failures_notifies_nobody(alarmed: Alarmed) -> None:
    """500 failures of the past and three days of runs: nobody is notified, counters are at zero (feature 111)."""
    assert alarmed.at_start == []
    assert alarmed.prometheus.query("sum(odoo_job_errors_total) or vector(0)")[0][1] == 0


@pytest.mark.parametrize(
    ("alert", "action"), [("OdooCronFailing", "fail"), ("OdooCronStuck", "long"), ("OdooCronMissed", "ok")]
)
def test_each_trouble_is_one_notification_and_resolves(alarmed: Alarmed, alert: str, action: str) -> None:
    """Failing, hanging, standing still: one notification each, and one that it is over (features 2, 14, 78, 79, 81)."""
    fired = alarmed.receiver.said(alert, "firing", alarmed.cron(action))
    resolved = alarmed.receiver.said(alert, "resolved", alarmed.cron(action))

    assert (len(fired), len(resolved)) == (1, 1)
    assert f"LAB {action}" in fired[0]["commonAnnotations"]["description"]


def test_a_run_far_out_of_its_band_is_exactly_one_finding(alarmed: Alarmed) -> None:
    """After 100 runs of 2-4 s one of 12 s is one notification naming duration and band (features 9, 44, 112)."""
    fired = alarmed.receiver.said("OdooOutlier", "firing")
    sentence = fired[0]["commonAnnotations"]["description"]

    assert [note["groupLabels"]["subject"] for note in fired] == [alarmed.cron("slow")]
    assert "12" in sentence
    assert "median" in sentence
    assert "100 runs" in sentence or "101 runs" in sentence


def test_a_notification_leads_to_a_trace(alarmed: Alarmed) -> None:
    """The Finding's trace in Jaeger is linked to the run it was seen in."""
    finding = alarmed.prometheus.query('odoo_finding_info{detector="outlier.duration"}')
    trace = alarmed.jaeger.trace(finding[0][0]["trace_id"])

    assert trace is not None
    links = [ref for span in trace["spans"] for ref in span["references"] if ref["traceID"] != span["traceID"]]
    example = alarmed.jaeger.trace(links[0]["traceID"])
    assert example is not None
    assert {span["operationName"] for span in example["spans"]} >= {"cron LAB slow"}


def test_findings_stay_open_while_the_detectors_are_silent(alarmed: Alarmed) -> None:
    """Their heartbeat stands still (a rule watches it: OdooDetectorsSilent), what they found stays open (R21)."""
    beats, still_open = alarmed.silent

    assert beats == 0
    assert still_open == 1


def test_an_odoo_that_is_away_is_one_alert_and_resolves_nothing(alarmed: Alarmed) -> None:
    """One OdooDown; the open outlier neither resolves nor fires again (R21)."""
    told = [(note["groupLabels"]["alertname"], note["status"]) for note in alarmed.while_dark]

    fired = [alert for alert, status in told if status == "firing" and alert != "OdooOtelWatchdog"]

    assert fired == ["OdooDown"]
    assert ("OdooOutlier", "resolved") not in told
