"""The command `odoo-otel`: what it says and with which code it ends; the store and Odoo are not there."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from exporter import checking, cli
from exporter.checking.saying import Said, Severity
from exporter.cli import group
from exporter.config import Config, load
from exporter.errors import StoreError

GOOD = Said(severity="ok", about="acme", sentence="Odoo 19.0 answers.")
ENVIRON = {"ODOO_URL": "http://127.0.0.1:1", "ODOO_DB": "acme", "ODOO_USER": "bot", "ODOO_API_KEY": "c4n4ry"}

Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call `odoo-otel` with an environment."""
    for name in (*ENVIRON, "ODOO_OTEL_STATE", "ODOO_OTEL_LISTEN"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words, **environ: CliRunner().invoke(cli.main, words, env=environ)


class Entry:
    """An entry point of another package."""

    name, value = "detect", "detectors.cli:main"

    def __init__(self, load: Callable[[], object]) -> None:
        self.load = load


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Pretend that another package adds `detect`."""

    def add(loads: Callable[[], object]) -> None:
        entry = Entry(loads)
        monkeypatch.setattr(
            group,
            "entry_points",
            lambda group, name="detect": [entry] if name == "detect" and group == "odoo_otel.commands" else [],
        )

    return add


def test_help_lists_every_command(command: Command) -> None:
    """`odoo-otel -h` names what there is."""
    done = command("-h")

    assert done.exit_code == 0
    assert all(name in done.output for name in ("run", "demo", "runs", "trace", "check", "version"))


def test_faults_of_the_configuration_end_with_78(command: Command) -> None:
    """Every fault is a line on stderr, the code is that of sysexits.h, nothing was started."""
    done = command("run", ODOO_URL="odoo", ODOO_DB="acme", ODOO_USER="bot")

    assert done.exit_code == 78
    assert [line.split(":")[:2] for line in done.stderr.splitlines()] == [
        ["odoo-otel", " ODOO_URL"],
        ["odoo-otel", " ODOO_API_KEY"],
    ]


def test_run_ends_with_the_code_of_the_service(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service gets the configuration; its exit code is the command's; a broken start is a sentence."""
    seen: list[Config] = []
    from exporter import running  # noqa: PLC0415 imported as the command does

    monkeypatch.setattr(running, "run", lambda config, _read: seen.append(config) or 70)
    assert command("run", **ENVIRON).exit_code == 70
    assert seen[0].databases[0].database == "acme"

    def fails(config: Config, _read: object) -> int:
        raise StoreError(f"{config.store_path} is in use.")

    monkeypatch.setattr(running, "run", fails)
    done = command("run", **ENVIRON)
    assert (done.exit_code, done.stderr) == (1, "odoo-otel: state/odoo-otel.sqlite is in use.\n")


@pytest.mark.parametrize("words", [("runs",), ("trace", "ab")])
def test_without_a_store_there_is_a_sentence(command: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Reading where nothing was stored says where it looked."""
    done = command(*words, "--state", str(tmp_path))

    assert done.exit_code == 1
    assert f"there is no store at {tmp_path}" in done.stderr


def test_another_package_adds_a_command(command: Command, added: Callable[[Callable[[], object]], None]) -> None:
    """A plain function or a click command behind the entry-point group is a sub-command."""
    added(lambda: lambda: click.echo("found"))

    assert "detect" in command("-h").output
    assert command("detect").output == "found\n"


def test_a_broken_package_does_not_break_the_others(
    command: Command, added: Callable[[Callable[[], object]], None]
) -> None:
    """An entry point that cannot be imported says so when it is called; our own commands go on."""

    def broken() -> object:
        raise ImportError("no module named pyod")

    added(broken)

    assert command("version").exit_code == 0
    done = command("detect")
    assert done.exit_code == 1
    assert "detectors.cli:main: no module named pyod" in done.stderr


@pytest.mark.parametrize(("severity", "code"), [("ok", 0), ("note", 0), ("warning", 1), ("error", 2)], ids=str)
def test_check_ends_with_how_grave_it_is(
    command: Command, monkeypatch: pytest.MonkeyPatch, severity: Severity, code: int
) -> None:
    """Sentences in the order in which they are found; the gravest decides (feature 61)."""
    said = Said(severity=severity, about="acme", sentence="It is so.")
    monkeypatch.setattr(checking, "ask", lambda _database, _clock: iter([GOOD, said, GOOD]))
    done = command("check", **ENVIRON)
    assert done.exit_code == code
    assert f"{severity:<8}acme: It is so." in done.output
    assert "c4n4ry" not in done.output
    assert ("It is so." in command("check", "--problems", **ENVIRON).output) == (code > 0)


def test_check_reports_skipped_databases(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The right database is asked, the wrong one's faults are listed, and the code says so."""
    monkeypatch.setattr(checking, "ask", lambda _database, _clock: iter([GOOD]))
    path = tmp_path / "c.yaml"
    path.write_text("databases: [{url: http://a, database: acme, user: bot, api_key: k}, {url: x}]", encoding="utf-8")

    done = command("check", "--config", str(path))

    assert load(path, {}).skipped
    assert done.exit_code == 78
    assert "acme: Odoo 19.0 answers" in done.stdout
    assert "databases[1].url: must be an address" in done.stderr


def test_the_rights_can_be_printed_before_anything_is_configured(command: Command, tmp_path: Path) -> None:
    """`odoo-access` needs no configuration; with one it is about its user and its documents (feature 63)."""
    assert "odoo-otel@example.com needs Internal User" in command("odoo-access").output
    path = tmp_path / "odoo-otel.yaml"
    entry = "{url: 'http://127.0.0.1:1', database: acme, user: bot, api_key: k, approvals: [sale.order]}"
    path.write_text(f"databases: [{entry}]\n")
    found = command("odoo-access", "--config", str(path)).output
    assert found.startswith("bot needs Internal User")
    assert "sale.order" in found
    assert "purchase.order" not in found
    assert "queue.job" not in command("odoo-access", "--format", "xml", "--without", "queue_job").output
    assert command("odoo-access", "--format", "xml", "--undo").output.count("<delete") == 3
    assert command("odoo-access", "--format", "rpc", "--undo").exit_code == 1
    unknown = command("odoo-access", "--config", str(path), "--database", "nope")
    assert (unknown.exit_code, "known are acme" in unknown.output) == (1, True)
