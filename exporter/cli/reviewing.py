"""The commands for what was set aside: refused list, show, retry."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path

import click

from exporter.calling import call
from exporter.cli.group import STATE, fail, main
from exporter.cli.opening import opened
from exporter.config import STORE_FILE
from exporter.store import open_reader
from exporter.store.review import HOOKS, SetAside
from exporter.tokens import OPERATOR

TIMEOUT = 30.0  # seconds
NUMBER = click.IntRange(1, 2**63 - 1)


@main.group()
def refused() -> None:
    """What was set aside: webhooks nobody understood, facts the fold refused, spans a server refused."""


@refused.command("list")
@STATE
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(state: Path, *, limit: int, as_json: bool) -> None:
    """List it, newest first: number, database, where it comes from, whose address (of webhooks), why."""
    for one in open_reader(state / STORE_FILE).set_aside(limit):
        click.echo(json.dumps(_fields(one)) if as_json else _line(one))


@refused.command()
@STATE
@click.argument("number", type=NUMBER)
def show(state: Path, *, number: int) -> None:
    """Show one: why, what is known of it, and of a webhook its body, in which texts are masked."""
    one = _found(state, number)
    for name, value in _fields(one).items():
        if value != "":
            click.echo(f"{name}: {value}")
    if one.origin.startswith(HOOKS):
        click.echo(one.body.decode(errors="replace"))


@refused.command()
@STATE
@click.option("--intake", default="http://127.0.0.1:9465", show_default=True, help="Where the service takes webhooks.")
@click.argument("number", type=NUMBER)
def retry(state: Path, *, intake: str, number: int) -> None:
    """Have the running service try a webhook again, once its mapping was mended and read again (SIGHUP).

    It leaves the list when it is taken. Where its id was masked it cannot be told apart: have the sender send it again.
    """
    with opened(state, OPERATOR) as token:
        ids = _retried(f"{intake}/v1/refused/{number}", intake, {"Authorization": f"Bearer {token.reveal()}"})
    click.echo(f"taken: {', '.join(ids)}")


def _retried(address: str, intake: str, headers: Mapping[str, str]) -> Sequence[str]:
    request = urllib.request.Request(address, method="POST", headers={**headers})  # noqa: S310 - the operator's own
    try:
        with call(request, TIMEOUT) as answer:
            return [str(one) for one in json.load(answer)["ids"]]
    except urllib.error.HTTPError as error:
        fail(error.read().decode(errors="replace").strip() or f"{intake} answered {error.code}: is this its --state?")
    except (ValueError, KeyError, TypeError):
        fail(f"{intake} gave an answer that is not one of `odoo-otel run`: say its address with --intake.")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        fail(f"{intake} does not answer ({reason}): start `odoo-otel run`, or say --intake.")


def _found(state: Path, number: int) -> SetAside:
    one = open_reader(state / STORE_FILE).aside(number)
    if one is None:
        fail(f"Nothing was set aside under {number}: see `odoo-otel refused list`.")
    return one


def _line(one: SetAside) -> str:
    return f"{one.id:>6}  {one.tenant}  {one.origin}  {_sender(one) or '-'}  {one.reason}"


def _sender(one: SetAside) -> str:
    """The address that a webhook came from, "" where that is not known."""
    return str(json.loads(one.head).get("sender", "")) if one.origin.startswith(HOOKS) else ""


def _fields(one: SetAside) -> dict[str, object]:
    return {
        "number": one.id,
        "database": one.tenant,
        "origin": one.origin,
        "sender": _sender(one),
        "reason": one.reason,
        "key": one.key,
        "head": one.head,
    }
