"""The commands for the store as a file: store backup, restore, verify; and refold."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from exporter.cli.group import CONFIG, STATE, fail, main
from exporter.config import STORE_FILE, load

MIB = 1024 * 1024


@main.group()
def store() -> None:
    """Copy the store, put a copy back, look whether it is whole."""


@store.command()
@STATE
@click.argument("to", type=click.Path(path_type=Path))
def backup(state: Path, to: Path) -> None:
    """Copy the store to TO, as it is at one moment; the service goes on meanwhile. Never replaces a file."""
    from exporter.store import copying

    found = copying.backup(state / STORE_FILE, to)
    click.echo(f"{to}: {found.size / MIB:.1f} MiB, {found.events} events, {found.runs} runs")


@store.command()
@STATE
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(state: Path, source: Path) -> None:
    """Put the copy SOURCE in the place of the store; what was there is kept beside it. The service must be stopped.

    At its next start it reads again what happened since the copy, and tells it with the same ids; counters go on from
    where they were in the copy.
    """
    from exporter.store import copying

    aside = copying.restore(state / STORE_FILE, source, datetime.now(UTC))
    click.echo(f"{state / STORE_FILE} is {source}" + (f"; what was there is {aside}" if aside else ""))


@store.command()
@STATE
@click.option("--quick", is_flag=True, help="Without reading the indexes.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def verify(state: Path, *, quick: bool, file: Path | None) -> None:
    """Say whether the store, or a copy FILE, is whole; the service may run. Ends with 1 when something is wrong."""
    from exporter.store import copying

    good = True
    for said in copying.verify(file or state / STORE_FILE, quick=quick):
        click.echo(f"{'ok ' if said.ok else 'BAD'}  {said.sentence}")
        good = good and said.ok
    sys.exit(0 if good else 1)


@main.command()
@CONFIG
@click.argument("database")
def refold(path: Path | None, database: str) -> None:
    """Fold what is stored of DATABASE anew: its runs and numbers as this program and this configuration tell them.

    After an upgrade, or when limits or hooks were configured otherwise. Nothing is sent and no counter moves: those are
    history. The service must be stopped; there must be room for a second store.
    """
    from exporter.databases import watch
    from exporter.refolding import refold as again

    config = load(path)
    one = next((one for one in config.databases if one.name == database), None)
    if one is None:
        faults = [fault for skipped in config.skipped if skipped.name == database for fault in skipped.faults]
        fail(
            *faults or [f"{database} is not configured: name one of {', '.join(one.name for one in config.databases)}."]
        )

    def progress(events: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{events:,} events", nl=False, err=True)

    found, since = again(config.store_path, watch(one, config.label_cap), progress)
    when = f"of those since {since:%Y-%m-%d %H:%M} UTC, when the facts begin that are kept" if since else "of all"
    click.echo(
        f"runs, {when}: {found.changed} changed, {found.fresh} new, {found.gone} gone, {found.same} as they were;"
        f" {found.numbers} numbers"
    )
