"""`odoo-otel webhook-setup`: the rule that an administrator makes, in three forms; its token only where asked for."""

import ast
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter import cli
from exporter.intake.signatures import is_bearer
from exporter.sources.odoo.firing import Condition, Firing, firing
from exporter.tokens import FILE, HOOKS, Tokens

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
      bare: {scheme: token, mapping: odoo}
      stripe: {scheme: stripe, secrets: s}
"""
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Call `odoo-otel webhook-setup` with a configuration."""
    file = tmp_path / "odoo-otel.yaml"
    (tmp_path / "state").mkdir()
    file.write_text(f"state_dir: {tmp_path / 'state'}\n{CONFIG}")
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


@pytest.mark.parametrize("form", ["text", "xml", "shell"])
def test_a_new_token_is_shown_once_and_kept_as_its_digest(command: Command, tmp_path: Path, form: str) -> None:
    """Each --new-token is another one, good beside the others; the state folder holds digests alone (feature 94)."""
    said = [command("odoo", "--format", form, "--new-token") for _ in range(2)]
    made = [re.findall("/hooks/odoo/([0-9a-f]{64})", one.stdout) for one in said]
    assert len({*made[0], *made[1]}) == 2
    for one in (*made[0], *made[1]):
        assert is_bearer(f"Bearer {one}", Tokens(tmp_path / "state").digests(HOOKS + "odoo"))
        assert one.encode() not in (tmp_path / "state" / FILE).read_bytes()
    assert "this once" in said[0].output
    assert TOKEN not in said[0].output


def test_a_hook_may_have_no_secret_in_the_configuration(command: Command) -> None:
    """What was never written down cannot be shown: the sentence says how to make another one."""
    said = command("bare", "--show-token")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "kept as digests and cannot be shown: make another one with --new-token" in said.stderr
    assert "/hooks/bare/TOKEN" in command("bare").stdout


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
    assert "odoo, bare, stripe" in command("nobody").stderr
    assert "technical name" in command("odoo", "--state", "a'); evil").stderr
    assert command("odoo", "--state", "a'); evil").exit_code == 1
