"""The command `odoo-otel`; other packages add sub-commands through the entry-point group `odoo_otel.commands`."""

import json
import signal
import sys
from importlib.metadata import EntryPoint, entry_points, version
from itertools import groupby
from pathlib import Path
from threading import Event as Flag
from typing import NoReturn

import click

from exporter.config import STORE_FILE, load
from exporter.errors import ConfigError, OdooOtelError
from exporter.store import open_reader
from exporter.store.protocols import RunRow

GROUP = "odoo_otel.commands"
FINDINGS = 10_000  # that are looked at, the newest
EX_CONFIG = 78  # sysexits.h: something is configured wrongly
STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ODOO_OTEL_STATE",
    default=Path("state"),
    show_default=True,
    help="The folder of the store.",
)
CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A YAML file (docs/configuration.md); without it the environment is read.",
)


class Commands(click.Group):
    """Our own commands, and those of other packages, imported only when they are called."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an expected failure is its sentences on stderr, never a traceback."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            _fail(*error.faults, code=EX_CONFIG)
        except OdooOtelError as error:
            _fail(*str(error).splitlines())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in order."""
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group=GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Our own command, else another package's."""
        own = super().get_command(ctx, cmd_name)
        others = entry_points(group=GROUP, name=cmd_name)
        return own or next((_added(entry) for entry in others), None)


def _added(entry: EntryPoint) -> click.Command:
    """Another package's command; one that cannot be imported says so, and leaves the others alone."""
    try:
        command = entry.load()
    except Exception as error:  # noqa: BLE001 whatever its import raises, our own commands go on
        reason = f"cannot be loaded from {entry.value}: {error}"
        return click.Command(entry.name, callback=lambda: _fail(f"{entry.name} {reason}"), help=f"({reason})")
    return command if isinstance(command, click.Command) else click.command(entry.name)(command)


def _fail(*sentences: str, code: int = 1) -> NoReturn:
    """Say on stderr what is wrong, a line each, and leave with the code."""
    for sentence in sentences:
        click.echo(f"odoo-otel: {sentence}", err=True)
    sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Odoo's scheduled actions, queue jobs and approvals as OpenTelemetry traces, metrics and logs."""


@main.command()
@CONFIG
def run(path: Path | None) -> None:
    """Read Odoo and tell what happened, until SIGTERM.

    Reads ODOO_URL, ODOO_DB, ODOO_USER and ODOO_API_KEY, or a YAML file with several databases. Standard OTEL_*
    variables say where traces and logs go; metrics are served on 127.0.0.1:9464/metrics.
    """
    config = load(path)
    from exporter import service

    sys.exit(service.run(config))


@main.command()
@STATE
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop by itself after so many seconds.")
@click.option("--days", type=click.IntRange(0, 3650), default=30, show_default=True, help="Days of history.")
@click.option("--speed", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Times real time.")
@click.option("--port", type=click.IntRange(0, 65535), default=9464, show_default=True, help="Where /metrics answers.")
@click.option(
    "--detectors/--no-detectors", envvar="ODOO_OTEL_DETECTORS", default=True, help="Start them, too (default)."
)
def demo(state: Path, *, seconds: float | None, days: int, speed: float, port: int, detectors: bool) -> None:
    """Watch a simulated company: its history first, then live at many times real time.

    Stops after --seconds or at Ctrl-C; the last line is one JSON object with what was seen.
    """
    from exporter import demo as demonstration
    from exporter.terminal import Progress

    options = demonstration.DemoOptions(
        state_dir=state,
        seconds=seconds,
        days=days,
        speed=speed,
        listen_port=port,
        detectors=detectors,
        progress=Progress(sys.stderr).show,
        stopping=_stopping(),
    )
    click.echo(json.dumps(demonstration.demo(options)))


def _stopping() -> Flag:
    """Set when the process is told to end."""
    flag = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: flag.set())
    return flag


@main.command()
@STATE
@click.option("--workflow", help="Only this workflow: a scheduled action's label, a channel, an approval.")
@click.option("--result", help="Only this result: success, failure, timeout, partial, ...")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def runs(state: Path, *, workflow: str | None, result: str | None, limit: int, as_json: bool) -> None:
    """List what happened, newest first."""
    from exporter import terminal

    where = {name: value for name, value in (("workflow", workflow), ("result", result)) if value}
    found = open_reader(state / STORE_FILE).runs(limit=limit, **where)
    lines = (json.dumps(terminal.run_fields(*one)) for one in found) if as_json else terminal.runs_table(found)
    for line in lines:
        click.echo(line)


@main.command()
@STATE
@click.option("--all", "every", is_flag=True, help="Those that were closed, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def findings(state: Path, *, every: bool, as_json: bool) -> None:
    """List what is wrong now, newest first: one sentence each."""
    from exporter import terminal

    stored = open_reader(state / STORE_FILE).runs(kind="finding", limit=FINDINGS)
    found = [terminal.finding_fields(*one) for one in stored if every or one[1].ended_at is None]
    found.sort(key=lambda one: one["since"], reverse=True)
    if not found and not as_json:
        click.echo("There is no finding." if every else "No finding is open.")
        return
    for line in map(json.dumps, found) if as_json else terminal.findings_table(found):
        click.echo(line)


@main.command()
@STATE
@click.argument("id_", metavar="ID")
def trace(state: Path, id_: str) -> None:
    """Draw one trace as a tree; ID is the beginning of a trace id, or a run's id."""
    found = open_reader(state / STORE_FILE).trace(id_)
    traces = [list(rows) for _, rows in groupby(sorted(found, key=_trace_id), key=_trace_id)]
    if not traces:
        _fail(f"no run and no trace begins with {id_}: `odoo-otel runs` lists them.")
    if len(traces) > 1:
        ids = (rows[0][1].trace_id.hex() for rows in traces[:10])
        _fail(f"{id_} is the beginning of {len(traces)} traces: give more of it.", *ids)
    from exporter import terminal

    for line in terminal.trace(traces[0]):
        click.echo(line)


def _trace_id(found: tuple[str, RunRow]) -> bytes:
    return found[1].trace_id


@main.command()
@CONFIG
def check(path: Path | None) -> None:
    """Say what is wrong with the configuration, and which Odoo answers."""
    config = load(path)
    from exporter.checking import ask

    faults = [fault for skipped in config.skipped for fault in skipped.faults]
    answers = [ask(database) for database in config.databases]
    for answer in answers:
        click.echo(answer.sentence)
    if faults or not all(answer.ok for answer in answers):
        _fail(*faults, code=EX_CONFIG if faults else 1)


@main.command("version")
def version_() -> None:
    """Print the version."""
    click.echo(version("odoo-otel-exporter"))
