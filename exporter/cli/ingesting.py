"""The command that hands a file or a stream of Odoo's log to the running service: ingest-log."""

import os
import sys
import time
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, TextIO

import click

from exporter.cli.group import STATE, fail, main
from exporter.cli.opening import opened
from exporter.config import Secret
from exporter.tokens import LOGS

if TYPE_CHECKING:
    from exporter.shipping import Shipped

TOKEN = "ODOO_OTEL_LOGS_TOKEN"  # noqa: S105 - the variable that holds one


@main.command("ingest-log")
@STATE
@click.option("--intake", default="http://127.0.0.1:9465", show_default=True, help="Where the service takes logs.")
@click.argument("database")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"))
def ingest_log(state: Path, *, intake: str, database: str, file: TextIO) -> None:
    """Read Odoo's log of DATABASE from FILE, or from a stream (-), such as a tail over ssh.

    It may be read again as often as you like, from wherever you like: what is known is a no-op. A stream is handed on
    within about a second, and waits while the service is away. Whoever may not write into the state folder gives a
    token in ODOO_OTEL_LOGS_TOKEN (`odoo-otel token new logs`).
    """
    from exporter.shipping import Away

    with opened(state, LOGS, given=Secret(os.environ.get(TOKEN, ""))) as token:
        try:
            found = _shipped(file, (intake, token, database))
        except Away as error:
            fail(str(error), f"Then give {file.name} again: what was taken of it is known, and is a no-op.")
    click.echo(
        f"{found.lines} lines, {found.told} of them say something of {database}, {found.rejected} were not taken."
    )
    if found.rejected:
        fail(f"{database} is not a database that the service watches: name it as its configuration does.")


def _shipped(file: TextIO, to: tuple[str, Secret, str]) -> "Shipped":
    """What became of it: a file is one burst that may be given again, what a stream told may not come again."""
    from exporter.bursts import Bursts, taking
    from exporter.shipping import Shipping, patient, poster

    alive = not S_ISREG(os.fstat(file.fileno()).st_mode)
    post = patient(poster(*to), time.sleep, _say) if alive else poster(*to)
    shipping = Shipping(post=post, progress=_show, monotonic=time.monotonic)
    return shipping.ship(Bursts(taking(file.fileno())) if alive else [file])


def _say(sentence: str) -> None:
    click.echo(f"odoo-otel: {sentence}", err=True)


def _show(found: "Shipped") -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{found.lines:,} lines, {found.told:,} told", nl=False, err=True)
