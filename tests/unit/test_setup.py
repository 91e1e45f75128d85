"""`odoo-otel webhook-setup`: the rule that an administrator makes, in three forms; its token only where asked for."""

import ast
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter import cli
from exporter.sources.odoo.firing import Condition, Firing, firing

TOKEN = "c4n4ry-token"
CONFIG = """\
intake_port: 9465
databases:
  - url: https://odoo.example.com
    database: acme
    user: otel
    api_key: x
    approvals: [sale.order]
    hooks:
      odoo: {scheme: token, secrets: [c4n4ry-token, older]}
      stripe: {scheme: stripe, secrets: s}
"""
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Call `odoo-otel webhook-setup` with a configuration."""
    file = tmp_path / "odoo-otel.yaml"
    file.write_text(CONFIG)
    return lambda *words: CliRunner().invoke(cli.main, ["webhook-setup", "--config", str(file), *words])


@pytest.mark.parametrize("form", ["text", "xml", "shell"])
def test_the_token_is_shown_where_it_is_asked_for(command: Command, form: str) -> None:
    """By default a word stands for it; the rotated one is never shown."""
    hidden = command("odoo", "--format", form)
    shown = command("odoo", "--format", form, "--show-token")
    assert (hidden.exit_code, shown.exit_code) == (0, 0)
    assert TOKEN not in hidden.output
    assert "http://127.0.0.1:9465/hooks/odoo/TOKEN" in hidden.stdout
    assert f"/hooks/odoo/{TOKEN}" in shown.stdout
    assert "older" not in shown.output


def test_a_person_is_told_what_to_click(command: Command) -> None:
    """Model, trigger, conditions, fields and address, and what is still missing (feature 5)."""
    said = command("odoo", "--model", "account.move", "--state", "posted", "--address", "https://o.example.com/").stdout
    words = ("account.move", "[('state', '=', 'posted')]", "https://o.example.com/hooks/odoo/TOKEN", "write_date")
    assert all(word in said for word in words)
    assert "account.move is not read yet" in said


def test_the_rule_can_be_judged_from_outside(command: Command) -> None:
    """What is printed is a rule of which we know when it fires: so its webhooks can be counted (feature 30)."""
    tree = ET.fromstring(command("odoo", "--format", "xml").stdout)  # noqa: S314 - what we print ourselves
    rule = {field.get("name"): field.text or field.get("search") or "" for field in tree[0]}
    watched = ast.literal_eval(rule["trigger_field_ids"])
    assert watched == [("model", "=", "sale.order"), ("name", "in", ["state"])]
    read = Condition(
        model="sale.order",
        trigger=rule["trigger"],
        before=rule["filter_pre_domain"],
        after=rule["filter_domain"],
        watched=(7,),
        state="state",
        state_id=7,
    )
    assert firing(read) == Firing(states=("sale",), except_from=("sale",))


def test_a_hook_that_must_sign_is_refused(command: Command) -> None:
    """Odoo can sign nothing, and a name that is not configured is said."""
    assert "scheme: token" in command("stripe").stderr
    assert "odoo, stripe" in command("nobody").stderr
    assert "technical name" in command("odoo", "--state", "a'); evil").stderr
    assert command("odoo", "--state", "a'); evil").exit_code == 1
