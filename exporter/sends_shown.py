"""Sends as text for a terminal: three counts, a list for each way to get lost, and the rules nobody can judge."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from exporter.domain.redact import plain
from exporter.fold.tell import decode_run
from exporter.store.entries import RunRow, TotalRow
from exporter.telemetry.series import points
from exporter.terminal import when

RULES = "odoo_automation_info"
STAGES: Mapping[str, str] = {"expected": "expected", "received": "received", "executed": "executed by n8n"}
LISTS: Mapping[str, str] = {
    "dropped": "Dropped on the way (expected, not received)",
    "rolled_back": "Rolled back (received, no change in Odoo)",
    "not_executed": "Not executed (expected, n8n ran nothing)",
    "unchanged": "Record unchanged (executed, nothing in Odoo changed afterwards)",
}
Fields = Mapping[str, str]


def fields(row: RunRow) -> dict[str, str]:
    """One send as plain values."""
    said = {name: str(value) for name, value in decode_run(row.body).attributes}
    return {
        "at": row.started_at.isoformat(),
        "outcome": said["odoo.send.outcome"],
        "record": said["odoo.send.record"],
        "rule": row.workflow,
        "name": said["odoo.automation.rule.name"],
        "trace_id": row.trace_id.hex(),
        **{stage: said[f"odoo.send.{stage}"] for stage in STAGES},
    }


def unevaluable(totals: Iterable[TotalRow]) -> list[Fields]:
    """The rules that send webhooks and cannot be judged from outside, with the reason."""
    rules = (dict(labels) for _, labels, _ in points(row for row in totals if row.name == RULES))
    found = [rule for rule in rules if rule["sends"] == "yes" and rule["unevaluable"] != "none"]
    return sorted(found, key=lambda rule: (len(rule["rule"]), rule["rule"]))


def page(database: str, rows: Sequence[RunRow], vague: Sequence[Fields]) -> Iterator[str]:
    """The lines of an answer."""
    sends = [(row, fields(row)) for row in rows]
    counts = (f"{sum(said[stage] == 'True' for _, said in sends)} {words}" for stage, words in STAGES.items())
    yield f"{plain(database)}: {', '.join(counts)}"
    for outcome, title in LISTS.items():
        mine = [(row, said) for row, said in sends if said["outcome"] == outcome]
        yield f"{title}: {len(mine)}"
        yield from (f"  {_line(row, said)}" for row, said in mine)
    if vague:
        yield f"Rules that cannot be judged from outside: {len(vague)}"
        yield from (f"  {one['rule']}  {plain(one['name'])} ({one['model']}): {one['unevaluable']}" for one in vague)


def _line(row: RunRow, said: Fields) -> str:
    rule = f"rule {said['rule']} {plain(said['name'])}"
    return f"{when(row.started_at)}  {plain(said['record'])}  {rule}  trace {row.trace_id.hex()[:12]}"
