"""`odoo-otel webhook-test`: what a payload would become, in the terminal."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter import cli

SAMPLES = Path(__file__).parents[1] / "data" / "hooks"
Command = Callable[..., Result]


@pytest.fixture
def command() -> Command:
    """Call `odoo-otel webhook-test`."""
    return lambda *words: CliRunner().invoke(cli.main, ["webhook-test", *map(str, words)])


def test_a_payload_is_shown_as_deliveries_and_runs(command: Command) -> None:
    """Fields, times, the trace it would join, the tree; nothing of the payload that its mapping does not name."""
    done = command("stripe", SAMPLES / "stripe_invoice_payment_failed.json")
    assert done.exit_code == 0
    assert "webhook.received  2026-11-25T10:00:00+00:00  0/stripe/evt_1QAbCd" in done.output
    assert 'correlation: ["sale.order:S00023"]' in done.output
    assert "delivery/stripe/evt_1QAbCd: failure" in done.output
    assert "POST /hooks/stripe" in done.output
    assert "c4n4ry" not in done.output


def test_a_run_of_several_deliveries_is_shown_open(command: Command) -> None:
    """An alert that fires goes on, one that is resolved is over."""
    done = command("alertmanager", SAMPLES / "alertmanager.json")
    assert "delivery/alertmanager/f00d#2026-11-25T10:00:00Z: goes on" in done.output
    assert "delivery/alertmanager/beef#2026-11-25T10:00:00Z: success" in done.output


def test_a_hook_of_the_configuration_is_meant_first(command: Command, tmp_path: Path) -> None:
    """By its name, with its own mapping's file."""
    (tmp_path / "shop.yaml").write_text("{delivery: /id, correlation: /ref}")
    config = tmp_path / "odoo-otel.yaml"
    hook = "{scheme: token, secrets: s, mapping: " + str(tmp_path / "shop.yaml") + "}"
    config.write_text(
        f"databases: [{{url: 'https://a.example', database: a, user: u, api_key: k, hooks: {{shop: {hook}}}}}]"
    )
    payload = tmp_path / "payload.json"
    payload.write_text('{"id": "7", "ref": "sale.order,23"}')
    done = command("--config", config, "shop", payload)
    assert "delivery/shop/7: success, in the trace of sale.order 23" in done.output


def test_a_payload_that_would_be_refused_says_why(command: Command, tmp_path: Path) -> None:
    """One sentence, exit code 1; so does a mapping that is not there (78)."""
    payload = tmp_path / "payload.json"
    payload.write_text("[]")
    done = command("stripe", payload)
    assert (done.exit_code, done.output) == (
        1,
        "odoo-otel: it would be refused with 422: The body is no JSON object: stripe expects one.\n",
    )
    assert command("nothing", payload).exit_code == 78
