"""Every query of boards and rules on the real Prometheus shows the numbers that a made-up company caused.

The way is the real one: our exposition, scraped by the Collector with the shipped configuration, sent on to a
Prometheus with the shipped prometheus.yml and rules. The company is written in made_up.py, the numbers in
board_numbers.py; a query without a line there is a failing test.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.telemetry.instruments import INSTRUMENTS
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.state import State
from tests.stack import board_numbers as numbers
from tests.stack.board_numbers import BOARDS, RULES, WINDOW, About, Age, Left, Number, Row
from tests.stack.conftest import CONFIG
from tests.stack.made_up import FACTS, SENTENCE, TRACE, Company
from tests.stack.servers.alertmanager import Alertmanager
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.process import wait_until
from tests.stack.servers.prometheus import Prometheus

SHIPPED = Path(__file__).parents[2] / "dashboards"
STATE: State = {"version": "0.1.0", "store": "", "loops": {}, "sources": [], "signals": []}
OURS = {"odoo_database"}.union(*(instrument.labels for instrument in INSTRUMENTS.values()))
CHOSEN = {"every": ".+", "prod": "prod"}  # what $odoo_database stands for
Answer = Sequence[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The company and the servers at the end of the line."""

    company: Company
    prometheus: Prometheus
    alertmanager: Alertmanager

    def settled(self, query: str, rows: Sequence[Row]) -> list[str]:
        """How the answer to a query differs from the rows of its line; a scrape that was late may have its time."""
        for _ in range(10):
            if not (faults := numbers.faults(rows, self.answer(query), time.time() - self.company.began)):
                break
            time.sleep(1)
        return faults

    def answer(self, query: str) -> Answer:
        """What Prometheus answers, without its own name of the metric."""
        return [(_unnamed(labels), value) for labels, value in self.prometheus.query(query)]


def _unnamed(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != "__name__"}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Our page, Collector, Prometheus and Alertmanager with what is shipped; only addresses and pace differ."""
    folder: Callable[[str], Path] = tmp_path_factory.mktemp
    company = Company()
    page = WebServer(create_app(company.page, lambda: STATE), port=0)
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
        whole = f"max(count_over_time(odoo_up[{WINDOW}s])) > {WINDOW - 2}"
        wait_until(lambda: prometheus.query(whole), "a window full of scrapes", within=WINDOW + 60)
        yield Line(company=company, prometheus=prometheus, alertmanager=alertmanager)


def board_queries() -> dict[str, str]:
    """Every target of every board, named by its panel."""
    return {
        f"{path.stem}: {panel['title']} {target['refId']}": target["expr"]
        for path in sorted((SHIPPED / "grafana").glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", ())
    }


def rule_queries() -> dict[str, str]:
    """Every rule."""
    groups = yaml.safe_load((SHIPPED / "prometheus/odoo-otel.rules.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def substituted(query: str, databases: str = ".+") -> str:
    """A query as Grafana would send it with these databases chosen."""
    for variable, value in {"$__rate_interval": f"{WINDOW}s", "$odoo_database": databases}.items():
        query = query.replace(variable, value)
    assert not re.search(r"\$[a-z_{]", query), "a variable that is not known here"
    return query


def test_every_query_has_its_numbers() -> None:
    """Panels and rules are those of board_numbers.py, none is left out and none is there for nothing."""
    assert (BOARDS.keys(), RULES.keys()) == (board_queries().keys(), rule_queries().keys())


@pytest.mark.parametrize("chosen", CHOSEN)
@pytest.mark.parametrize("name", board_queries())
def test_every_query_of_a_board_shows_its_numbers(line: Line, name: str, chosen: str) -> None:
    """Rows and values as they were caused, for all databases and for one (features 17, 37-42, 85, 103)."""
    rows: Sequence[Row] = getattr(BOARDS[name], chosen)
    assert line.settled(substituted(board_queries()[name], CHOSEN[chosen]), rows) == []


@pytest.mark.parametrize("name", rule_queries())
def test_every_rule_shows_its_numbers(line: Line, name: str) -> None:
    """What is to alert, with the value it has, and nothing else (feature 103)."""
    assert line.settled(rule_queries()[name], RULES[name]) == []


@pytest.mark.parametrize("name", [*BOARDS, *RULES])
def test_a_wrong_number_is_found_out(line: Line, name: str) -> None:
    """Any number a tenth off, a row too many or too few, is a fault: these tests can fail."""
    rows = BOARDS[name].every if name in BOARDS else RULES[name]
    answer = line.answer(substituted(board_queries().get(name) or rule_queries()[name]))
    age = time.time() - line.company.began
    assert numbers.faults([*rows, ({"odoo_database": "nowhere"}, 1)], answer, age)
    for place, (labels, number) in enumerate(rows):
        others = [*rows[:place], *rows[place + 1 :]]
        assert numbers.faults(others, answer, age)
        assert numbers.faults([*others, (labels, wrong(number))], answer, age)


def wrong(number: Number) -> Number:
    """A number a little off."""
    match number:
        case About(value):
            return About(value * 1.15)
        case Age(before):
            return Age(before + 8)
        case Left(after):
            return Left(after + 8)
        case value:
            return value * 1.1 + 0.01


def test_every_rule_is_evaluated_without_fault(line: Line) -> None:
    """Prometheus calls each shipped rule healthy, its templates too."""

    def judged() -> list[dict[str, Any]]:
        groups = line.prometheus.api("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    found = wait_until(judged, "every rule evaluated")
    assert len(found) == len(rule_queries())
    assert {rule["name"]: rule.get("lastError", "") for rule in found if rule["health"] != "ok"} == {}


def test_names_survive_the_collector(line: Line) -> None:
    """Every series stands in Prometheus once, under its own name and labels, infos and their sentences included."""
    for name, instrument in INSTRUMENTS.items():
        answer = line.answer(name + ("_count" if instrument.kind == "histogram" else ""))
        kept = [sorted(one for one in labels.items() if one[0] in OURS) for labels, _ in answer]
        assert sorted(kept) == sorted(sorted(fact.shown.items()) for fact in FACTS if fact.name == name), name


def test_a_finding_reaches_alertmanager_with_sentence_and_link(line: Line) -> None:
    """One alert, identity in its labels, sentence and trace in its annotations, no address as a label (promise R21)."""

    def outliers() -> list[dict[str, Any]]:
        return [found for found in line.alertmanager.alerts() if found["labels"]["alertname"] == "OdooOutlier"]

    alerts = wait_until(outliers, "the alerts in Alertmanager")
    (alert,) = (one for one in alerts if one["labels"]["odoo_database"] == "prod")
    identity = {"detector": "outlier.duration", "severity": "warning", "subject": "base.vacuum"}
    assert alert["labels"] == {"alertname": "OdooOutlier", "odoo_database": "prod", **identity}
    assert alert["annotations"]["description"] == f"Vacuum in prod: {SENTENCE}"
    assert alert["annotations"]["trace_url"].endswith(f"/trace/{TRACE}")


def test_exemplars_of_durations_are_kept(line: Line) -> None:
    """The panels with exemplars get them, each with its trace (feature 75)."""
    boards = [json.loads(path.read_text()) for path in (SHIPPED / "grafana").glob("*.json")]
    panels = [panel for board in boards for panel in board["panels"]]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ()) if target.get("exemplar")]
    now = time.time()
    assert asked
    for query in asked:
        found = line.prometheus.exemplars(substituted(query), now - 60, now)
        assert {one["labels"]["trace_id"] for series in found for one in series["exemplars"]} == {TRACE}, query
