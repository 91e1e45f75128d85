"""What is shipped for Prometheus, Alertmanager, Grafana and Docker is linted; tests/stack runs it on real servers."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import load
from exporter.domain.runs import BAD
from exporter.telemetry.instruments import DATABASE_LABEL, INSTRUMENTS

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "dashboards"
BOARDS = sorted((SHIPPED / "grafana").glob("*.json"))
RULES = SHIPPED / "prometheus/odoo-otel.rules.yml"
EXPORTER = SHIPPED / "compose/odoo-otel.yaml"
OF_PROMETHEUS = {"job", "instance", "le"}
SEVERITIES = {"critical", "warning", "info"}
BY_FINDING = (
    "OdooWebhookMissing",
    "OdooIntegrationSlow",
    "OdooExpectationAbsent",
    "OdooRecordDuplicate",
)  # as severe as their Finding
ENVIRON = {
    "ODOO_URL": "http://odoo:8069",
    "ODOO_DB": "odoo",
    "ODOO_USER": "otel",
    "ODOO_OTEL_ENVIRONMENT": "production",
}


def board(path: Path) -> dict[str, Any]:
    """A board as Grafana reads it."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels(path: Path) -> list[dict[str, Any]]:
    """The panels of a board that show something."""
    return [panel for panel in board(path)["panels"] if panel["type"] != "row"]


def queries(path: Path) -> list[str]:
    """Every expression of a board."""
    return [target["expr"] for panel in panels(path) for target in panel["targets"]]


def rules() -> list[dict[str, Any]]:
    """Every alert rule."""
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def compose() -> dict[str, Any]:
    """docker-compose.yml, its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def texts() -> Iterator[str]:
    """Everything that names metrics."""
    yield from (query for path in BOARDS for query in queries(path))
    for rule in rules():
        yield rule["expr"]
        yield from rule["annotations"].values()


def samples() -> dict[str, set[str]]:
    """Every name a sample of ours may have, with its labels."""
    found = {}
    for name, instrument in INSTRUMENTS.items():
        endings = ("_bucket", "_sum", "_count") if instrument.kind == "histogram" else ("",)
        scope = {DATABASE_LABEL} if instrument.scope == "tenant" else set()
        found.update({name + ending: {*instrument.labels, *scope, *OF_PROMETHEUS} for ending in endings})
    return found


def mounts() -> list[str]:
    """The files of this repository that docker-compose.yml mounts."""
    volumes = [volume for service in compose()["services"].values() for volume in service.get("volumes", ())]
    return [volume.split(":")[0].removeprefix("./") for volume in volumes if volume.startswith("./")]


def test_every_metric_that_is_asked_for_exists() -> None:
    """A board or rule names only metrics of the table, and selects them only by labels they have (feature 103)."""
    known = samples()
    for text in texts():
        names = set(re.findall(r"\bodoo_[a-z0-9_]+", text)) - {DATABASE_LABEL}
        assert names <= set(known), text
        for name, selector in re.findall(r"\b(odoo_[a-z0-9_]+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector))) <= known[name], text


def test_every_rule_is_whole() -> None:
    """Name, severity, a static summary, a description, a page and a board: what a mixin must have."""
    for rule in rules():
        annotations, name = rule["annotations"], rule["alert"]
        assert re.fullmatch(r"Odoo([A-Z][a-z]+)+", name)
        assert rule["labels"].keys() == {"severity"}
        own = {"OdooOtelWatchdog": {"none"}, **{alert: {"{{ $labels.severity }}"} for alert in BY_FINDING}}
        assert rule["labels"]["severity"] in own.get(name, SEVERITIES)
        assert re.fullmatch(r"[^{}]+\.", annotations["summary"])
        assert annotations["description"]
        assert annotations["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
        assert {re.sub(r".*/d/|\?.*", "", annotations["dashboard_url"])} <= {board(path)["uid"] for path in BOARDS}


def test_labels_of_alerts_are_identity() -> None:
    """No alert carries a sentence, a trace, a job or an instance as a label: its identity would change with them."""
    allowed = {DATABASE_LABEL, "detector", "subject", "severity", "signal", "channel"}
    for rule in rules():
        assert re.match(r"max|sum|vector", rule["expr"]), "aggregated, so that job and instance are gone"
        for kept in re.findall(r"\bby \(([^)]*)\)", rule["expr"]):
            assert set(kept.split(", ")) <= allowed


def test_lateness_is_read_from_findings() -> None:
    """No rule compares the clock with what Odoo planned: it would fire while Odoo is dark (decision 22)."""
    assert [rule["alert"] for rule in rules() if "odoo_cron_" in rule["expr"]] == []


def test_every_rule_is_tested() -> None:
    """The promtool tests name each rule."""
    tested = (SHIPPED / "prometheus/odoo-otel.rules.test.yml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules() if f'alertname="{rule["alert"]}"' not in tested] == []


def test_every_alert_has_its_page() -> None:
    """docs/runbooks.md has a section for each alert, and none for what is no alert."""
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(rule["alert"] for rule in rules())


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_board_is_linted(path: Path) -> None:
    """Not editable, one choice of data source and many databases, all of which `.+` matches."""
    found = board(path)
    variables = {one["name"]: one for one in found["templating"]["list"]}
    assert (found["editable"], variables["datasource"]["query"]) == (False, "prometheus")
    assert {key: variables[DATABASE_LABEL][key] for key in ("multi", "includeAll", "allValue")} == {
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
    }
    ids = [panel["id"] for panel in found["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_explain_themselves(path: Path) -> None:
    """Each has a title of its own, a description, a unit and the chosen data source."""
    titles = [panel["title"] for panel in panels(path)]
    assert len(titles) == len(set(titles))
    for panel in panels(path):
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert {one["datasource"]["uid"] for one in (panel, *panel["targets"])} == {"${datasource}"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_queries_keep_to_the_chosen_databases(path: Path) -> None:
    """Whatever is a database's is selected by the variable; rates take the interval that fits the scrape."""
    for query in queries(path):
        for name, selector in re.findall(r"\b(odoo_[a-z0-9_]+)\b(?!\")(?:\{([^}]*)\})?", query):
            if name != DATABASE_LABEL and DATABASE_LABEL in samples()[name]:
                assert f'{DATABASE_LABEL}=~"${DATABASE_LABEL}"' in selector, query
        assert set(re.findall(r"\[(.*?)\]", query)) <= {"$__rate_interval", "24h"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_failures_are_what_the_fold_calls_failures(path: Path) -> None:
    """A share of failures counts the results that make a span an error, and no other."""
    named = [found for query in queries(path) for found in re.findall(r'result=~"([^"]*)"', query)]
    assert {frozenset(found.split("|")) for found in named} == {BAD}


def test_exemplars_lead_to_traces() -> None:
    """Grafana turns the label `trace_id` of an exemplar into a link to Jaeger (feature 75)."""
    sources = yaml.safe_load((SHIPPED / "grafana/provisioning/datasources/odoo-otel.yaml").read_text(encoding="utf-8"))
    by_name = {source["name"]: source for source in sources["datasources"]}
    destinations = by_name["Prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destinations == [{"name": "trace_id", "datasourceUid": by_name["Jaeger"]["uid"]}]


def test_images_are_pinned() -> None:
    """Every image has a version, and none of them is `latest`."""
    for service in compose()["services"].values():
        assert re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", service["image"])


def test_ports_are_published_on_loopback() -> None:
    """Nothing that is published can be reached from another machine."""
    published = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_mounted_files_exist() -> None:
    """Docker would make a folder in place of a file that is not there."""
    assert [path for path in mounts() if not (ROOT / path).exists()] == []


def test_secrets_are_files_that_nothing_else_sees() -> None:
    """No password stands in the environment; neither git nor an image takes the folder of the secrets (promise R15)."""
    for service in compose()["services"].values():
        environment: Mapping[str, str] = service.get("environment", {})
        secret = [key for key in environment if re.search(r"PASSWORD|KEY|TOKEN|SECRET", key)]
        assert [key for key in secret if not str(environment[key]).startswith("/run/secrets/")] == []
    assert "secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()[1] == "*"


def test_the_exporter_of_compose_is_configured(tmp_path: Path) -> None:
    """The mounted configuration is one the exporter takes, with what docker-compose.yml gives it."""
    (tmp_path / "odoo_api_key").write_text("key\n")
    (tmp_path / "odoo-otel.yaml").write_text(EXPORTER.read_text(encoding="utf-8").replace("/run/secrets/", ""))
    assert set(ENVIRON) <= set(compose()["services"]["odoo-otel"]["environment"])
    config = load(tmp_path / "odoo-otel.yaml", ENVIRON)
    assert (config.skipped, config.detectors, config.listen_host) == ((), False, "0.0.0.0")


def test_the_image_runs_without_rights() -> None:
    """Two stages from a pinned base, packages by hash, a user of its own, a health check that asks /readyz."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^FROM (\S+)", lines, re.MULTILINE) == ["python:3.11-slim-bookworm"] * 2
    assert "--require-hashes" in lines
    assert re.search(r"^USER odoo-otel$", lines, re.MULTILINE)
    assert re.search(r"HEALTHCHECK [^\n]*\\\n.*/readyz", lines)
