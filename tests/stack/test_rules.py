"""The files of dashboards/, otel-collector.yaml and docker-compose.yml, judged by the programs that read them."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stack.alarms import Receiver, notifying, templates
from tests.stack.conftest import CONFIG
from tests.stack.installs import golang
from tests.stack.servers.alertmanager import Alertmanager, amtool
from tests.stack.servers.collector import Collector, Targets, validate
from tests.stack.servers.process import HOST, Launch, Server, answers, free_port, wait_until
from tests.stack.servers.prometheus import Prometheus, promtool, run_tool
from tests.stack.test_servers import TRACE, post_span

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "dashboards"
PROMETHEUS = SHIPPED / "prometheus"
COMPOSE_COLLECTOR = {"OTLP_HTTP_ENDPOINT": "0.0.0.0:4318", "JAEGER_OTLP_ENDPOINT": "jaeger:4317"}


def compose(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The real docker compose on docker-compose.yml, with nothing of this machine's environment."""
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    return run_tool(golang.COMPOSE.place / "docker-compose", *words, cwd=ROOT, env=env)


def resolved(folder: Path, *words: str | Path) -> dict[str, Any]:
    """What compose makes of it."""
    result = compose(folder, *words, "config", "--format", "json")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_rules_and_configuration_are_valid() -> None:
    """Promtool finds no fault in the rules and in prometheus.yml that loads them."""
    for words in (("check", "rules", "odoo-otel.rules.yml"), ("check", "config", "prometheus.yml")):
        result = promtool(*words, cwd=PROMETHEUS)
        assert result.returncode == 0, result.stdout + result.stderr


def test_rules_do_what_their_tests_say() -> None:
    """Every rule fires, stays quiet and resolves; Odoo dark or exporter away changes nothing (42, 78-81, 113)."""
    result = promtool("test", "rules", "odoo-otel.rules.test.yml", cwd=PROMETHEUS)
    assert result.returncode == 0, result.stdout + result.stderr


def test_rule_tests_can_fail(tmp_path: Path) -> None:
    """Findings read without their last hour are found out: a restart of the exporter would resolve and fire again."""
    for file in PROMETHEUS.glob("*.yml"):
        (tmp_path / file.name).write_text(file.read_text())
    careless = re.sub(
        r"last_over_time\((odoo_anomaly_active\{.*?\})\[1h\]\)",
        r"\1",
        PROMETHEUS.joinpath("odoo-otel.rules.yml").read_text(),
    )
    (tmp_path / "odoo-otel.rules.yml").write_text(careless)
    assert promtool("check", "rules", "odoo-otel.rules.yml", cwd=tmp_path).returncode == 0
    assert promtool("test", "rules", "odoo-otel.rules.test.yml", cwd=tmp_path).returncode == 1


def test_alertmanager_is_valid() -> None:
    """Amtool finds no fault in alertmanager.yml and its template."""
    result = amtool("check-config", SHIPPED / "alertmanager/alertmanager.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 templates" in result.stdout


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [("alertname=OdooOtelWatchdog", "watchdog"), ("alertname=OdooDown", "people"), ("alertname=Other", "people")],
)
def test_alerts_are_routed(labels: str, receiver: str) -> None:
    """The dead man has a way of its own, everything else goes to people."""
    routed = amtool("config", "routes", "test", f"--config.file={SHIPPED / 'alertmanager/alertmanager.yml'}", labels)
    assert routed.stdout.strip() == receiver


def test_texts_have_title_sentence_and_links(tmp_path: Path) -> None:
    """The templates say what is open, of which database, and where to click."""
    annotations = {
        "description": "It took 12 s.",
        "trace_url": "http://jaeger/trace/1",
        "dashboard_url": "http://grafana/d",
    }
    alert = {"status": "firing", "labels": {"alertname": "OdooOutlier"}, "annotations": annotations}
    common = {"alertname": "OdooOutlier", "subject": "base.vacuum", "odoo_database": "prod"}
    data = {"status": "firing", "commonLabels": common, "alerts": [alert], "receiver": "people", "groupLabels": {}}
    (tmp_path / "data.json").write_text(json.dumps(data))
    glob = f"--template.glob={SHIPPED / 'alertmanager/odoo-otel.tmpl'}"
    text = '--template.text={{ template "odoo.title" . }}|{{ template "odoo.text" . }}'
    shown = amtool("template", "render", glob, f"--template.data={tmp_path / 'data.json'}", text)
    assert shown.stdout.startswith(
        "[firing] OdooOutlier base.vacuum (prod)|It took 12 s.\nTrace: http://jaeger/trace/1\n"
    )


def alert(name: str, severity: str, database: str = "prod", subject: str = "") -> dict[str, Any]:
    """An alert as Prometheus posts it."""
    labels = {"alertname": name, "severity": severity, "odoo_database": database, "subject": subject}
    ends = datetime.now(UTC) + timedelta(minutes=5)
    return {"labels": {key: value for key, value in labels.items() if value}, "endsAt": ends.isoformat()}


def held_back(server: Alertmanager, *alerts: dict[str, Any]) -> set[str]:
    """The names of those alerts that nobody is told, once all were taken in."""
    requests.post(f"{server.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()
    wait_until(lambda: len(found := server.alerts()) == len(alerts) and _settled(found), "every alert judged")
    return {found["labels"]["alertname"] for found in server.alerts() if found["status"]["inhibitedBy"]}


def _settled(found: list[dict[str, Any]]) -> bool:
    return all(one["status"]["state"] != "unprocessed" for one in found)


@pytest.fixture
def shipped(folder: Path) -> Iterator[Alertmanager]:
    """An Alertmanager with the shipped files; its receiver does not answer."""
    (folder / "url").write_text(f"http://{HOST}:{free_port()}/")
    config = (
        (SHIPPED / "alertmanager/alertmanager.yml")
        .read_text()
        .replace("/run/secrets/alert_webhook_url", str(folder / "url"))
    )
    (folder / "odoo-otel.tmpl").write_text((SHIPPED / "alertmanager/odoo-otel.tmpl").read_text())
    config = config.replace("group_wait: 15s", "group_wait: 1s")
    with Alertmanager(folder, config) as server:
        yield server


def test_a_dark_odoo_is_one_alert(shipped: Alertmanager) -> None:
    """OdooDown holds back everything else of its database, and nothing of another or of ourselves (promise R21)."""
    held = held_back(
        shipped,
        alert("OdooDown", "critical"),
        alert("OdooCronMissed", "critical", subject="a"),
        alert("OdooOutlier", "warning", subject="b"),
        alert("OdooDetectorsSilent", "warning"),
        alert("OdooCronFailing", "warning", database="other", subject="a"),
        alert("OdooOtelOutboxGrowing", "warning", database=""),
    )
    assert held == {"OdooCronMissed", "OdooOutlier", "OdooDetectorsSilent"}


def test_the_worse_speaks_for_its_subject(shipped: Alertmanager) -> None:
    """Critical holds back the lesser of its subject only; a silent scheduler holds back all lateness (feature 113)."""
    held = held_back(
        shipped,
        alert("OdooCronStuck", "critical", subject="a"),
        alert("OdooOutlier", "warning", subject="a"),
        alert("OdooCronFailing", "warning", subject="b"),
        alert("OdooSchedulerSilent", "critical", subject="scheduler"),
        alert("OdooCronMissed", "critical", subject="c"),
        alert("OdooCronLate", "info", subject="d"),
        alert("OdooOtelQuarantined", "warning"),
    )
    assert held == {"OdooOutlier", "OdooCronMissed", "OdooCronLate"}


def test_in_maintenance_nobody_is_told_and_afterwards_of_what_lasts(folder: Path) -> None:
    """The shipped interval, filled in, mutes people and not the dead man; emptied, it tells (feature 83)."""
    receiver = Receiver()
    (folder / "url").write_text(receiver.start())
    shipped = notifying(folder / "url")
    always = 'time_intervals:\n      - times: [{start_time: "00:00", end_time: "24:00"}]'
    with Alertmanager(templates(folder / "alertmanager"), shipped.replace("time_intervals: []", always)) as server:
        assert always in server.config.read_text()
        alerts = [alert("OdooCronFailing", "warning", subject="a"), alert("OdooOtelWatchdog", "none", database="")]
        requests.post(f"{server.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()
        wait_until(lambda: _muted(server) == {"OdooCronFailing": ["maintenance"], "OdooOtelWatchdog": []}, "muted")
        assert receiver.notes == []
        server.reload(shipped)
        wait_until(lambda: receiver.said("OdooCronFailing", "firing", "a"), "told")
    assert len(receiver.notes) == 1


def _muted(server: Alertmanager) -> dict[str, list[str]]:
    groups = requests.get(f"{server.url}/api/v2/alerts/groups", timeout=10).json()
    return {one["labels"]["alertname"]: one["status"]["mutedBy"] for group in groups for one in group["alerts"]}


def test_the_servers_of_compose_are_started_as_here(folder: Path) -> None:
    """Every flag of Prometheus and Alertmanager that is not a place is the one of docker-compose.yml."""
    services = resolved(folder)["services"]
    for name, server in (
        ("prometheus", Prometheus(folder / "prometheus")),
        ("alertmanager", Alertmanager(folder / "alertmanager")),
    ):
        flags = {str(word) for word in server.launch().command[1:]}
        ours = {flag for flag in flags if not re.match(r"--(config\.file|storage|web\.(listen|enable-life))", flag)}
        assert ours
        assert ours <= set(services[name]["command"])


def test_the_collector_of_compose_is_valid(tmp_path: Path) -> None:
    """`otelcol validate` takes otel-collector.yaml with the addresses that docker-compose.yml gives it."""
    given = resolved(tmp_path)["services"]["otel-collector"]["environment"]
    assert COMPOSE_COLLECTOR.items() <= given.items()
    result = validate(CONFIG, tmp_path, given)
    assert result.returncode == 0, result.stderr


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    """The real docker compose finds no fault, without any setting, and every variable has a default."""
    result = compose(tmp_path, "config", "--quiet")
    assert (result.returncode, result.stderr) == (0, "")


def test_compose_takes_the_settings_of_a_user(tmp_path: Path) -> None:
    """The example of an env file changes what it says it changes."""
    found = resolved(tmp_path, "--env-file", SHIPPED / "compose/env.example")
    assert found["services"]["odoo-otel"]["environment"]["ODOO_OTEL_ENVIRONMENT"] == "staging"
    assert found["services"]["prometheus"]["environment"]["GRAFANA_URL"] == "https://grafana.example.com"


def test_compose_starts_in_order(tmp_path: Path) -> None:
    """Whoever needs another waits until it is healthy; the detectors share the exporter's network."""
    services = resolved(tmp_path)["services"]
    waits = {
        (name, other): how["condition"]
        for name, one in services.items()
        for other, how in one.get("depends_on", {}).items()
    }
    assert waits["odoo", "postgres"] == waits["detectors", "odoo-otel"] == "service_healthy"
    assert waits["otel-collector", "prometheus"] == waits["otel-collector", "jaeger"] == "service_healthy"
    assert services["detectors"]["network_mode"] == "service:odoo-otel"
    healthy = {other for (_, other), condition in waits.items() if condition == "service_healthy"}
    assert {name for name in healthy if "healthcheck" not in services[name]} == {"odoo-otel"}, "its image has one"


class ShippedJaeger(Server):
    """Jaeger with dashboards/jaeger/jaeger.yaml, on ports and a folder of the test's own."""

    name = "jaeger"

    def __init__(self, folder: Path) -> None:
        """Pick the ports."""
        super().__init__(folder)
        self.health, self.query, self.grpc, self.otlp = (free_port() for _ in range(4))

    def launch(self) -> Launch:
        """As docker-compose.yml starts it."""
        env = {
            "JAEGER_HEALTH_ENDPOINT": f"{HOST}:{self.health}",
            "JAEGER_QUERY_ENDPOINT": f"{HOST}:{self.query}",
            "JAEGER_QUERY_GRPC_ENDPOINT": f"{HOST}:{self.grpc}",
            "JAEGER_OTLP_ENDPOINT": f"{HOST}:{self.otlp}",
            "JAEGER_STORAGE": str(self.folder / "badger"),
            "OTEL_TRACES_SAMPLER": "always_off",
        }
        config = SHIPPED / "jaeger/jaeger.yaml"
        return Launch(command=(golang.JAEGER.place / "jaeger", "--config", config), env=env, cwd=self.folder)

    def ready(self) -> bool:
        """Whether the address of compose's health check answers, and the API."""
        return answers(self.health, "/status") and answers(self.query, "/api/services")

    def knows(self, trace: str) -> bool:
        """Whether it has the trace."""
        return answers(self.query, f"/api/traces/{trace}")


def test_jaeger_of_compose_keeps_traces(folder: Path) -> None:
    """The shipped Jaeger takes spans from the Collector and still has them after a restart."""
    with ShippedJaeger(folder / "jaeger") as jaeger:
        with Collector(folder / "collector", CONFIG, Targets(jaeger=f"{HOST}:{jaeger.otlp}")) as collector:
            post_span(collector.url, "probe-compose")
            wait_until(lambda: jaeger.knows(TRACE), "the trace")
        jaeger.restart()
        assert jaeger.knows(TRACE)
