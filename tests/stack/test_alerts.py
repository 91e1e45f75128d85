"""The end of the line: what is wrong in a real Odoo reaches a person through a real Prometheus and Alertmanager.

One story is played once: an action that fails, one that hangs, one whose row is locked, one that takes far longer than
it ever did, and at last an Odoo that is away. A local receiver keeps every notification; the tests look at those.
"""

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.stack.alarms import HISTORY, Notification, Receiver, alerting, notifying, rewrite, rules, templates
from tests.stack.conftest import CONFIG
from tests.stack.lab import Lab, company, running
from tests.stack.servers.alertmanager import Alertmanager
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.exporter import Exporter
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import wait_until
from tests.stack.servers.prometheus import Prometheus

OLD_FAILURES = 500
OUTLIER = re.compile(
    r"LAB slow in lab: LAB slow took 1[2-4]\.\d s; usually [23]\.\d to [34]\.\d s \(median [23]\.\d s, "
    r"learned from 10[01] runs\): [345]\.\d times the median\."
)
LIMITS = {"ok": {"late": 4, "missed": 8}, "long": {"stuck": 5}, "crash": {"failures": 2}}
FAILURES = """
INSERT INTO queue_job (uuid, state, name, model_name, method_name, func_string, channel, retry, max_retries, priority,
                       date_created, date_started, exc_name, exc_message, user_id, company_id)
SELECT gen_random_uuid()::text, 'failed', 'old ' || n, 'otel.lab', 'job_fail', 'otel.lab().job_fail()', 'root',
       1, 5, 10,
       now() at time zone 'utc' - interval '2 days', now() at time zone 'utc' - interval '2 days', 'ValueError', 'old',
       1, 1
FROM generate_series(1, :'number'::int) n
"""


@dataclass(slots=True)
class Alarmed:
    """Everything after the story."""

    lab: Lab
    exporter: Exporter
    prometheus: Prometheus
    jaeger: Jaeger
    receiver: Receiver
    at_start: list[Notification] = field(default_factory=list)
    old: int = 0
    while_dark: list[Notification] = field(default_factory=list)
    afterwards: list[Notification] = field(default_factory=list)
    darkness: dict[str, float] = field(default_factory=dict)
    after_one: list[Notification] = field(default_factory=list)
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
        Alertmanager(templates(folder / "alertmanager"), notifying(folder / "webhook")) as alertmanager,
        Prometheus(rules(folder / "prometheus"), alerting(alertmanager)) as prometheus,
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


def _story(found: Alarmed) -> None:
    receiver = found.receiver
    found.exporter.start()
    wait_until(lambda: found.prometheus.query("odoo_up == 1"), "metrics in Prometheus", within=60)
    wait_until(lambda: found.prometheus.query("odoo_detectors_judged > 0"), "detectors judge", within=60)
    wait_until(lambda: _old_failures(found) >= OLD_FAILURES, "the old failures read", within=60)
    found.old = _old_failures(found)
    time.sleep(10)
    found.at_start = [note for note in receiver.notes if note["groupLabels"]["alertname"] != "OdooOtelWatchdog"]
    _fails(found)
    _fails_twice(found)
    _hangs(found)
    _stands_still(found)
    _takes_long(found)
    _is_silent(found)
    _stays_failing(found)
    _goes_away(found)


def _old_failures(found: Alarmed) -> int:
    """Jobs that failed, as they are stored."""
    reader = found.exporter.reader()
    try:
        return len(reader.runs("lab", limit=2 * OLD_FAILURES, kind="job", result="failure"))
    finally:
        reader.close()


def _heard(found: Alarmed, alert: str, status: str, subject: str | None = None, within: float = 60) -> None:
    wait_until(lambda: found.receiver.said(alert, status, subject), f"{alert} {status}", within=within)


def _fails(found: Alarmed) -> None:
    found.lab.run_cron("fail")
    _heard(found, "OdooCronFailing", "firing", found.cron("fail"))
    found.lab.finished_cron("fail")
    rewrite(found.lab, "fail", "model.cron_ok()")
    found.lab.run_cron("fail")
    _heard(found, "OdooCronFailing", "resolved", found.cron("fail"))


def _fails_twice(found: Alarmed) -> None:
    """Once is not worth a word of this action; twice in a row is."""
    failed = f'odoo_cron_runs_total{{cron="{found.cron("crash")}",result="failure"}} == 1'
    found.lab.run_cron("crash")
    wait_until(lambda: found.prometheus.query(failed), "the first failure counted", within=60)
    time.sleep(6)  # a notification takes two seconds
    found.after_one = found.receiver.said("OdooCronFailing", "firing", found.cron("crash"))
    found.lab.finished_cron("crash")
    found.lab.run_cron("crash")
    _heard(found, "OdooCronFailing", "firing", found.cron("crash"))
    rewrite(found.lab, "crash", "model.cron_ok()")
    found.lab.run_cron("crash")
    _heard(found, "OdooCronFailing", "resolved", found.cron("crash"))


def _hangs(found: Alarmed) -> None:
    found.lab.run_cron("long")
    _heard(found, "OdooCronStuck", "firing", found.cron("long"))
    _heard(found, "OdooCronStuck", "resolved", found.cron("long"))


def _stands_still(found: Alarmed) -> None:
    """The row is locked from psql while the action is due: the scheduler passes over it."""
    lab, cron = found.lab, company().crons["ok"]
    due = "UPDATE ir_cron SET nextcall = now() at time zone 'utc' WHERE id = :'cron'"  # the scheduler has to see it
    hold = "BEGIN; SELECT 1 FROM ir_cron WHERE id = :'cron' FOR UPDATE; SELECT pg_sleep(25); COMMIT"
    locked = threading.Thread(target=lambda: lab.sql(f"{due}; {hold}", cron=cron))
    locked.start()
    _heard(found, "OdooCronMissed", "firing", found.cron("ok"))
    locked.join()
    lab.run_cron("ok")
    _heard(found, "OdooCronMissed", "resolved", found.cron("ok"))


def _takes_long(found: Alarmed) -> None:
    rewrite(found.lab, "slow", "model.cron_sleep(12)")
    found.lab.run_cron("slow")
    _heard(found, "OdooOutlier", "firing", found.cron("slow"), within=90)


def _is_silent(found: Alarmed) -> None:
    """The detectors hang: they are stopped by a signal, so that nobody starts them again."""
    beat = "odoo_detectors_last_run_timestamp_seconds"
    child = _detectors(found)
    os.kill(child, signal.SIGSTOP)
    time.sleep(3)  # what was on its way has arrived
    before = found.prometheus.query(beat)[0][1]
    time.sleep(75 - time.time() % 60)  # one beat a minute is kept: into the next minute, and a round longer
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


def _stays_failing(found: Alarmed) -> None:
    """Another action fails and nobody mends it."""
    rewrite(found.lab, "last", "model.cron_fail()")
    found.lab.run_cron("last")
    _heard(found, "OdooCronFailing", "firing", found.cron("last"))
    found.lab.finished_cron("last")


def _goes_away(found: Alarmed) -> None:
    wait_until(lambda: found.prometheus.query(f"{OPEN['firing']} == 2"), "both alerts fire")
    before, began = len(found.receiver.notes), time.time()
    found.lab.odoo.stop()
    _heard(found, "OdooDown", "firing", within=200)
    time.sleep(10)
    found.while_dark = found.receiver.notes[before:]
    found.darkness = _least(found, began)
    found.lab.odoo.start()
    _heard(found, "OdooDown", "resolved", within=60)
    time.sleep(15)  # Odoo is read again, rules are judged, groups are told every two seconds
    found.afterwards = found.receiver.notes[before + len(found.while_dark) :]
    found.darkness |= {f"{name}, afterwards": least for name, least in _least(found, began).items()}


OPEN = {
    "firing": 'sum(ALERTS{alertname=~"OdooOutlier|OdooCronFailing",alertstate="firing"})',
    "active": "sum(odoo_anomaly_active)",
}


def _least(found: Alarmed, began: float) -> dict[str, float]:
    """The fewest alerts that fired, and Findings that were open, in any second since then."""
    window = f"[{time.time() - began:.0f}s:1s]"
    asked = {name: f"min_over_time(({query} or vector(0)){window})" for name, query in OPEN.items()}
    return {name: found.prometheus.query(query)[0][1] for name, query in asked.items()}


def test_a_first_start_on_old_failures_notifies_nobody(alarmed: Alarmed) -> None:
    """500 failures, read, and three days of runs of the past: nobody is notified, counters are at zero (111)."""
    assert alarmed.old == OLD_FAILURES
    assert alarmed.at_start == []
    assert alarmed.prometheus.query("sum(odoo_job_errors_total) or vector(0)")[0][1] == 0


@pytest.mark.parametrize(
    ("alert", "action"), [("OdooCronFailing", "fail"), ("OdooCronStuck", "long"), ("OdooCronMissed", "ok")]
)
def test_each_trouble_is_one_notification_and_resolves(alarmed: Alarmed, alert: str, action: str) -> None:
    """Failing, hanging, standing still: one notification each, and one at its end (features 1, 2, 14, 78, 79, 81)."""
    fired = alarmed.receiver.said(alert, "firing", alarmed.cron(action))
    resolved = alarmed.receiver.said(alert, "resolved", alarmed.cron(action))

    assert (len(fired), len(resolved)) == (1, 1)
    assert f"LAB {action}" in fired[0]["commonAnnotations"]["description"]


def test_a_threshold_is_waited_for(alarmed: Alarmed) -> None:
    """Declared as `failures: 2`: one failure tells nobody, the second is one notification with the number (80)."""
    fired = alarmed.receiver.said("OdooCronFailing", "firing", alarmed.cron("crash"))

    assert (len(alarmed.after_one), len(fired)) == (0, 1)
    assert "2 bad runs in a row" in fired[0]["commonAnnotations"]["description"]


def test_a_run_far_out_of_its_band_is_exactly_one_finding(alarmed: Alarmed) -> None:
    """After 100 runs of 2-4 s one of 12 s is one notification naming duration and band (features 9, 44, 112)."""
    fired = alarmed.receiver.said("OdooOutlier", "firing")
    sentence = fired[0]["commonAnnotations"]["description"]
    opened = alarmed.prometheus.query('sum(odoo_anomalies_total{detector=~"outlier.*"})')

    assert [note["groupLabels"]["subject"] for note in fired] == [alarmed.cron("slow")]
    assert OUTLIER.fullmatch(sentence), sentence
    assert [number for _, number in opened] == [1]


def test_the_first_run_that_is_counted_is_an_increase(alarmed: Alarmed) -> None:
    """An action with a past has its counter from the start, so that Prometheus sees its first run grow it (37)."""
    grown = f'increase(odoo_cron_runs_total{{cron="{alarmed.cron("slow")}",result="success"}}[1h])'

    assert [round(number) for _, number in alarmed.prometheus.query(grown)] == [1]


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
    """One OdooDown; the open outlier and the failing action fire on, in every second, and are not told again (R21)."""
    assert _told(alarmed.while_dark) == [("OdooDown", "firing")]
    assert _told(alarmed.afterwards) == [("OdooDown", "resolved")]
    assert alarmed.darkness == dict.fromkeys(
        ("firing", "active", "firing, afterwards", "active, afterwards"), len(("slow", "last"))
    )


def _told(notes: list[Notification]) -> list[tuple[str, str]]:
    """(alert, status) of what people are told."""
    found = [(note["groupLabels"]["alertname"], note["status"]) for note in notes]
    return [(alert, status) for alert, status in found if alert != "OdooOtelWatchdog"]


def test_no_notification_holds_a_secret(alarmed: Alarmed) -> None:
    """The API key is in no notification, nor in what Prometheus keeps of alerts and Findings (R15)."""
    kept = alarmed.prometheus.query('{__name__=~"ALERTS|odoo_finding_info"}')
    said = json.dumps(alarmed.receiver.notes) + json.dumps(kept)

    assert "LAB slow" in said
    assert [key for key in company().keys.values() if key in said] == []
