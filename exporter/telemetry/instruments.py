"""THE table of instruments: every metric this program shows is one line here; docs/metrics.md is made from it.

A line gives the OTLP name; the Prometheus name follows by the OpenTelemetry rule (dots become `_`, then the unit, then
`_total`). Names, labels and bucket bounds are a contract: another meaning is another name. Labels never hold the id or
name of a record (facts/opentelemetry.md 1.2); every instrument of scope `tenant` also carries `odoo_database`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from exporter.domain.times import SECOND

Kind = Literal["counter", "histogram", "gauge", "info"]
Scope = Literal["tenant", "process"]
Stability = Literal["stable", "development"]
Values = tuple[str, ...]
_SUFFIXES: Mapping[str, str] = {"s": "_seconds", "By": "_bytes"}

DATABASE_LABEL = "odoo_database"
PROBABILITY = "{probability}"
_MINUTE, _HOUR, _DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
_MINUTES = (SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE)
WORK = (SECOND // 10, SECOND // 4, SECOND // 2, *_MINUTES, _HOUR)
WAITING = (*_MINUTES, _HOUR, 4 * _HOUR, _DAY)
_DAYS = tuple(days * _DAY for days in (1, 2, 3, 7, 14, 30, 90))
HUMAN = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 8 * _HOUR, *_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One line of the table.

    Attributes:
        otlp: OTLP name, with dots and neither unit nor `_total`.
        unit: UCUM: `s` (measurements are integer microseconds, shown as seconds), `{probability}` (millionths, shown as
            a number up to 1), `By`, or `{thing}` (they are counts).
        labels: in the order in which a Measurement gives them.
        known: label -> values never folded into `#other#`; counters start all of them at zero.
        bounds: upper bounds of a histogram's buckets, in the integers of its measurements.
        identity: of an info: how many leading labels name the thing; the others describe it, and the newest win.
        scope: `tenant` carries `odoo_database`; `process` speaks of this program as a whole.
        name: Prometheus name, made from the others.
    """

    kind: Kind
    otlp: str
    unit: str
    help: str
    labels: Values = ()
    known: Mapping[str, Values] = field(default_factory=dict)
    bounds: tuple[int, ...] = ()
    identity: int = 0
    scope: Scope = "tenant"
    stability: Stability = "stable"
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the Prometheus name."""
        unit = _SUFFIXES.get(self.unit, "")
        total = "_total" if self.kind == "counter" else ""
        object.__setattr__(self, "name", self.otlp.replace(".", "_") + unit + total)

    @property
    def in_millionths(self) -> bool:
        """Whether its integers are microseconds, or millionths of a probability."""
        return self.unit in {"s", PROBABILITY}


def _counter(otlp: str, unit: str, labels: str, about: str, **known: Values) -> Instrument:
    return Instrument(kind="counter", otlp=otlp, unit=unit, help=about, labels=tuple(labels.split()), known=known)


def _histogram(otlp: str, labels: str, about: str, *, bounds: tuple[int, ...]) -> Instrument:
    return Instrument(kind="histogram", otlp=otlp, unit="s", help=about, labels=tuple(labels.split()), bounds=bounds)


def _gauge(otlp: str, unit: str, labels: str, about: str) -> Instrument:
    return Instrument(kind="gauge", otlp=otlp, unit=unit, help=about, labels=tuple(labels.split()))


def _info(otlp: str, identity: str, described: str, about: str) -> Instrument:
    names = tuple(identity.split())
    labels = names + tuple(described.split())
    return Instrument(kind="info", otlp=otlp, unit="{fact}", help=about, labels=labels, identity=len(names))


CRON_RESULTS = ("success", "failure", "error", "partial", "timeout", "unknown")
RESULTS = ("success", "failure", "cancellation")
DROPPED = ("bodies", "keys", "runs", "observations", "subjects", "quarantined")
DECISIONS = ("approved", "refused", "cancelled")

_ODOO = (
    _gauge("odoo.up", "{up}", "", "1 when the last poll of every source of this database succeeded."),
    _info("odoo.info", "", "version environment", "What this database is; always 1."),
)
_CRONS = (
    _info("odoo.cron.info", "cron", "name model interval", "Readable facts to join on `cron`; always 1."),
    _gauge("odoo.cron.active", "{active}", "cron", "1 while Odoo has the scheduled action switched on."),
    _gauge("odoo.cron.consecutive_failures", "{failure}", "cron", "Failures in a row, as Odoo counts them."),
    _gauge("odoo.cron.last_run.timestamp", "s", "cron", "When the newest known run ended."),
    _gauge("odoo.cron.last_success.timestamp", "s", "cron", "When the newest successful run ended."),
    _gauge("odoo.cron.next_run.timestamp", "s", "cron", "When Odoo means to run the action next."),
    _gauge("odoo.cron.running", "{run}", "cron", "Runs of the action that go on."),
    _gauge("odoo.cron.longest_running_start.timestamp", "s", "cron", "When the longest run that goes on started."),
    _counter("odoo.cron.runs", "{run}", "cron result", "Finished runs of scheduled actions.", result=CRON_RESULTS),
    _counter(
        "odoo.cron.done", "{record}", "cron", "What actions that tell their progress have done, as they count it."
    ),
    _gauge("odoo.cron.remaining", "{record}", "cron", "What the newest known run left undone."),
    _histogram("odoo.cron.run_duration", "cron result", "How long runs of scheduled actions took.", bounds=WORK),
    _histogram("odoo.cron.start_delay", "cron", "From the scheduled time to the start of the run.", bounds=WAITING),
)
_JOBS = (
    _gauge("odoo.jobs", "{job}", "channel state", "Queue jobs that are not finished."),
    _gauge("odoo.job.oldest_pending.timestamp", "s", "channel", "When the longest waiting job began to wait."),
    _gauge("odoo.job.longest_running_start.timestamp", "s", "channel", "When the longest running job started."),
    _counter("odoo.job.runs", "{job}", "channel function result", "Finished queue jobs.", result=RESULTS),
    _counter("odoo.job.retries", "{retry}", "channel function", "Attempts after a job's first."),
    _counter("odoo.job.errors", "{error}", "channel function error_type", "Failed jobs, by exception class."),
    _counter("odoo.job.unseen_attempts", "{attempt}", "channel function", "Attempts nobody saw between two polls."),
    _histogram("odoo.job.duration", "channel function result", "How long a job's last attempt worked.", bounds=WORK),
    _histogram("odoo.job.wait_duration", "channel", "From creation, or ETA, to the first start.", bounds=WAITING),
)
_APPROVALS = (
    _gauge("odoo.approvals", "{approval}", "workflow state", "Documents that wait for a decision."),
    _gauge("odoo.approval.oldest_pending.timestamp", "s", "workflow", "Since when the longest waiting one waits."),
    _counter("odoo.approval.decisions", "{decision}", "workflow decision", "Decisions taken.", decision=DECISIONS),
    _histogram("odoo.approval.step_duration", "workflow step", "How long documents stayed in a step.", bounds=HUMAN),
)
_WORKFLOWS = (
    _gauge("odoo.workflow.active", "{run}", "workflow state", "Open Runs of business workflows."),
    _counter("odoo.workflow.runs", "{run}", "workflow result", "Finished Runs of business workflows.", result=RESULTS),
    _histogram("odoo.workflow.duration", "workflow result", "From a record's first to its final state.", bounds=HUMAN),
)
_DELIVERIES = (
    _counter(
        "odoo.deliveries",
        "{delivery}",
        "hook kind result",
        "Webhooks by what they tell, and failed mail.",
        result=RESULTS,
    ),
    _counter("odoo.webhook.calls", "{call}", "direction host result", "Webhooks of Odoo's own, by its log."),
    _counter("odoo.webhook.received", "{call}", "rule result", "Webhooks that Odoo received, by its log."),
    _counter(
        "odoo.integration.slow",
        "{call}",
        "integration criticality",
        "Deliveries and executions that took longer than is tolerated.",
    ),
    _counter("odoo.record.duplicates", "{record}", "model", "Records that share a key which is declared unique."),
    _counter(
        "odoo.expectations",
        "{expectation}",
        "expectation criticality outcome",
        "What had to follow something: whether it did in time.",
        outcome=("fulfilled", "absent"),
    ),
    _histogram("odoo.delivery.latency", "hook", "From the sender's event to its arrival here.", bounds=WORK),
    _counter(
        "odoo.delivery.schema_drift",
        "{field}",
        "hook field",
        "Mapped fields that payloads lack, and unknown ones.",
    ),
)
OUTCOMES = ("dropped", "rolled_back", "not_executed", "unchanged")
_SENDS = (
    _counter("odoo.sends.expected", "{webhook}", "rule", "Webhooks that rules should have sent, by changes seen."),
    _counter("odoo.sends.received", "{webhook}", "rule", "Of those, and of rolled back ones: what reached us."),
    _counter("odoo.sends.executed", "{webhook}", "rule", "Of those that were expected: what n8n ran something for."),
    _counter(
        "odoo.sends.missing",
        "{webhook}",
        "rule outcome",
        "Webhooks that did not get all the way: where they ended.",
        outcome=OUTCOMES,
    ),
    _info(
        "odoo.automation.info",
        "rule",
        "name model trigger sends unevaluable",
        "Readable facts of an automation rule, to join on `rule`; always 1.",
    ),
)
_N8N = (
    _gauge("odoo.n8n.open_executions", "{execution}", "workflow state", "Executions of n8n that go on, by its word."),
    _gauge("odoo.n8n.oldest_waiting.timestamp", "s", "workflow", "Since when the longest parked execution waits."),
    _counter("odoo.n8n.executions", "{execution}", "workflow result", "Executions of n8n that ended.", result=RESULTS),
    _counter(
        "odoo.n8n.node_errors",
        "{error}",
        "workflow error_type continued",
        "Node runs that failed; `continued`: and the workflow went on.",
    ),
    _histogram("odoo.n8n.execution_duration", "workflow result", "From start to end, waits included.", bounds=WORK),
    _histogram("odoo.n8n.wait_duration", "workflow wait", "How long executions were parked.", bounds=HUMAN),
)
_FAILURES = (
    _counter(
        "odoo.failures",
        "{run}",
        "kind class cause transient",
        "Runs of every kind that failed, by why; `transient`: it may well pass by itself.",
    ),
)
GAPS = ("none", "result", "reason", "attempts", "beginning", "nodes")
_SOURCES = (
    _gauge("odoo.source.success", "{success}", "source", "1 when the last poll of the source succeeded."),
    _gauge("odoo.source.duration", "s", "source", "How long the last poll of the source took."),
    _gauge("odoo.source.last_success.timestamp", "s", "source", "When the last successful poll of the source began."),
    _gauge("odoo.source.stale", "{stale}", "source", "1 while what this source says is older than it should be."),
    _gauge("odoo.api_key.expiry.timestamp", "s", "", "When the API key that reads ends; 0: it never does."),
    _gauge("odoo.blind_spot", "{spot}", "source spot why", "1 while this is not seen: no right, not tracked, no log."),
    _counter(
        "odoo.coverage.runs",
        "{run}",
        "kind gap",
        "Finished Runs by what their trace lacks; `none`: it is whole.",
        gap=GAPS,
    ),
    _counter("odoo.source.refused_rows", "{row}", "source", "Rows that were not what the source promises."),
)
_FINDINGS = (
    _gauge("odoo.anomaly.active", "{finding}", "detector subject severity", "1 while the Finding is open, 0 after it."),
    _counter("odoo.anomalies", "{finding}", "detector severity", "Findings that were opened."),
    _gauge(
        "odoo.anomaly.score",
        PROBABILITY,
        "detector subject",
        "1 - p of the newest example of an open, learned Finding.",
    ),
    _gauge(
        "odoo.anomaly.observed", "s", "detector subject", "What the newest example of an open, learned Finding took."
    ),
    _gauge("odoo.anomaly.threshold", "s", "detector subject", "The end of the learned band, which that example left."),
    _info(
        "odoo.finding.info",
        "detector subject severity",
        "name since trace_id sentence",
        "What an open Finding says; gone when it is closed.",
    ),
    _gauge("odoo.detectors.last_run.timestamp", "s", "", "When the detectors last looked at everything."),
    _gauge("odoo.detectors.series", "{series}", "", "Series the detectors looked at."),
    _gauge("odoo.detectors.judged", "{series}", "", "Series with enough history to be judged."),
    _gauge(
        "odoo.detector.training_samples", "{run}", "detector", "Numbers of Runs that the detector has learned from."
    ),
    _gauge("odoo.detector.last_fit.timestamp", "s", "detector", "When the newest Run that it has learned from ended."),
)
_OWN = (
    _gauge("odoo.otel.fold.lag", "{event}", "", "Stored Events that are not folded yet."),
    _gauge("odoo.otel.fold.oldest.timestamp", "s", "", "When the oldest Event not folded yet was seen."),
    _counter("odoo.otel.corrections", "{correction}", "workflow", "Late facts that changed a Run already told."),
    _counter("odoo.otel.quarantined", "{event}", "", "Events set aside because the fold refused them."),
    _counter("odoo.otel.store.dropped", "{row}", "what", "Rows dropped for age or room.", what=DROPPED),
    _counter(
        "odoo.otel.left_out",
        "{row}",
        "signal reason",
        "Spans and log events not told because the configuration says so (`cost`).",
        signal=("traces", "logs"),
        reason=("excluded", "switched_off", "sampled"),
    ),
    _counter("odoo.otel.series_overflow", "{measurement}", "metric", "Measurements counted under `#other#`."),
)
_OUTCOMES = ("accepted", "rejected", "pruned")
_PROCESS = (
    _info("odoo.otel.build_info", "", "version", "The version of this program; always 1."),
    _gauge("odoo.otel.outbox.items", "{row}", "signal", "Encoded rows that wait to be sent."),
    _gauge("odoo.otel.outbox.oldest.timestamp", "s", "signal", "The time of the oldest row that waits."),
    _counter("odoo.otel.exported", "{row}", "signal outcome", "Rows that left the outbox.", outcome=_OUTCOMES),
    _counter("odoo.otel.export_errors", "{error}", "signal error_type", "Requests that failed and are tried again."),
    _counter("odoo.otel.webhooks", "{request}", "hook outcome", "Webhooks that came: taken, repeated, why refused."),
    _counter("odoo.otel.log_lines", "{line}", "outcome", "Lines of Odoo's log that came: all, told, and of nobody."),
    _gauge("odoo.otel.store.size", "By", "", "The file of the store."),
    _gauge("odoo.otel.store.used", "By", "", "What of it holds something."),
    _gauge("odoo.otel.store.log", "By", "", "The write-ahead log beside it."),
    _gauge("odoo.otel.disk.free", "By", "", "What is free on the disk of the store."),
    _gauge("odoo.otel.store.refusing", "{refusing}", "", "1 while nothing new is taken for want of room."),
    _gauge("odoo.otel.config.last_reload_successful", "{successful}", "", "1 when all of it was taken at SIGHUP."),
    _gauge("odoo.otel.config.last_reload_success.timestamp", "s", "", "When all of the configuration was taken last."),
    _counter("odoo.otel.refused", "{request}", "reason", "Requests to the intake that were turned away."),
)


def _table() -> Iterator[Instrument]:
    yield from (*_ODOO, *_CRONS, *_JOBS, *_APPROVALS, *_WORKFLOWS, *_DELIVERIES, *_SENDS, *_N8N, *_FAILURES)
    yield from (*_SOURCES, *_FINDINGS, *_OWN)
    yield from (replace(found, scope="process") for found in _PROCESS)


INSTRUMENTS: Mapping[str, Instrument] = {found.name: found for found in _table()}
OVERFLOW = INSTRUMENTS["odoo_otel_series_overflow_total"]
