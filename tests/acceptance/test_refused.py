"""`odoo-otel refused` on a real process: what was authentic and not understood is kept, looked at, mended and taken."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from click.testing import CliRunner, Result

from exporter import cli
from tests.acceptance.test_intake import intake
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

BEARER = {"Authorization": "Bearer c4n4ry-hook-secret-1"}
MAPPING = {"run": "/order", "status": "/state", "each": "/items", "results": {"ok": "success"}}
BODY = {"order": "o-1", "state": "ok", "mail": "jane.doe@example.com", "token": "c4n4ry-token"}


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    """The service with a hook whose mapping expects what nobody sends."""
    mapping = tmp_path / "shop.yaml"
    mapping.write_text(yaml.safe_dump(MAPPING))
    hook = {"scheme": "bearer", "secrets": "c4n4ry-hook-secret-1", "mapping": str(mapping)}
    with (
        LiveServer(live_lab(running=True)) as server,
        Exporter(tmp_path / "exporter", [server.entry("acme", hooks={"shop": hook})]) as running,
    ):
        until(lambda: running.value("odoo_up") == 1)
        yield running


def post(exporter: Exporter, body: object, **headers: str) -> requests.Response:
    """A webhook of the shop."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{intake(exporter)}/hooks/shop", data=raw, headers={**BEARER, **headers}, timeout=10)


def command(exporter: Exporter, *words: str) -> Result:
    """`odoo-otel refused ...` on its state folder."""
    more = ["--intake", intake(exporter)] if words[0] == "retry" else []
    return CliRunner().invoke(cli.main, ["refused", words[0], "--state", str(exporter.state), *more, *words[1:]])


def numbers(exporter: Exporter) -> list[int]:
    """What is listed."""
    return [json.loads(line)["number"] for line in command(exporter, "list", "--json").output.splitlines()]


def mend(exporter: Exporter, tmp_path: Path) -> None:
    """The mapping is what is sent, from now on."""
    mended = {name: value for name, value in MAPPING.items() if name != "each"}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(mended))
    exporter.reload()


def test_what_was_not_understood_is_kept_mended_and_taken(exporter: Exporter, tmp_path: Path) -> None:
    """Once, masked, with its reason; after its mapping was mended it is the Event it would have been (feature 94)."""
    assert [post(exporter, BODY).status_code for _ in range(3)] == [422] * 3
    (number,) = numbers(exporter)
    shown = command(exporter, "show", str(number)).output
    assert "The body has no list of objects at /items" in shown
    assert '"order": "o-1"' in shown
    assert "jane.doe" not in shown
    assert "c4n4ry" not in shown
    still = command(exporter, "retry", str(number))
    assert (still.exit_code, "no list of objects" in still.stderr) == (1, True)
    mend(exporter, tmp_path)
    assert command(exporter, "retry", str(number)).exit_code == 0
    assert numbers(exporter) == []
    until(lambda: exporter.value("odoo_deliveries_total", hook="shop", result="success") == 1)
    assert post(exporter, BODY).status_code == 202  # the sender's own repeat is known already
    until(lambda: exporter.value("odoo_otel_webhooks_total", hook="shop", outcome="repeated") == 1)


def test_who_proves_nothing_leaves_nothing(exporter: Exporter) -> None:
    """R15: whatever is not authentic is counted and not kept."""
    assert post(exporter, BODY, Authorization="Bearer wrong").status_code == 401
    assert numbers(exporter) == []
    answer = requests.post(f"{intake(exporter)}/v1/refused/1", headers={"Authorization": "Bearer wrong"}, timeout=10)
    assert (answer.status_code, answer.text) == (401, "")


def test_what_cannot_be_told_apart_is_not_taken(exporter: Exporter, tmp_path: Path) -> None:
    """An id that was masked would make one Event of two: the sentence says to have it sent again."""
    assert post(exporter, {**BODY, "order": "order 123456789"}).status_code == 422
    mend(exporter, tmp_path)
    (number,) = numbers(exporter)
    done = command(exporter, "retry", str(number))
    assert (done.exit_code, done.stderr) == (
        1,
        "odoo-otel: What tells it apart was masked when it was kept: have it sent again.\n",
    )
    assert numbers(exporter) == [number]


def test_bad_numbers_and_places_are_said(exporter: Exporter, tmp_path: Path) -> None:
    """Nothing under a number, no service, no state folder: one sentence each."""
    assert "Nothing was set aside under 99" in command(exporter, "show", "99").stderr
    assert "No webhook was set aside under 99" in command(exporter, "retry", "99").stderr
    nobody = ["refused", "retry", "1", "--state", str(exporter.state), "--intake", "http://127.0.0.1:9"]
    assert "does not answer" in CliRunner().invoke(cli.main, nobody).stderr
    nowhere = ["refused", "retry", "1", "--state", str(tmp_path / "nowhere")]
    assert "tokens.json: cannot be written (No such file or directory)" in CliRunner().invoke(cli.main, nowhere).stderr


def test_a_dark_store_of_nonsense_stays_small(exporter: Exporter) -> None:
    """A sender that posts different nonsense for ever costs 200 rows."""
    with requests.Session() as session:
        for number in range(230):
            session.post(f"{intake(exporter)}/hooks/shop", data=b"x%d" % number, headers=BEARER, timeout=10)
    assert len(command(exporter, "list", "--json", "--limit", "1000").output.splitlines()) == 200
