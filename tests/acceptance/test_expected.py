"""What a running service says of what did not happen, or not in time: absent, too slow, a customer who was not told."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.test_hooks import SECRET, roots, send, stripe
from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import ROOT, Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer

SETTINGS = {
    "hooks": {"stripe": {"scheme": "stripe", "secrets": "${env:STRIPE_SECRET}", "latency_tolerance": 0.001}},
    "expect": {
        "charged": {
            "after": "hook:stripe=invoice.payment_failed",
            "then": "record:purchase.order=cancel",
            "within": 3,
            "criticality": "critical",
        }
    },
}


@pytest.fixture
def line(odoo: LiveOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Exporter, FakeCollector]]:
    """The service with a hook, and what has to follow it, between a fake Odoo and a fake Collector."""
    monkeypatch.setenv("STRIPE_SECRET", SECRET)
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme", **SETTINGS)], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        yield exporter, collector


def findings(exporter: Exporter) -> dict[str, dict[str, str]]:
    """What `odoo-otel findings` lists, by detector."""
    words = (sys.executable, "-m", "exporter", "findings", "--json", "--state", str(exporter.state))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return {one["detector"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_what_does_not_follow_in_time_is_found_and_heals(odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]) -> None:
    """A payment that failed, an order that is not cancelled: a Finding, a span, a number; then over (6, 98)."""
    exporter, collector = line
    order = live.order(odoo)
    reference = f"purchase.order,{order}"
    assert send(f"{intake(exporter)}/hooks/stripe", stripe("evt_1", reference)).status_code == 202
    until(lambda: exporter.value("odoo_expectations_total", expectation="charged", outcome="absent") == 1)
    found = findings(exporter)["expectation.absent"]
    assert (found["subject"], found["severity"]) == ("charged", "critical")
    assert f"record:purchase.order=cancel of {reference} did not follow" in found["sentence"]
    until(lambda: len(roots(collector, "expect charged")) == 1, what="its span")
    with odoo.transaction():
        odoo.write("purchase.order", order, state="cancel")
        live.tracked(odoo, order, "RFQ", "Cancelled")
    until(lambda: "expectation.absent" not in findings(exporter), what="the end of the Finding")


def test_what_takes_longer_than_is_tolerated_is_counted_and_found(line: tuple[Exporter, FakeCollector]) -> None:
    """A webhook that came a second after its event, where a millisecond is tolerated (feature 72)."""
    exporter, _ = line
    request = stripe("evt_2", "purchase.order,1")
    time.sleep(1.1)  # Stripe says whole seconds
    assert send(f"{intake(exporter)}/hooks/stripe", request).status_code == 202
    until(lambda: exporter.value("odoo_integration_slow_total", integration="hook/stripe") == 1)
    until(lambda: "integration.slow" in findings(exporter), what="the Finding")


def test_a_mail_that_was_not_delivered_is_told(odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]) -> None:
    """In the trace of its order, with class and cause, and no word of it or of whom it was for (11)."""
    exporter, collector = line
    with odoo.transaction():
        order = live.order(odoo)
        message = odoo.insert("mail.message", date=odoo.now, model="purchase.order", res_id=order)
        said = {"failure_type": "mail_smtp", "failure_reason": "550 5.1.1 <jane.doe@example.com>: Recipient rejected"}
        odoo.insert("mail.mail", state="exception", mail_message_id=message, recipient_ids=(3,), **said)
    odoo.now += timedelta(minutes=1)
    until(lambda: len(roots(collector, "send mail")) == 1, what="the mail")
    (span,) = roots(collector, "send mail")
    words = {one.key: one.value.string_value for one in span.attributes}  # type: ignore[attr-defined]
    assert (words["odoo.failure.class"], words["error.type"]) == ("technical", "mail_smtp")
    assert words["odoo.failure.cause"]
    assert "jane.doe" not in str(span)
    until(lambda: exporter.value("odoo_failures_total", kind="mail") == 1)
