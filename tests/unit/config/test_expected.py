"""What has to follow what, and how long integrations may take: read, checked against what can be seen, handed on."""

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.config import Config, load
from exporter.databases import options, watch
from exporter.errors import ConfigError
from exporter.fold.happening import Expectation, Happening
from exporter.fold.subjects import Integration
from exporter.sources.odoo.options import Unique

TEXT = """
databases:
  - url: https://a.example
    database: acme
    user: bot
    api_key: k
    approvals: [sale.order]
    hooks:
      stripe: {scheme: stripe, secrets: s, criticality: high, latency_tolerance: 5}
    n8n: {url: https://n8n.example, api_key: k, criticality: low, latency_tolerance: 60}
    expect:
      confirmed: {after: "hook:stripe=invoice.paid", then: "record:sale.order=sale", within: 900, criticality: critical}
      provisioned: {after: "record:sale.order=sale", then: "n8n:Provision customer", within: 60, same_record: false}
"""


def _load(folder: Path, text: str) -> Config:
    file = folder / "odoo-otel.yaml"
    file.write_text(text)
    return load(file, {})


KEYED = (
    TEXT
    + """
    unique:
      sale.order: {key: [client_order_ref, partner_id], within: 3600, criticality: high}
      helpdesk.ticket: {key: x_event}
"""
)


def test_keys_reach_the_source_and_the_fold(tmp_path: Path) -> None:
    """Fields and time go to what reads, criticality to what judges; a week is usual (feature 31)."""
    (database,) = _load(tmp_path, KEYED).databases
    assert options(database).unique == (
        Unique(model="sale.order", key=("client_order_ref", "partner_id"), within=timedelta(hours=1)),
        Unique(model="helpdesk.ticket", key=("x_event",), within=timedelta(days=7)),
    )
    assert watch(database, label_cap=10).unique == {"sale.order": "high", "helpdesk.ticket": "normal"}


@pytest.mark.parametrize("key", ["[]", "a b", "[a, a]", "partner.name"])
def test_a_key_is_fields_of_the_record_itself(tmp_path: Path, key: str) -> None:
    """Nothing, a word with a space, a field twice, a field of another record: each is a sentence."""
    with pytest.raises(ConfigError) as found:
        _load(tmp_path, KEYED.replace("{key: x_event}", f"{{key: '{key}'}}"))
    assert any(".unique.helpdesk.ticket.key: must be a list of fields" in one for one in found.value.faults)


def test_what_is_declared_reaches_the_fold(tmp_path: Path) -> None:
    """Tolerance and criticality of hooks and n8n, and what has to follow what (features 72, 98)."""
    (database,) = _load(tmp_path, TEXT).databases
    watched = watch(database, label_cap=10)
    assert watched.hooks["stripe"] == Integration(criticality="high", tolerance=timedelta(seconds=5))
    assert watched.engine == Integration(criticality="low", tolerance=timedelta(seconds=60))
    confirmed = Happening(what="record", name="sale.order", value="sale")
    assert watched.expectations == (
        Expectation(
            name="confirmed",
            after=Happening(what="hook", name="stripe", value="invoice.paid"),
            then=confirmed,
            within=timedelta(seconds=900),
            criticality="critical",
        ),
        Expectation(
            name="provisioned",
            after=confirmed,
            then=Happening(what="n8n", name="Provision customer"),
            within=timedelta(seconds=60),
            by_record=False,
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("hook:stripe=", "hook:paypal=", "databases[0].expect.confirmed.after: paypal does not stand under `hooks`"),
        (
            "approvals: [sale.order]",
            "",
            "databases[0].expect.confirmed.then: sale.order does not stand under `approvals`",
        ),
        ("    n8n: {url", "    #n8n: {url", "databases[0].expect.provisioned.then: there is no n8n here;"),
        ("record:sale.order=sale", "record:sale.order", "databases[0].expect.confirmed.then: must be `hook:NAME` or"),
        (
            "approvals: [sale.order]",
            "approvals: [sale.order]\n    cost: {exclude_sources: [odoo/approvals]}",
            "databases[0].expect: needs odoo/approvals, which databases[0].cost leaves out",
        ),
        ("hook:stripe=invoice.paid", "mail:stripe", "databases[0].expect.confirmed.after: must be `hook:NAME` or"),
        ("within: 900", "within: 0", "databases[0].expect.confirmed.within: must be a number of seconds"),
        ("same_record: false", "same: false", "databases[0].expect.provisioned.same: is not known;"),
    ],
)
def test_what_could_never_be_seen_is_a_fault(tmp_path: Path, old: str, new: str, fault: str) -> None:
    """An expectation of what nobody reads would never be judged: it is refused, with its place."""
    with pytest.raises(ConfigError) as found:
        _load(tmp_path, TEXT.replace(old, new, 1))
    assert any(one.startswith(fault) for one in found.value.faults)


@pytest.mark.parametrize(
    ("given", "left_out", "faults"),
    [
        ("", "odoo/jobs, odoo/mails", []),
        ("limits: {base.autovacuum: {stuck: 60}}", "odoo/crons", ["limits: needs odoo/crons"]),
        ("odoo_log: true", "odoo/crons", ["odoo_log: needs odoo/crons"]),
        ("odoo_log: false", "odoo/crons", []),
        ("ir_logging: wait", "odoo/logging", ["ir_logging: needs odoo/logging"]),
        ("ir_logging: auto", "odoo/logging", []),
        ("missing_after: 60", "odoo/automations", ["missing_after: needs odoo/automations"]),
        ("unique: {sale.order: {key: name}}", "odoo/approvals", ["unique: needs odoo/approvals"]),
        (
            "hooks: {stripe: {scheme: stripe, secrets: s, latency_tolerance: 5}}",
            "odoo/approvals",
            ["hooks.stripe.latency_tolerance: needs odoo/approvals"],
        ),
        ("hooks: {stripe: {scheme: stripe, secrets: s}}", "odoo/approvals", []),
        (
            "n8n: {url: https://n8n.example, api_key: k, latency_tolerance: 60}",
            "odoo/approvals",
            ["n8n.latency_tolerance: needs odoo/approvals"],
        ),
    ],
)
def test_what_nothing_would_ever_judge_is_a_fault(tmp_path: Path, given: str, left_out: str, faults: list[str]) -> None:
    """A setting whose Source is left out to save cost is refused, each with its place: it would silently never fire."""
    head = "databases:\n  - url: https://a.example\n    database: acme\n    user: bot\n    api_key: k\n"
    text = f"{head}    cost: {{exclude_sources: [{left_out}]}}\n    {given}\n"
    wanted = [f"databases[0].{one}, which databases[0].cost leaves out: read it, or leave this out." for one in faults]
    if not wanted:
        assert len(_load(tmp_path, text).databases) == 1
        return
    with pytest.raises(ConfigError) as found:
        _load(tmp_path, text)
    assert list(found.value.faults) == wanted
