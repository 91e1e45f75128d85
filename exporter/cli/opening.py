"""Tokens at the command line: one for this command alone, and `odoo-otel token new | list | revoke` for others."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from exporter.cli.group import STATE, fail, main
from exporter.config import Secret
from exporter.config.kinds import NAME
from exporter.tokens import HOOKS, LOGS, Tokens


@contextmanager
def opened(state: Path, opens: str, given: Secret | None = None) -> Iterator[Secret]:
    """A token that opens something of the running service as long as this lasts: what was given, or one of our own.

    Raises:
        ConfigError: the state folder cannot be written.
    """
    if given:
        yield given
        return
    tokens = Tokens(state)
    secret = tokens.make(opens, datetime.now(UTC), own=True)
    try:
        yield secret
    finally:
        tokens.forget(secret)


@main.group("token")
def token_() -> None:
    """Make, list and revoke tokens of those who post to the service; only their digests are kept."""


@token_.command()
@STATE
@click.argument("opens")
def new(state: Path, opens: str) -> None:
    """Make a token beside those that are there, and print it: this once.

    OPENS is `logs` (a Collector that sends Odoo's log) or `hooks/NAME` (a sender of webhooks whose scheme is `token` or
    `bearer`). It is good at once, while the service runs, too.
    """
    hook = opens.removeprefix(HOOKS)
    if opens != LOGS and not (opens.startswith(HOOKS) and NAME.fullmatch(hook)):
        fail(f"{opens} is nothing that a token opens: say {LOGS}, or {HOOKS}NAME for a hook of the configuration.")
    click.echo(Tokens(state).make(opens, datetime.now(UTC)).reveal())


@token_.command("list")
@STATE
def list_(state: Path) -> None:
    """List what is kept of each: its name, what it opens, when it was made, and if a process made it for itself."""
    for one in Tokens(state).kept():
        own = "  (of a process of ours)" if one.own else ""
        click.echo(f"{one.name}  {one.opens}  {one.made:%Y-%m-%d %H:%M:%S} UTC{own}")


@token_.command()
@STATE
@click.argument("name")
def revoke(state: Path, name: str) -> None:
    """Let the token NAME (see `odoo-otel token list`) open nothing any more, at once."""
    gone = Tokens(state).revoke(name) if re.fullmatch("[0-9a-f]{8}", name) else ()
    if not gone:
        fail(f"there is no token {name}: see `odoo-otel token list`.")
    click.echo(f"revoked: {gone[0].opens}")
