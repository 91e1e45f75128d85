"""Every query of boards and rules on the real Prometheus, fed with one made-up series of each instrument of ours.

The way is the real one: our exposition, scraped by the Collector with the shipped configuration, sent on to a
Prometheus with the shipped prometheus.yml and rules.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.domain.times import SECOND, micros
from exporter.domain.told import Measurement
from exporter.telemetry.exposition import openmetrics
from exporter.telemetry.instruments import INSTRUMENTS, Instrument
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import Series
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.state import State
from tests.stack.conftest import CONFIG
from tests.stack.servers.alertmanager import Alertmanager
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.process import wait_until
from tests.stack.servers.prometheus import Prometheus

SHIPPED = Path(__file__).parents[2] / "dashboards"
STATE: State = {"version": "0.1.0", "store": "", "loops": {}, "sources": [], "signals": []}
SENTENCE = 'Vacuum took "12 s", 4 times as long as ever.'
TRACE = "0af7651916cd43dd8448eb211c80319c"
VALUES = {
    "detector": "outlier.duration",
    "severity": "warning",
    "subject": "base.vacuum",
    "trace_id": TRACE,
    "sentence": SENTENCE,
    "name": "Vacuum",
    "outcome": "accepted",
    "signal": "traces",
    "result": "failure",
}
SUBSTITUTES = {"$__rate_interval": "1m", "$odoo_database": ".+"}


def told(found: Instrument, at: datetime, scrape: int) -> Measurement:
    """A measurement of the instrument: a minute old, 1, three of a kind at each scrape."""
    value = 3 * scrape
    if found.name.endswith("timestamp_seconds"):
        value = micros(at) - 60 * SECOND
    elif found.kind == "info" or found.name in {"odoo_up", "odoo_source_success", "odoo_anomaly_active"}:
        value = 1
    elif found.kind == "histogram":
        value = 3 * SECOND
    labels = tuple(
        (label, VALUES.get(label) or found.known.get(label, (f"some {label}",))[0]) for label in found.labels
    )
    return Measurement(name=found.name, labels=labels, value=value, at=at)


def grown(found: list[Instrument], at: datetime, scrape: int) -> list[Series]:
    """The totals after so many scrapes, a measurement of each histogram a scrape."""
    totals = Totals()
    for number in range(scrape):
        totals.add([told(one, at, 1) for one in found if one.kind == "histogram" and number])
    totals.add([told(one, at, scrape) for one in found])
    return totals.series()


scrapes = count(1)


def exposition(_: bool) -> bytes:  # noqa: FBT001 web.app's Render
    """All instruments, as /metrics shows them; counters and histograms grow from scrape to scrape."""
    at, scrape = datetime.now(UTC), next(scrapes)
    scopes = {"tenant": (("odoo_database", "prod"),), "process": ()}
    groups = [
        (labels, grown([one for one in INSTRUMENTS.values() if one.scope == scope], at, scrape))
        for scope, labels in scopes.items()
    ]
    return openmetrics(groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The servers at the end of the line."""

    prometheus: Prometheus
    alertmanager: Alertmanager


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Our page, Collector, Prometheus and Alertmanager with what is shipped; only addresses and pace differ."""
    folder: Callable[[str], Path] = tmp_path_factory.mktemp
    page = WebServer(create_app(exposition, lambda: STATE), port=0)
    page.start()
    with ExitStack() as running:
        running.callback(page.stop)
        alertmanager = running.enter_context(Alertmanager(folder("alertmanager")))
        place = folder("prometheus")
        (place / "odoo-otel.rules.yml").write_text((SHIPPED / "prometheus/odoo-otel.rules.yml").read_text())
        config = (SHIPPED / "prometheus/prometheus.yml").read_text()
        config = config.replace("alertmanager:9093", f"127.0.0.1:{alertmanager.port}").replace(": 15s", ": 1s")
        prometheus = running.enter_context(Prometheus(place, config))
        targets = Targets(prometheus=prometheus.otlp, exporter=f"127.0.0.1:{page.port}")
        running.enter_context(Collector(folder("otelcol"), CONFIG, targets, COLLECTOR_SCRAPE_INTERVAL="1s"))
        wait_until(lambda: prometheus.query("count_over_time(odoo_up[1m]) > 2"), "three scrapes in Prometheus")
        yield Line(prometheus=prometheus, alertmanager=alertmanager)


def board_queries() -> Iterator[Any]:
    """Every target of every board, named by its panel."""
    for path in sorted((SHIPPED / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['refId']}")


def rule_queries() -> Iterator[Any]:
    """Every rule."""
    for group in yaml.safe_load((SHIPPED / "prometheus/odoo-otel.rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield pytest.param(rule["expr"], id=rule["alert"])


def substituted(query: str) -> str:
    """A query as Grafana would send it with all databases chosen."""
    for variable, value in SUBSTITUTES.items():
        query = query.replace(variable, value)
    assert "$" not in query
    return query


@pytest.mark.parametrize("query", list(board_queries()))
def test_every_query_of_a_board_shows_something(line: Line, query: str) -> None:
    """Where the exporter has measured something, no panel is empty and no query is refused (feature 103)."""
    found = wait_until(lambda: line.prometheus.query(substituted(query)), query)
    assert all(value == value for _, value in found), "not a number"  # noqa: PLR0124 NaN differs from itself


@pytest.mark.parametrize("query", list(rule_queries()))
def test_every_query_of_a_rule_is_understood(line: Line, query: str) -> None:
    """Prometheus evaluates each rule without a fault and without a double."""
    line.prometheus.query(query)


def test_every_rule_is_evaluated_without_fault(line: Line) -> None:
    """Prometheus calls each shipped rule healthy, its templates too."""

    def judged() -> list[dict[str, Any]]:
        groups = line.prometheus.api("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    found = wait_until(judged, "every rule evaluated")
    assert len(found) == len(list(rule_queries()))
    assert {rule["name"]: rule.get("lastError", "") for rule in found if rule["health"] != "ok"} == {}


def test_names_survive_the_collector(line: Line) -> None:
    """Every instrument stands in Prometheus once and under its own name, infos and their sentences included."""
    for name, instrument in INSTRUMENTS.items():
        shown = name + ("_count" if instrument.kind == "histogram" else "")
        series = {frozenset(labels.items()) for labels, _ in line.prometheus.query(shown)}
        known = instrument.known.get(instrument.labels[-1], ()) if instrument.labels else ()
        assert 1 <= len(series) <= max(1, len(known)), name
    ((labels, _),) = line.prometheus.query("odoo_finding_info")
    assert (labels["sentence"], labels["trace_id"]) == (SENTENCE, TRACE)


def test_a_finding_reaches_alertmanager_with_sentence_and_link(line: Line) -> None:
    """One alert, identity in its labels, sentence and trace in its annotations, no address as a label (promise R21)."""

    def outliers() -> list[dict[str, Any]]:
        return [found for found in line.alertmanager.alerts() if found["labels"]["alertname"] == "OdooOutlier"]

    (alert,) = wait_until(outliers, "the alert in Alertmanager")
    identity = {key: VALUES[key] for key in ("detector", "severity", "subject")}
    assert alert["labels"] == {"alertname": "OdooOutlier", "odoo_database": "prod", **identity}
    assert alert["annotations"]["description"] == f"Vacuum in prod: {SENTENCE}"
    assert alert["annotations"]["trace_url"].endswith(f"/trace/{TRACE}")


def test_exemplars_of_durations_are_kept(line: Line) -> None:
    """The panels with exemplars ask for series whose names are those of histograms."""
    board = json.loads((SHIPPED / "grafana/overview.json").read_text())
    asked = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", ()) if target.get("exemplar")
    ]
    now = time.time()
    assert asked
    for query in asked:
        (name,) = re.findall(r"\b(odoo_\w+)_bucket", query)
        assert INSTRUMENTS[name].kind == "histogram"
        line.prometheus.exemplars(substituted(query), now - 60, now)
