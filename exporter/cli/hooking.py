"""The commands for webhooks: webhook-setup says what to make in Odoo, webhook-test tries a payload."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from exporter.cli.group import CONFIG, fail, main
from exporter.config import Config, Database, Hook, load
from exporter.errors import Refused
from exporter.tokens import HOOKS, Tokens


@main.command("webhook-test")
@CONFIG
@click.argument("source")
@click.argument("file", type=click.File("rb"))
def webhook_test(path: Path | None, source: str, file: BinaryIO) -> None:
    """Show what the payload in FILE (or -) would become as a webhook of SOURCE.

    SOURCE is a hook of the configuration, a mapping that is shipped, or the file of one. Nothing is stored or sent.
    """
    from exporter import trying
    from exporter.domain.posted import Posted

    posted = Posted(hook=source, raw=file.read(), received_at=datetime.now(UTC))
    try:
        bodies = trying.means(source, load(path) if path else None)(posted)
    except Refused as refused:
        fail(f"it would be refused with {refused.status}: {refused.sentence}")
    for line in trying.shown(bodies, posted):
        click.echo(line)


@main.command("webhook-setup")
@CONFIG
@click.option("--model", default="sale.order", show_default=True, help="Of which documents.")
@click.option("--state", default="sale", show_default=True, help="The state that a document gets into.")
@click.option("--field", default="state", show_default=True, help="The field that holds it.")
@click.option("--address", help="Where Odoo reaches our intake, such as https://otel.example.com.")
@click.option("--format", "form", type=click.Choice(["text", "xml", "shell"]), default="text", show_default=True)
@click.option("--show-token", is_flag=True, help="Print the hook's configured secret as a part of the address.")
@click.option("--new-token", is_flag=True, help="Make another token, good beside the others, and print it: this once.")
@click.argument("hook")
def webhook_setup(
    path: Path | None,
    *,
    hook: str,
    form: str,
    address: str | None,
    show_token: bool,
    new_token: bool,
    **words: str,
) -> None:
    """Print the automation rule with which Odoo tells HOOK of documents; nothing is written to Odoo.

    As steps for a person (text), as a data file of a module (xml) or as code for Odoo's shell.
    """
    from exporter.sources.odoo import webhook_rule as rules

    config = load(path)
    database, found = _odoo_hook(config, hook)
    _require_plain(words)
    token = _token(config, found, show=show_token, new=new_token)
    base = (address or f"http://127.0.0.1:{config.intake_port}").rstrip("/")
    rule = rules.Rule(url=f"{base}/hooks/{found.name}/{token}", **words)
    click.echo(rules.FORMATS[form](rule), nl=False)
    for note in _notes(rule.model, database, address=address, shown=show_token, new=new_token):
        click.echo(note, err=form != "text")


def _odoo_hook(config: Config, name: str) -> tuple[Database, Hook]:
    """A hook to which Odoo can post, with its database."""
    known = [(database, hook) for database in config.databases for hook in database.hooks]
    found = next(((database, hook) for database, hook in known if hook.name == name), None)
    if found is None:
        names = ", ".join(hook.name for _, hook in known) or "none"
        fail(f"there is no hook {name}: name one of the configuration ({names}).")
    hook = found[1]
    if hook.scheme != "token" or (hook.mapping or hook.name) != "odoo":
        fail(f"Odoo can sign nothing: give the hook {name} `scheme: token` and `mapping: odoo`.")
    return found


def _token(config: Config, hook: Hook, *, show: bool, new: bool) -> str:
    """The end of the address."""
    from exporter.sources.odoo.webhook_rule import PLACE

    if new:
        return Tokens(config.state_dir).make(HOOKS + hook.name, datetime.now(UTC)).reveal()
    if show and not hook.secrets:
        fail(f"the tokens of {hook.name} are kept as digests and cannot be shown: make another one with --new-token.")
    return hook.secrets[0].reveal() if show else PLACE


def _require_plain(options: Mapping[str, str]) -> None:
    """Words that stand in XML and in code are names and nothing else; fails where they are not."""
    for name, value in options.items():
        if not re.fullmatch(r"[A-Za-z_][\w. ]{0,63}", value, re.ASCII):
            fail(f"--{name} must be a technical name, such as sale.order or sale.")


def _notes(model: str, database: Database, *, address: str | None, shown: bool, new: bool) -> Iterator[str]:
    """What the person who applies it has to know."""
    if new:
        yield "The token is shown this once, its digest alone is kept; others stay good: see `odoo-otel token list`."
    elif not shown:
        yield "TOKEN stands for a token: --new-token makes one, --show-token prints the first of the configuration."
    if address is None:
        yield "The address is that of this machine: --address names another, with TLS in front of it."
    if model not in database.approvals:
        yield f"{model} is not read yet: name it under `approvals` of {database.name}, or its webhooks are not checked."
