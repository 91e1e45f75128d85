"""The command that prints the rights of the user that reads: odoo-access."""

import os
from pathlib import Path

import click

from exporter.cli.group import CONFIG, fail, main
from exporter.config import Config, Database, load

LOGIN = "odoo-otel@example.com"
# What has to be said of a database, for whoever has not said it yet: rights do not depend on it.
BEFORE = {"ODOO_URL": "http://localhost:8069", "ODOO_DB": "odoo", "ODOO_USER": LOGIN, "ODOO_API_KEY": "-"}


@main.command("odoo-access")
@CONFIG
@click.option("--database", "name", help="Which of several databases; left out, the first.")
@click.option("--login", help="The user that reads; left out, that of the configuration.")
@click.option("--format", "form", type=click.Choice(["text", "rpc", "xml"]), default="text", show_default=True)
@click.option("--undo", is_flag=True, help="With xml: what takes it back (the rpc program can undo itself).")
@click.option("--without", help="Modules you do not have, such as queue_job,base_automation: xml needs it.")
def odoo_access(
    path: Path | None, *, name: str | None, login: str | None, form: str, undo: bool, without: str | None
) -> None:
    """Print the least-privilege group of the user that reads; an administrator applies it, we never write to Odoo.

    As text with what the user costs, as a program that grants and undoes by RPC (rpc), or as a data file of a module
    (xml). Works before there is a configuration, too.
    """
    from exporter.databases import options, sources
    from exporter.sources.odoo import access
    from exporter.sources.odoo.sight import needs

    if undo and form != "xml":
        fail("--undo goes with --format xml: the program of --format rpc can undo itself.")
    database = _database(path, name)
    absent = {one.strip() for one in (without or "").split(",")}
    chosen = options(database)
    every = needs(chosen.approvals, sources(database), chosen.unique)
    wanted = [need for need in every if need.module not in absent]
    grant = access.Grant(needs=wanted, login=login or database.user, hosting=database.hosting)
    click.echo(access.undo_xml() if undo else access.FORMATS[form](grant), nl=False)


def _database(path: Path | None, name: str | None) -> Database:
    """The configured one; without a file what the environment says, and by default what is read by default."""
    config = load(path) if path else load(None, BEFORE | {name: one for name, one in os.environ.items() if one})
    found = [one for one in config.databases if name in {None, one.name}]
    if not found:
        faults = [fault for one in config.skipped if one.name == name for fault in one.faults]
        fail(*faults or [f"There is no database {name} in the configuration: known are {_names(config)}."])
    return found[0]


def _names(config: Config) -> str:
    return ", ".join(one.name for one in config.databases)
