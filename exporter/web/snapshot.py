"""What a scrape shows: the stored totals, and what is computed from the store at the moment of the scrape."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.domain.times import SECOND, micros
from exporter.domain.told import Labels, Measurement
from exporter.fold.tell import decode_run
from exporter.store.encoded import Signal
from exporter.store.entries import PollReport
from exporter.store.protocols import FOLD, Reader
from exporter.telemetry.exposition import openmetrics, text
from exporter.telemetry.instruments import DATABASE_LABEL
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import StoredSeries

_DROPPED = "odoo_otel_store_dropped_total"
_FINDING = "odoo.finding."
STALE_AFTER = 3  # polls that may be missed before what a Source says is called stale
_JOB_WAITS = frozenset({"pending", "enqueued", "wait_dependencies"})
_OTHERS = "n8n/"  # Sources that are not Odoo: what they say of themselves is no word about it
OpenRun = tuple[str, str, str, int, datetime]
_LABELS: Mapping[str, str] = {  # of the gauges that say since when
    "odoo_cron_longest_running_start_timestamp_seconds": "cron",
    "odoo_job_oldest_pending_timestamp_seconds": "channel",
    "odoo_job_longest_running_start_timestamp_seconds": "channel",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is needed to show one tenant.

    Attributes:
        poll_seconds: how often its Sources are asked; `seldom`: those that are asked less often.
        version, environment: for odoo_info.
        decisions: states of documents that wait for somebody's decision.
    """

    name: str
    poll_seconds: float
    version: str = ""
    environment: str = ""
    decisions: frozenset[str] = frozenset()
    seldom: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Snapshot:
    """Renders the exposition; reads the store and nothing else (a scrape never calls Odoo).

    Attributes:
        errors: failed requests of this process by (signal, reason).
        refused: requests that the intake of this process refused, by reason.
        kept: gauges of the store and its disk, by name.
        hooks: webhooks that came to this process, by (hook, outcome); `lines`: lines of Odoo's log, by what they were.
    """

    reader: Reader
    tenants: Callable[[], Sequence[Shown]]
    errors: Callable[[], Mapping[tuple[Signal, str], int]]
    now: Callable[[], datetime]
    version: str
    refused: Callable[[], Mapping[str, int]] = dict
    hooks: Callable[[], Mapping[tuple[str, str], int]] = dict
    lines: Callable[[], Mapping[str, int]] = dict
    kept: Callable[[], Mapping[str, int]] = dict

    def render(self, as_openmetrics: bool) -> bytes:  # noqa: FBT001 - web.app's Render
        """The whole exposition in OpenMetrics 1.0 or in text format 0.0.4."""
        return (openmetrics if as_openmetrics else text)(self.groups())

    def groups(self) -> list[tuple[Labels, list[StoredSeries]]]:
        """Every series: those of each database under its label, then the program's own under none."""
        each = [(((DATABASE_LABEL, one.name),), self._tenant(one)) for one in self.tenants()]
        return [*each, ((), list(self._own()))]

    def _tenant(self, shown: Shown) -> list[StoredSeries]:
        at = self.now()
        found = [
            *self._sources(shown, at),
            *_open(self.reader.open_runs(shown.name), shown.decisions, at),
            *self._lag(shown.name, at),
            *self._findings(shown.name, at),
            *(_gauge(_DROPPED, {"what": what}, n, at) for what, n in self.reader.dropped(shown.name).items()),
            _info("odoo_info", {"version": shown.version or "unknown", "environment": shown.environment}, at),
        ]
        return [*self.reader.totals(shown.name), *Totals().add(found)]

    def _sources(self, shown: Shown, at: datetime) -> Iterator[Measurement]:
        reports = self.reader.reports(shown.name)
        polled = [report for report, _ in reports if not report.source.startswith(_OTHERS)]
        yield _gauge("odoo_up", {}, int(bool(polled) and all(r.ok for r in polled)), at)
        for report, success in reports:
            every = shown.seldom.get(report.source, shown.poll_seconds)
            yield from _report(report, success, at, timedelta(seconds=every))

    def _findings(self, tenant: str, at: datetime) -> Iterator[Measurement]:
        """What open Findings say; closed ones are gone, so that the number of series is that of open ones."""
        for row in self.reader.open_findings(tenant):
            run = decode_run(row.body)
            said = {name.removeprefix(_FINDING): str(value) for name, value in run.attributes}
            described = {"name": run.title, "since": said["since"], "trace_id": row.trace_id.hex()}
            identity = {"detector": said["detector"], "subject": run.workflow, "severity": said["severity"]}
            yield _info("odoo_finding_info", {**identity, **described, "sentence": said["sentence"]}, at)
            learned = {"detector": said["detector"], "subject": run.workflow}
            for name, value in _learned(dict(run.attributes)):
                yield _gauge(name, learned, value, at)

    def _lag(self, tenant: str, at: datetime) -> Iterator[Measurement]:
        waiting, oldest = self.reader.lag(tenant, FOLD)
        yield _gauge("odoo_otel_fold_lag", {}, waiting, at)
        if oldest is not None:
            yield _gauge("odoo_otel_fold_oldest_timestamp_seconds", {}, micros(oldest), at)

    def _own(self) -> Iterator[StoredSeries]:
        at = self.now()
        found = [_info("odoo_otel_build_info", {"version": self.version}, at)]
        for signal, items, oldest in self.reader.outbox():
            found.append(_gauge("odoo_otel_outbox_items", {"signal": signal}, items, at))
            if oldest is not None:
                found.append(
                    _gauge("odoo_otel_outbox_oldest_timestamp_seconds", {"signal": signal}, micros(oldest), at)
                )
        for (signal, outcome), rows in self.reader.sent().items():
            found.append(_gauge("odoo_otel_exported_total", {"signal": signal, "outcome": outcome}, rows, at))
        for (signal, reason), number in self.errors().items():
            found.append(_gauge("odoo_otel_export_errors_total", {"signal": signal, "error_type": reason}, number, at))
        for reason, number in self.refused().items():
            found.append(_gauge("odoo_otel_refused_total", {"reason": reason}, number, at))
        for (hook, outcome), number in self.hooks().items():
            found.append(_gauge("odoo_otel_webhooks_total", {"hook": hook, "outcome": outcome}, number, at))
        for outcome, number in self.lines().items():
            found.append(_gauge("odoo_otel_log_lines_total", {"outcome": outcome}, number, at))
        found += [_gauge(name, {}, value, at) for name, value in self.kept().items()]
        yield from Totals().add(found)


def _learned(said: Mapping[str, str | float | int | bool]) -> Iterator[tuple[str, int]]:
    """What a learned Finding says in numbers, in millionths; declared limits have neither p nor band."""
    p, observed, high = (said.get(f"{_FINDING}{name}") for name in ("p", "observed", "high"))
    if p is not None:
        yield "odoo_anomaly_score", round((1 - float(p)) * SECOND)
        if observed is not None and high is not None:
            yield "odoo_anomaly_observed_seconds", round(float(observed) * SECOND)
            yield "odoo_anomaly_threshold_seconds", round(float(high) * SECOND)


def _gauge(name: str, labels: Mapping[str, str], value: int, at: datetime) -> Measurement:
    return Measurement(name=name, labels=tuple(labels.items()), value=value, at=at)


def _info(name: str, labels: Mapping[str, str], at: datetime) -> Measurement:
    return _gauge(name, labels, 1, at)


def _report(report: PollReport, success: datetime | None, at: datetime, every: timedelta) -> Iterator[Measurement]:
    source: Labels = (("source", report.source),)
    labels = dict(source)
    stale = success is None or at - success > max(STALE_AFTER * every, timedelta(minutes=1))
    yield _gauge("odoo_source_success", labels, int(report.ok), at)
    yield _gauge("odoo_source_duration_seconds", labels, int(report.seconds * 1_000_000), at)
    yield _gauge("odoo_source_stale", labels, int(stale), at)
    yield _gauge("odoo_source_refused_rows_total", labels, report.refused, at)
    if success is not None:
        yield _gauge("odoo_source_last_success_timestamp_seconds", labels, micros(success), at)


def _open(rows: Sequence[OpenRun], decisions: frozenset[str], at: datetime) -> Iterator[Measurement]:
    """Open Runs as gauges: how many in which state, and since when the oldest of them."""
    oldest: dict[tuple[str, str], datetime] = {}
    for kind, workflow, state, number, since in rows:
        waits = kind == "record" and state in decisions
        for name, labels in _counted(kind, workflow, state, waits=waits):
            yield _gauge(name, labels, number, at)
        for name in _ages(kind, state, waits=waits):
            oldest[name, workflow] = min(since, oldest.get((name, workflow), since))
    for (name, workflow), since in oldest.items():
        yield _gauge(name, {_LABELS.get(name, "workflow"): workflow}, micros(since), at)


def _counted(kind: str, workflow: str, state: str, *, waits: bool) -> Iterator[tuple[str, dict[str, str]]]:
    if kind == "cron":
        yield "odoo_cron_running", {"cron": workflow}
    elif kind == "job":
        yield "odoo_jobs", {"channel": workflow, "state": state}
    elif kind == "record":
        yield "odoo_workflow_active", {"workflow": workflow, "state": state}
        if waits:
            yield "odoo_approvals", {"workflow": workflow, "state": state}
    elif kind == "execution":
        yield "odoo_n8n_open_executions", {"workflow": workflow, "state": state}


def _ages(kind: str, state: str, *, waits: bool) -> Iterator[str]:
    if kind == "cron":
        yield "odoo_cron_longest_running_start_timestamp_seconds"
    elif kind == "job":
        yield (
            "odoo_job_oldest_pending_timestamp_seconds"
            if state in _JOB_WAITS
            else "odoo_job_longest_running_start_timestamp_seconds"
        )
    elif kind == "execution" and state == "waiting":
        yield "odoo_n8n_oldest_waiting_timestamp_seconds"
    elif waits:
        yield "odoo_approval_oldest_pending_timestamp_seconds"
