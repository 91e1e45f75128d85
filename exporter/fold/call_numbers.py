"""The numbers that calls between systems say: deliveries, webhooks of Odoo's own, and those it should have sent."""

from datetime import datetime

from exporter.domain.runs import Run
from exporter.domain.times import SECOND
from exporter.domain.told import Exemplar, Measurement

NONE = "none"  # a label that has no value: Prometheus drops empty ones


def delivery(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """What it told, how late it was, and which fields it lacked."""
    at, attributes = _at(run), dict(run.attributes)
    hook = ("hook", run.workflow)
    kind = ("kind", str(attributes.get("odoo.delivery.kind", NONE)))
    labels = (hook, kind, ("result", run.result or "unknown"))
    found = [Measurement(name="odoo_deliveries_total", labels=labels, value=1, at=at, exemplar=exemplar)]
    latency = attributes.get("odoo.delivery.latency", 0.0)
    found.append(
        Measurement(
            name="odoo_delivery_latency_seconds",
            labels=(hook,),
            value=round(float(latency) * SECOND),
            at=at,
            exemplar=exemplar,
        )
    )
    found += slow(run, f"hook/{run.workflow}")
    for field in str(attributes.get("odoo.delivery.drift", "")).split(", "):
        if field:
            place = (hook, ("field", field))
            found.append(Measurement(name="odoo_delivery_schema_drift_total", labels=place, value=1, at=at))
    return found


def slow(run: Run, integration: str) -> list[Measurement]:
    """That it took longer than is tolerated, by how critical that is."""
    attributes = dict(run.attributes)
    if not attributes.get("odoo.integration.slow"):
        return []
    labels = (("integration", integration), ("criticality", str(attributes["odoo.integration.criticality"])))
    return [Measurement(name="odoo_integration_slow_total", labels=labels, value=1, at=_at(run))]


def expectation(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """That something followed what it had to follow, or stayed away."""
    attributes = dict(run.attributes)
    labels = (
        ("expectation", run.workflow),
        ("criticality", str(attributes["odoo.integration.criticality"])),
        ("outcome", str(attributes["odoo.expectation.outcome"])),
    )
    return [Measurement(name="odoo_expectations_total", labels=labels, value=1, at=_at(run), exemplar=exemplar)]


def double(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """One more record that shares the key of another."""
    labels = (("model", run.workflow),)
    return [Measurement(name="odoo_record_duplicates_total", labels=labels, value=1, at=_at(run), exemplar=exemplar)]


def call(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """One more, by host and result."""
    host = str(dict(run.attributes).get("server.address", NONE))
    labels = (("direction", run.workflow), ("host", host), ("result", run.result or "unknown"))
    return [Measurement(name="odoo_webhook_calls_total", labels=labels, value=1, at=_at(run), exemplar=exemplar)]


def inbound(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """By rule, where its log or its failure names one."""
    rule = str(dict(run.attributes).get("odoo.automation.rule.id", NONE))
    labels = (("rule", rule), ("result", run.result or "unknown"))
    counted = Measurement(name="odoo_webhook_received_total", labels=labels, value=1, at=_at(run), exemplar=exemplar)
    return [*call(run, exemplar), counted]


def send(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """How far a webhook got, by rule; one that got all the way is missing nowhere."""
    said, rule, at = dict(run.attributes), (("rule", run.workflow),), _at(run)
    found = [
        Measurement(name=f"odoo_sends_{stage}_total", labels=rule, value=1, at=at, exemplar=exemplar)
        for stage in ("expected", "received", "executed")
        if said[f"odoo.send.{stage}"]
    ]
    outcome = str(said["odoo.send.outcome"])
    if outcome != "complete":
        labels = (*rule, ("outcome", outcome))
        found.append(Measurement(name="odoo_sends_missing_total", labels=labels, value=1, at=at, exemplar=exemplar))
    return found


def _at(run: Run) -> datetime:
    return run.ended_at or run.started_at
