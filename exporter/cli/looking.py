"""Commands that show what is stored: runs, findings, sends, trace."""

import json
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import click

from exporter.cli.group import STATE, fail, main
from exporter.config import STORE_FILE
from exporter.store import open_reader
from exporter.store.entries import RunRow

FINDINGS = 10_000  # that are looked at, the newest
SENDS = 100_000  # likewise


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
@click.option("--hours", type=click.FloatRange(0, 24 * 366), default=24.0, show_default=True, help="Of the last hours.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, also for those that are complete.")
@click.argument("database")
def sends(state: Path, *, database: str, hours: float, as_json: bool) -> None:
    """Hold the webhooks that rules of DATABASE should have sent against those that came and what n8n ran."""
    from exporter import sends_shown

    reader = open_reader(state / STORE_FILE)
    if database not in reader.tenants():
        fail(f"{database} is not stored: name one of {', '.join(reader.tenants()) or 'none yet'}.")
    since = datetime.now(UTC) - timedelta(hours=hours)
    rows = [row for _, row in reader.runs(database, limit=SENDS, kind="send") if row.started_at >= since][::-1]
    vague = sends_shown.unevaluable(reader.totals(database))
    lines = (json.dumps(sends_shown.fields(row)) for row in rows)
    for line in lines if as_json else sends_shown.page(database, rows, vague):
        click.echo(line)


@main.command()
@STATE
@click.argument("id_", metavar="ID")
def trace(state: Path, id_: str) -> None:
    """Draw one trace as a tree; ID is the beginning of a trace id, or a run's id."""
    found = open_reader(state / STORE_FILE).trace(id_)
    traces = [list(rows) for _, rows in groupby(sorted(found, key=_trace_id), key=_trace_id)]
    if not traces:
        fail(f"no run and no trace begins with {id_}: `odoo-otel runs` lists them.")
    if len(traces) > 1:
        ids = (rows[0][1].trace_id.hex() for rows in traces[:10])
        fail(f"{id_} is the beginning of {len(traces)} traces: give more of it.", *ids)
    from exporter import terminal

    for line in terminal.trace(traces[0]):
        click.echo(line)


def _trace_id(found: tuple[str, RunRow]) -> bytes:
    return found[1].trace_id
