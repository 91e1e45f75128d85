"""The command that hands a file or a stream of Odoo's log to the running service: ingest-log."""

import sys
from pathlib import Path
from typing import TextIO

import click

from exporter.cli.group import STATE, fail, main


@main.command("ingest-log")
@STATE
@click.option("--intake", default="http://127.0.0.1:9465", show_default=True, help="Where the service takes logs.")
@click.argument("database")
@click.argument("file", type=click.File(errors="replace"))
def ingest_log(state: Path, *, intake: str, database: str, file: TextIO) -> None:
    """Read Odoo's log of DATABASE from FILE, or from a stream (-), such as a tail over ssh.

    It may be read again as often as you like, from wherever you like: what is known is a no-op.
    """
    from exporter.intake.tokens import LOGS_TOKEN_FILE
    from exporter.shipping import Shipped, poster, ship

    try:
        token = (state / LOGS_TOKEN_FILE).read_text(encoding="ascii").strip()
    except OSError as error:
        fail(
            f"{state / LOGS_TOKEN_FILE} cannot be read ({error.strerror}): start `odoo-otel run` once, or say --state."
        )

    def show(found: Shipped) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{found.lines:,} lines, {found.told:,} told", nl=False, err=True)

    found = ship(iter(file), poster(intake, token, database), show)
    click.echo(
        f"{found.lines} lines, {found.told} of them say something of {database}, {found.rejected} were not taken."
    )
    if found.rejected:
        fail(f"{database} is not a database that the service watches: name it as its configuration does.")
