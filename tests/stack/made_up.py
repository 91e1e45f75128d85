"""A made-up company as /metrics would show it: three databases whose numbers are written down here and nowhere else.

`prod` and `shop` are read, `dark` is an Odoo that does not answer. What grows does so by the clock, TICKS times a
second by its weight, so that every rate, share and quantile is a number that can be worked out by hand
(board_numbers.py).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from time import time

from exporter.domain.times import SECOND
from exporter.domain.told import Labels
from exporter.telemetry.exposition import openmetrics
from exporter.telemetry.instruments import INSTRUMENTS, Instrument
from exporter.telemetry.series import (
    CounterState,
    GaugeState,
    HistogramState,
    InfoState,
    Mark,
    Series,
    State,
    encode_state,
)

TICKS = 10
DAY = 86_400  # seconds
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENTENCE = 'Vacuum took "12 s", 4 times as long as ever.'
SCOPES: tuple[str, ...] = ("prod", "shop", "dark", "")  # "" is the process


@dataclass(frozen=True, slots=True)
class Still:
    """A value that stays."""

    value: int


@dataclass(frozen=True, slots=True)
class Ago:
    """A time, so many seconds before the company began; below zero behind that."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Per:
    """A counter's weight: what it grows by at every tick."""

    weight: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """What a histogram sees at every tick: upper bound in seconds -> how many values in that bucket."""

    weights: Mapping[float, int]


@dataclass(frozen=True, slots=True)
class Described:
    """What an info says: the values of its labels behind the identity."""

    values: tuple[str, ...]


Value = Still | Ago | Per | Buckets | Described


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One series; `labels` in the order of the instrument, without the database."""

    scope: str
    name: str
    labels: tuple[str, ...]
    value: Value

    @property
    def instrument(self) -> Instrument:
        """Its line of the table."""
        return INSTRUMENTS[self.name]

    @property
    def shown(self) -> dict[str, str]:
        """Its labels as Prometheus has them."""
        database = {"odoo_database": self.scope} if self.scope else {}
        described = self.value.values if isinstance(self.value, Described) else ()
        return database | dict(zip(self.instrument.labels, (*self.labels, *described), strict=True))


def _facts(name: str, *rows: tuple[str, str, Value]) -> Iterator[Fact]:
    """(scope, labels by spaces, value) of an instrument."""
    for scope, labels, value in rows:
        yield Fact(scope=scope, name=name, labels=tuple(labels.split()), value=value)


def _written() -> Iterator[Fact]:
    yield from _facts("odoo_up", ("prod", "", Still(1)), ("shop", "", Still(1)), ("dark", "", Still(0)))
    yield from _crons()
    yield from _jobs()
    yield from _approvals()
    yield from _webhooks()
    yield from _sends()
    yield from _n8n()
    yield from _failures()
    yield from _findings()
    yield from _sources()
    yield from _own()


def _crons() -> Iterator[Fact]:
    yield from _facts(
        "odoo_cron_runs_total",
        ("prod", "base.vacuum success", Per(6)),
        ("prod", "base.vacuum failure", Per(2)),
        ("prod", "base.mail timeout", Per(1)),
        ("prod", "base.mail error", Per(1)),
        ("shop", "base.vacuum success", Per(10)),
        ("shop", "base.vacuum failure", Per(0)),
    )
    yield from _facts(
        "odoo_cron_start_delay_seconds",
        ("prod", "base.vacuum", Buckets({30: 60, 60: 40})),
        ("shop", "base.vacuum", Buckets({1: 100})),
    )
    yield from _facts(
        "odoo_cron_run_duration_seconds",
        ("prod", "base.vacuum success", Buckets({5: 80})),
        ("prod", "base.vacuum failure", Buckets({10: 20})),
        ("shop", "base.vacuum success", Buckets({60: 50})),
    )


def _jobs() -> Iterator[Fact]:
    yield from _facts(
        "odoo_job_runs_total",
        ("prod", "root send success", Per(3)),
        ("prod", "root send failure", Per(1)),
        ("shop", "root send success", Per(4)),
        ("shop", "root send cancellation", Per(1)),
        ("shop", "root send failure", Per(0)),
    )
    yield from _facts(
        "odoo_job_duration_seconds",
        ("prod", "root send success", Buckets({0.25: 100})),
        ("shop", "root send success", Buckets({0.5: 60})),
    )
    yield from _facts(
        "odoo_job_wait_duration_seconds",
        ("prod", "root", Buckets({5: 90, 120: 10})),
        ("shop", "root", Buckets({5: 50})),
    )
    yield from _facts(
        "odoo_jobs",
        ("prod", "root pending", Still(5)),
        ("prod", "mail pending", Still(2)),
        ("prod", "root started", Still(1)),
        ("shop", "root pending", Still(3)),
    )
    yield from _facts(
        "odoo_job_oldest_pending_timestamp_seconds",
        ("prod", "root", Ago(600)),
        ("prod", "mail", Ago(60)),
        ("shop", "root", Ago(4000)),
    )
    yield from _facts(
        "odoo_job_longest_running_start_timestamp_seconds", ("prod", "root", Ago(9000)), ("shop", "root", Ago(300))
    )


def _approvals() -> Iterator[Fact]:
    yield from _facts(
        "odoo_approval_decisions_total",
        ("prod", "purchase approved", Per(3)),
        ("prod", "purchase refused", Per(1)),
        ("shop", "sale approved", Per(2)),
    )
    yield from _facts(
        "odoo_approvals",
        ("prod", "purchase to_approve", Still(4)),
        ("prod", "purchase sent", Still(1)),
        ("shop", "sale to_approve", Still(2)),
    )
    yield from _facts(
        "odoo_approval_oldest_pending_timestamp_seconds",
        ("prod", "purchase", Ago(90_000)),
        ("shop", "sale", Ago(700)),
    )
    yield from _facts(
        "odoo_approval_step_duration_seconds",
        ("prod", "purchase to_approve", Buckets({14_400: 60, 28_800: 40})),
        ("shop", "sale to_approve", Buckets({300: 20})),
    )


def _webhooks() -> Iterator[Fact]:
    yield from _facts(
        "odoo_deliveries_total",
        ("prod", "stripe invoice.paid success", Per(6)),
        ("prod", "stripe invoice.payment_failed failure", Per(2)),
        ("prod", "github workflow_run success", Per(3)),
        ("prod", "github workflow_run timeout", Per(1)),
        ("shop", "stripe invoice.paid success", Per(4)),
        ("shop", "mail mail_smtp failure", Per(1)),
    )
    yield from _facts(
        "odoo_delivery_latency_seconds",
        ("prod", "stripe", Buckets({0.5: 100})),
        ("prod", "github", Buckets({0.1: 50})),
        ("shop", "stripe", Buckets({1: 100})),
    )
    yield from _facts("odoo_delivery_schema_drift_total", ("prod", "stripe status", Per(1)))
    yield from _facts(
        "odoo_otel_webhooks_total",
        ("", "stripe accepted", Per(8)),
        ("", "stripe repeated", Per(1)),
        ("", "stripe signature", Per(2)),
        ("", "unknown unknown", Per(1)),
    )
    yield from _facts(
        "odoo_webhook_calls_total",
        ("prod", "odoo-out n8n.example success", Per(5)),
        ("prod", "odoo-out n8n.example failure", Per(1)),
        ("shop", "odoo-in none success", Per(2)),
    )


def _sends() -> Iterator[Fact]:
    yield from _facts("odoo_sends_expected_total", ("prod", "7", Per(10)), ("shop", "11", Per(4)))
    yield from _facts("odoo_sends_received_total", ("prod", "7", Per(11)), ("shop", "11", Per(4)))
    yield from _facts("odoo_sends_executed_total", ("prod", "7", Per(8)), ("shop", "11", Per(4)))
    yield from _facts(
        "odoo_sends_missing_total",
        ("prod", "7 dropped", Per(1)),
        ("prod", "7 not_executed", Per(1)),
        ("prod", "7 rolled_back", Per(2)),
        ("shop", "11 unchanged", Per(1)),
    )


def _n8n() -> Iterator[Fact]:
    yield from _facts(
        "odoo_n8n_executions_total",
        ("prod", "Order success", Per(7)),
        ("prod", "Order failure", Per(2)),
        ("prod", "Approval error", Per(1)),
        ("prod", "Approval cancellation", Per(1)),
        ("shop", "Order success", Per(4)),
        ("shop", "Order timeout", Per(1)),
    )
    yield from _facts(
        "odoo_n8n_execution_duration_seconds",
        ("prod", "Order success", Buckets({1: 80})),
        ("prod", "Order failure", Buckets({5: 20})),
        ("prod", "Approval error", Buckets({60: 10})),
        ("shop", "Order success", Buckets({5: 100})),
    )
    yield from _facts(
        "odoo_n8n_open_executions",
        ("prod", "Approval waiting", Still(3)),
        ("prod", "Order running", Still(1)),
        ("shop", "Approval waiting", Still(2)),
    )
    yield from _facts(
        "odoo_n8n_oldest_waiting_timestamp_seconds", ("prod", "Approval", Ago(5000)), ("shop", "Approval", Ago(60))
    )
    yield from _facts(
        "odoo_n8n_node_errors_total",
        ("prod", "Order NodeApiError false", Per(2)),
        ("prod", "Sync ECONNRESET true", Per(1)),
        ("shop", "Order NodeApiError false", Per(1)),
    )
    yield from _facts(
        "odoo_n8n_wait_duration_seconds",
        ("prod", "Approval human", Buckets({3600: 100})),
        ("shop", "Approval external", Buckets({300: 40})),
    )


def _failures() -> Iterator[Fact]:
    yield from _facts(
        "odoo_failures_total",
        ("prod", "execution technical auth false", Per(2)),
        ("prod", "execution technical timeout true", Per(1)),
        ("prod", "delivery business data false", Per(2)),
        ("shop", "cron technical outage true", Per(3)),
    )


def _findings() -> Iterator[Fact]:
    yield from _facts(
        "odoo_anomaly_active",
        ("prod", "outlier.duration base.vacuum warning", Still(1)),
        ("prod", "result.failing base.c warning", Still(1)),
        ("prod", "schedule.late base.a info", Still(1)),
        ("prod", "schedule.missed base.mail critical", Still(1)),
        ("prod", "limit.stuck base.b critical", Still(1)),
        ("prod", "scheduler.silent scheduler critical", Still(1)),
        ("shop", "outlier.delay base.d warning", Still(1)),
        ("shop", "result.failing base.c warning", Still(0)),  # closed
        ("shop", "send.lost automation/11 critical", Still(1)),
        ("shop", "record.duplicate sale.order warning", Still(1)),
        ("shop", "expectation.absent charged critical", Still(1)),
        ("shop", "integration.slow hook/stripe warning", Still(1)),
    )
    said = ("Vacuum", "2026-11-22T10:00:00Z", TRACE, SENTENCE)
    yield from _facts(
        "odoo_finding_info",
        ("prod", "outlier.duration base.vacuum warning", Described(said)),
        ("shop", "outlier.delay base.d warning", Described(("D", "2026-11-22T11:00:00Z", "00", "It waited."))),
        ("shop", "result.failing base.c warning", Described(("C", "2026-11-22T11:00:00Z", "00", "Over."))),
    )
    yield from _facts("odoo_detectors_last_run_timestamp_seconds", ("prod", "", Ago(5)), ("shop", "", Ago(1000)))


def _sources() -> Iterator[Fact]:
    yield from _facts(
        "odoo_source_last_success_timestamp_seconds",
        ("prod", "odoo/crons", Ago(5)),
        ("prod", "odoo/jobs", Ago(40)),
        ("shop", "odoo/jobs", Ago(100)),
        ("dark", "odoo/crons", Ago(1000)),
    )
    yield from _facts(
        "odoo_source_success",
        ("prod", "odoo/crons", Still(1)),
        ("shop", "odoo/crons", Still(1)),
        ("dark", "odoo/crons", Still(0)),
    )
    yield from _facts(
        "odoo_source_stale",
        ("prod", "odoo/crons", Still(0)),
        ("shop", "odoo/crons", Still(1)),
        ("dark", "odoo/crons", Still(1)),
    )


def _own() -> Iterator[Fact]:
    yield from _facts("odoo_api_key_expiry_timestamp_seconds", ("prod", "", Ago(-DAY)), ("shop", "", Ago(-30 * DAY)))
    yield from _facts("odoo_otel_store_refusing", ("", "", Still(1)))
    yield from _facts("odoo_otel_config_last_reload_successful", ("", "", Still(0)))
    yield from _facts("odoo_otel_fold_lag", ("prod", "", Still(3)), ("shop", "", Still(0)), ("dark", "", Still(12)))
    yield from _facts("odoo_otel_fold_oldest_timestamp_seconds", ("prod", "", Ago(1000)), ("dark", "", Ago(9)))
    yield from _facts("odoo_otel_quarantined_total", ("prod", "", Still(3)), ("shop", "", Still(0)))
    yield from _facts("odoo_otel_outbox_items", ("", "traces", Still(50)), ("", "logs", Still(7)))
    yield from _facts(
        "odoo_otel_exported_total",
        ("", "traces accepted", Per(4)),
        ("", "logs accepted", Still(9)),
        ("", "logs rejected", Still(4)),
    )


def _others(found: Iterable[Fact]) -> Iterator[Fact]:
    """One series of every instrument that nothing above is said of, so that all names go the whole way."""
    known = {fact.name for fact in found}
    plain: dict[str, Value] = {"counter": Per(1), "gauge": Still(2), "histogram": Buckets({5: 1})}
    for name, instrument in INSTRUMENTS.items():
        if name not in known:
            values = tuple(f"some_{label}" for label in instrument.labels)
            own, described = values[: instrument.identity], values[instrument.identity :]
            is_info = instrument.kind == "info"
            yield Fact(
                scope="prod" if instrument.scope == "tenant" else "",
                name=name,
                labels=own if is_info else values,
                value=Described(described) if is_info else plain[instrument.kind],
            )


FACTS: tuple[Fact, ...] = (*(_given := tuple(_written())), *_others(_given))


@dataclass(slots=True)
class Company:
    """The page; `began` is the time everything is counted from."""

    began: float = field(default_factory=lambda: float(int(time())))

    def page(self, _: bool) -> bytes:  # noqa: FBT001 web.app's Render
        """All of it now, as OpenMetrics."""
        return openmetrics(self.groups())

    def groups(self) -> list[tuple[Labels, list[Series]]]:
        """The labels of a database, and its series now."""
        ticks = int((time() - self.began) * TICKS)
        ordered = sorted(FACTS, key=lambda fact: SCOPES.index(fact.scope))
        return [
            (_database(scope), [self._series(fact, ticks) for fact in facts])
            for scope, facts in groupby(ordered, key=lambda fact: fact.scope)
        ]

    def _series(self, fact: Fact, ticks: int) -> Series:
        labels = tuple(zip(fact.instrument.labels, fact.labels, strict=False))
        return Series(name=fact.name, labels=labels, state=encode_state(self._state(fact, ticks)))

    def _state(self, fact: Fact, ticks: int) -> State:
        now, unit = int(time() * SECOND), SECOND if fact.instrument.in_millionths else 1
        match fact.value:
            case Still(value) if fact.instrument.kind == "counter":
                return CounterState(value=value)
            case Still(value):
                return GaugeState(value=value * unit, at=now)
            case Ago(seconds):
                return GaugeState(value=(int(self.began) - seconds) * SECOND, at=now)
            case Per(weight):
                return CounterState(value=weight * ticks)
            case Buckets(weights):
                return _histogram(fact.instrument, weights, ticks)
            case Described(values):
                return InfoState(at=now, values=list(values))


def _histogram(instrument: Instrument, weights: Mapping[float, int], ticks: int) -> HistogramState:
    counts = [0] * (len(instrument.bounds) + 1)
    exemplars: list[Mark | None] = [None] * len(counts)
    for bound, weight in weights.items():
        place = bisect_left(instrument.bounds, round(bound * SECOND))
        counts[place] = weight * ticks
        exemplars[place] = (int(time() * SECOND), TRACE, SPAN, round(bound * SECOND))
    total = sum(round(bound * SECOND) * weight * ticks for bound, weight in weights.items())
    return HistogramState(counts=counts, sum=total, exemplars=exemplars)


def _database(scope: str) -> Labels:
    return (("odoo_database", scope),) if scope else ()
