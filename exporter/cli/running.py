"""Commands that run or try the program: run, demo, check, estimate, version."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as Flag

import click

from exporter.cli.group import CONFIG, EX_CONFIG, STATE, fail, main
from exporter.config import Config, load
from exporter.errors import SourceDown


@main.command()
@CONFIG
@click.option(
    "--web.config.file",
    "web_config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TLS and users of the listeners, in the form of the Prometheus exporter-toolkit.",
)
def run(path: Path | None, web_config_file: Path | None) -> None:
    """Read Odoo and tell what happened, until SIGTERM.

    Reads ODOO_URL, ODOO_DB, ODOO_USER and ODOO_API_KEY, or a YAML file with several databases. Standard OTEL_*
    variables say where traces and logs go; metrics are served on 127.0.0.1:9464/metrics.
    """

    def read() -> Config:
        config = load(path)
        return replace(config, web_config_file=web_config_file) if web_config_file else config

    config = read()
    from exporter import running

    sys.exit(running.run(config, read))


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
@CONFIG
@click.option("--problems", is_flag=True, help="Only what is not as it should be.")
def check(path: Path | None, *, problems: bool) -> None:
    """Connect to every database and say what can be seen there, and what cannot.

    Nothing is stored, nothing is written to Odoo; where there is a store, it says whether a database was restored since
    it was read. Ends with 0 when nothing is wrong (notes are no fault), 1 when
    something cannot be seen or will go wrong, 2 when a database cannot be watched at all, 78 when the configuration has
    faults.
    """
    config = load(path)
    from exporter import checking
    from exporter.clock import SystemClock

    found: list[checking.Said] = []
    clock = SystemClock()
    each = chain.from_iterable(checking.ask(database, clock) for database in config.databases)
    for said in chain(each, checking.changed(config), checking.around(config, os.environ)):
        found.append(said)
        if not problems or checking.CODES[said.severity]:
            click.echo(str(said))
    if faults := [fault for skipped in config.skipped for fault in skipped.faults]:
        fail(*faults, code=EX_CONFIG)
    sys.exit(checking.worst(found))


@main.command()
@CONFIG
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="How many are counted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def estimate(path: Path | None, *, days: int, as_json: bool) -> None:
    """Say what watching would cost: series, spans, log events, MB and calls of Odoo a day.

    Reads the last days of every database as `run` would, with every setting of `cost`, and counts. Nothing is exported
    and nothing kept. Webhooks, Odoo's log and findings come on top: they cannot be read back. Ends with 1 when a
    database does not answer.
    """
    config = load(path)
    from exporter import estimating
    from exporter.clock import SystemClock

    down = []
    for database in config.databases:
        with TemporaryDirectory() as folder:
            try:
                found = estimating.estimate(
                    database, config, Path(folder), days=days, clock=SystemClock(), progress=_reading(database.name)
                )
            except SourceDown as error:
                down.append(f"{database.name} is not counted: {error}")
                continue
        lines = [json.dumps(asdict(found))] if as_json else found.lines()
        for line in lines:
            click.echo(line)
    if faults := [*down, *(fault for skipped in config.skipped for fault in skipped.faults)]:
        fail(*faults, code=EX_CONFIG if config.skipped else 1)


def _reading(database: str) -> Callable[[str], None]:
    return lambda source: click.echo(f"reading {source} of {database}", err=True)


@main.command("version")
def version_() -> None:
    """Print the version."""
    click.echo(version("odoo-otel-exporter"))
