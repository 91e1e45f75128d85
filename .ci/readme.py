"""The tables of README.md that are made from tables in the code; .ci/pages.py writes them."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exporter.domain.contract import FINDINGS  # noqa: E402 the checkout comes first on the path
from exporter.domain.runs import Run  # noqa: E402
from exporter.fold.voices import VOICES, Voice  # noqa: E402
from exporter.telemetry.instruments import INSTRUMENTS  # noqa: E402

README = ROOT / "README.md"
BEGIN, END = "<!-- {name}: written by make docs -->\n", "<!-- end of {name} -->"


class Family(NamedTuple):
    """Instruments that speak of one thing: how their names begin, those to look at first, what they say."""

    prefixes: tuple[str, ...]
    first: tuple[str, ...]
    says: str


FAMILIES = (
    Family(
        prefixes=("cron_",),
        first=(
            "cron_runs_total",
            "cron_run_duration_seconds",
            "cron_start_delay_seconds",
            "cron_last_success_timestamp_seconds",
            "cron_next_run_timestamp_seconds",
        ),
        says="how scheduled actions end, how long they take, how late they begin; when one worked last, when it is due",
    ),
    Family(
        prefixes=("job_", "jobs"),
        first=("job_runs_total", "job_retries_total", "job_errors_total", "jobs"),
        says="how queue jobs end and why, how often they are tried again, what waits",
    ),
    Family(
        prefixes=("approval_", "approvals", "workflow_"),
        first=("approval_step_duration_seconds", "approval_decisions_total", "approvals"),
        says="how long decisions take, what was decided, what waits",
    ),
    Family(
        prefixes=("deliver", "webhook_", "integration_"),
        first=(
            "deliveries_total",
            "delivery_latency_seconds",
            "webhook_calls_total",
            "webhook_received_total",
            "integration_slow_total",
        ),
        says="what webhooks and mails tell and how late they come, those that Odoo calls and takes, what is slow",
    ),
    Family(
        prefixes=("sends_", "automation_"),
        first=("sends_expected_total", "sends_received_total", "sends_executed_total", "sends_missing_total"),
        says="webhooks that automation rules had to send: how many came, n8n worked on, and where the others ended",
    ),
    Family(
        prefixes=("n8n_",),
        first=(
            "n8n_executions_total",
            "n8n_execution_duration_seconds",
            "n8n_wait_duration_seconds",
            "n8n_node_errors_total",
            "n8n_open_executions",
        ),
        says="how executions of n8n end, how long they work and wait, which nodes fail, what goes on",
    ),
    Family(
        prefixes=("expectations_", "record_"),
        first=("expectations_total", "record_duplicates_total"),
        says="what did not follow though it had to, and records of which there are two",
    ),
    Family(
        prefixes=("failures_",), first=("failures_total",), says="why anything failed, and whether it passes by itself"
    ),
    Family(
        prefixes=("anomal", "finding_", "detector"),
        first=("anomaly_active", "finding_info", "detectors_last_run_timestamp_seconds"),
        says="what is wrong now, in a sentence, and whether the detectors look",
    ),
    Family(
        prefixes=("up", "info", "source_", "api_key_", "blind_spot", "coverage_"),
        first=("up", "source_success", "source_stale", "blind_spot", "coverage_runs_total"),
        says="whether we can see at all (dark never reads as resolved), what we are blind to, how whole the traces are",
    ),
    Family(
        prefixes=("otel_",),
        first=("otel_outbox_items", "otel_exported_total", "otel_fold_lag", "otel_store_used_bytes"),
        says="whether telemetry arrives, and what this program itself needs",
    ),
)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _head(*titles: str) -> str:
    return _row(*titles) + f"|{'---|' * len(titles)}\n"


def _placeholder(kind: str, voice: Voice) -> str:
    """The name of a root span, with a word in braces where a name is put in."""
    name = f"{{{voice.named}}}"
    run = Run(
        kind=kind,
        workflow=name,
        subject="",
        model="",
        record_id="",
        key="",
        trace_key="",
        title=name,
        started_at=datetime.min.replace(tzinfo=UTC),
        attributes=(("odoo.finding.detector", name),),
    )
    return voice.root(run)


def spans() -> str:
    """What is told as traces, from the table of voices."""
    rows = (
        _row(voice.about[0], f"{voice.about[1]}: `{_placeholder(kind, voice)}`", voice.parts)
        for kind, voice in VOICES.items()
    )
    return _head("of Odoo and around it", "trace", "parts") + "".join(rows)


def metrics() -> str:
    """The metrics to begin with; KeyError for one that is not in the table of instruments."""
    rows = (
        _row(", ".join(f"`{INSTRUMENTS[f'odoo_{name}'].name}`" for name in family.first), family.says)
        for family in FAMILIES
    )
    return _head("metrics", "say") + "".join(rows)


def findings() -> str:
    """What may be found, from the contract."""
    return _head("finding", "says", "from") + "".join(
        _row(f"`{name}`", kind.says, kind.basis) for name, kind in FINDINGS.items()
    )


TABLES = {"spans": spans, "metrics": metrics, "findings": findings}


def families_of(name: str) -> Iterator[Family]:
    """Those a metric belongs to: one, if the table is whole."""
    return (family for family in FAMILIES if name.removeprefix("odoo_").startswith(family.prefixes))


def readme() -> str:
    """README.md with its tables as the code says; ValueError where one has no place there."""
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        if not re.search(re.escape(begin) + ".*" + re.escape(end), text, re.DOTALL):
            raise ValueError(f"README.md has no place for the table of {name}")
        before, _, rest = text.partition(begin)
        text = before + begin + "\n" + table() + "\n" + end + rest.partition(end)[2]
    return text
