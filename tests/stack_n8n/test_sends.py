"""What Odoo's rule should have sent, beside what the real n8n ran for it (feature 107)."""

import subprocess
import sys
import time
from collections.abc import Mapping

import requests

from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.exporter import ROOT, until
from tests.stack_n8n.conftest import TOKEN, Lab

ENDS = ("complete", "not_executed", "unchanged")


def _confirmed(lab: Lab) -> Mapping[str, int]:
    """A purchase for each end: Odoo tells us of all; n8n runs for two; one of those is written to then."""
    orders = {end: live.order(lab.odoo) for end in ENDS}
    for order in orders.values():
        with lab.odoo.transaction():
            live.confirmed(lab.odoo, order)
            said = live.native(lab.odoo, order, "Tell 0(#1)")
        assert requests.post(f"{intake(lab.exporter)}/hooks/odoo/{TOKEN}", json=said, timeout=2).status_code == 202
    time.sleep(3)  # what changes within two seconds of an execution may be its work
    for end, order in orders.items():
        if end != "not_executed":
            assert lab.n8n.call("/webhook/order?p=/s/200", {"odoo_ref": f"purchase.order,{order}"}) == 200
        if end == "complete":
            with lab.odoo.transaction():
                lab.odoo.write("purchase.order", order, amount_total=5.0)
    return orders


def test_what_n8n_ran_is_held_against_what_it_should_have(reconciled: Lab) -> None:
    """Three expected and received, two executed; which n8n never ran, and which changed nothing, by name."""
    until(lambda: reconciled.exporter.value("odoo_automation_info") == 1, 30, "the rule")
    orders = _confirmed(reconciled)
    exporter = reconciled.exporter
    until(lambda: exporter.value("odoo_sends_expected_total") == 3, 60, "the conclusion")
    until(lambda: exporter.value("odoo_sends_missing_total") == 2, 60, "what is missing")
    assert exporter.value("odoo_sends_received_total") == 3
    assert exporter.value("odoo_sends_executed_total") == 2
    words = (sys.executable, "-m", "exporter", "sends", "--state", str(exporter.state), "acme")
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert listed.startswith("acme: 3 expected, 3 received, 2 executed by n8n")
    for end, title in (("not_executed", "Not executed"), ("unchanged", "Record unchanged")):
        assert exporter.value("odoo_sends_missing_total", outcome=end) == 1
        assert f"purchase.order,{orders[end]} " in listed.partition(title)[2].splitlines()[1]
