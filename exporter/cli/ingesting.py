"""The command that hands a file or a stream of Odoo's log to the running service: ingest-log."""

import os
import sys
from pathlib import Path
from typing import TextIO

import click

from exporter.cli.group import STATE, fail, main
from exporter.cli.opening import opened
from exporter.config import Secret
from exporter.tokens import LOGS

TOKEN = "ODOO_OTEL_LOGS_TOKEN"  # noqa: S105 - the variable that holds one


@main.command("ingest-log")
@STATE
@click.option("--intake", default="http://127.0.0.1:9465", show_default=True, help="Where the service takes logs.")
@click.argument("database")
@click.argument("file", type=click.File(errors="replace"))
def ingest_log(state: Path, *, intake: str, database: str, file: TextIO) -> None:
    """Read Odoo's log of DATABASE from FILE, or from a stream (-), such as a tail over ssh.

    It may be read again as often as you like, from wherever you like: what is known is a no-op. Whoever may not write
    into the state folder gives a token in ODOO_OTEL_LOGS_TOKEN (`odoo-otel token new logs`).
    """
    from exporter.shipping import Shipped, poster, ship

    def show(found: Shipped) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{found.lines:,} lines, {found.told:,} told", nl=False, err=True)

    given = os.environ.get(TOKEN, "")
    with opened(state, LOGS, given=Secret(given)) as token:
        found = ship(iter(file), poster(intake, token, database), show)
    click.echo(
        f"{found.lines} lines, {found.told} of them say something of {database}, {found.rejected} were not taken."
    )
    if found.rejected:
        fail(f"{database} is not a database that the service watches: name it as its configuration does.")
