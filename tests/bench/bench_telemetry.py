"""Encoding spans beside the SDK, and rendering a scrape beside prometheus_client, in the same run."""

import gc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import process_time

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from exporter.domain import ids
from exporter.domain.runs import Attributes, Run, Step
from exporter.domain.tenants import Tenant
from exporter.domain.times import SECOND, micros
from exporter.domain.told import Exemplar, Labels, Measurement, Span
from exporter.telemetry import exposition, otlp
from exporter.telemetry.instruments import INSTRUMENTS, Instrument
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import Series

BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
TENANT = Tenant(name="shop", database="shop", uuid="6f2c", url="https://odoo.example.com")
SPANS = 18_000
ROUNDS = 3
LINES = 36_000
_EXEMPLAR = Exemplar(trace_id="01" * 16, span_id="02" * 8)


def spans_vs_sdk() -> dict[str, float]:
    """Run -> encoded span bytes with 11 attributes, spans per second of CPU; the peer is tracer, processor, encoder."""
    runs = [_run(number) for number in range(SPANS // 3)]
    ours, peer = _best(lambda: _through_us(runs), lambda: _through_the_sdk(runs))
    return {"spans_vs_sdk": SPANS / ours, "spans_vs_sdk_peer": SPANS / peer}


def scrape_36k() -> dict[str, float]:
    """One scrape of 36,000 lines, seconds of CPU: ours from stored bytes, the peer's from its registry in memory."""
    totals, registry = _totals(), _registry()
    groups = [((("odoo_database", "shop"),), totals)]
    wanted = len(exposition.text(groups).splitlines())
    if wanted != len(generate_latest(registry).splitlines()) or wanted < LINES:
        message = f"the two scrapes differ in length: {wanted} and {len(generate_latest(registry).splitlines())} lines"
        raise ValueError(message)
    ours, peer = _best(lambda: len(exposition.text(groups)), lambda: len(generate_latest(registry)))
    return {"scrape_36k_s": ours, "scrape_36k_s_peer": peer}


def _best(ours: Callable[[], int], peer: Callable[[], int]) -> tuple[float, float]:
    """Seconds of CPU, all threads of this process, of the best of some rounds; the two take turns."""
    rounds = [(_seconds(ours), _seconds(peer)) for _ in range(ROUNDS)]
    return min(mine for mine, _ in rounds), min(theirs for _, theirs in rounds)


def _seconds(work: Callable[[], int]) -> float:
    gc.collect()
    began = process_time()
    work()
    return process_time() - began


def _run(number: int) -> Run:
    """A queue job with two Steps: three spans, as most Runs have."""
    started = BEGIN + timedelta(seconds=number)
    ended = started + timedelta(milliseconds=1500)
    return Run(
        kind="job",
        workflow="root.sale",
        subject=f"job/{number}",
        model="queue.job",
        record_id=f"5d5c7c3c-{number:08}",
        key="0",
        trace_key="0",
        title="Post invoices",
        started_at=started,
        ended_at=ended,
        result="success",
        steps=(
            Step(role="pending", name="job.pending", started_at=started, ended_at=started, wait="queue"),
            Step(role="attempt/1", name="job.attempt", started_at=started, ended_at=ended, result="success"),
        ),
    )


Part = tuple[str, tuple[bytes, bytes, bytes], tuple[datetime, datetime]]  # name; trace, span, parent id; times


def _parts(run: Run) -> Iterator[Part]:
    """What both sides begin with: the names, ids and times of a Run's spans, the root first."""
    trace, root = ids.trace_id(TENANT, run.model, run.record_id, run.trace_key), _id(run, ids.ROOT)
    yield "process root.sale", (trace, root, b""), (run.started_at, run.ended_at or run.started_at)
    for step in run.steps:
        yield step.name, (trace, _id(run, step.role), root), (step.started_at, step.ended_at or step.started_at)


def _id(run: Run, role: str) -> bytes:
    return ids.span_id(TENANT, (run.model, run.record_id, run.key), role)


def _attributes(run: Run) -> Attributes:
    """11 attributes: four of this Run alone, seven that many share."""
    return (
        ("odoo.workflow.name", run.workflow),
        ("odoo.workflow.instance.id", f"{run.model},{run.record_id}#{run.key}"),
        ("odoo.model", run.model),
        ("odoo.record.id", run.record_id),
        ("odoo.run.result", run.result or "unknown"),
        ("url.full", f"{TENANT.url}/web#id={run.subject}&model={run.model}"),
        ("messaging.system", "odoo_queue_job"),
        ("messaging.operation.type", "process"),
        ("odoo.job.attempts", len(run.steps) - 1),
        ("odoo.job.exec_time", run.started_at.timestamp() % 977),
        ("odoo.job.retried", False),
    )


def _through_us(runs: list[Run]) -> int:
    return sum(len(otlp.encode_span(_span(run, part))) for run in runs for part in _parts(run))


def _span(run: Run, part: Part) -> Span:
    name, (trace, span, parent), (started, ended) = part
    return Span(
        trace_id=trace,
        span_id=span,
        parent_id=parent,
        name=name,
        kind="internal" if parent else "consumer",
        scope="odoo/jobs",
        started_at=started,
        ended_at=ended,
        attributes=_attributes(run),
    )


class _Encoding(SpanExporter):
    """Encodes what it is given, as the OTLP exporter does before it sends."""

    def __init__(self) -> None:
        self.spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count and encode."""
        encode_spans(spans).SerializeToString()
        self.spans += len(spans)
        return SpanExportResult.SUCCESS


class _Ids(IdGenerator):
    """Gives the SDK the ids that the same spans have with us: computed from the Run, as ours are."""

    def __init__(self) -> None:
        self.next = (b"", b"")

    def generate_trace_id(self) -> int:
        """The trace id of the span that is being made."""
        return int.from_bytes(self.next[0], "big")

    def generate_span_id(self) -> int:
        """Its span id."""
        return int.from_bytes(self.next[1], "big")


def _through_the_sdk(runs: list[Run]) -> int:
    exporter, ids_of_run = _Encoding(), _Ids()
    provider = TracerProvider(id_generator=ids_of_run, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=3 * len(runs) + 1))
    tracer = provider.get_tracer("odoo_otel.odoo/jobs")
    for run in runs:
        _with_tracer(tracer, ids_of_run, run)
    provider.shutdown()
    if exporter.spans != 3 * len(runs):
        message = f"the SDK encoded {exporter.spans} of {3 * len(runs)} spans"
        raise ValueError(message)
    return exporter.spans


def _with_tracer(tracer: Tracer, ids_of_run: _Ids, run: Run) -> None:
    """The same spans by the API, the steps below the root."""
    above = None
    for name, (trace, span, _), (started, ended) in _parts(run):
        ids_of_run.next = (trace, span)
        made = tracer.start_span(
            name,
            context=above,
            kind=SpanKind.INTERNAL if above else SpanKind.CONSUMER,
            attributes=dict(_attributes(run)),
            start_time=micros(started) * 1000,
        )
        made.end(end_time=micros(ended) * 1000)
        above = above or set_span_in_context(made)


def _numbered() -> Iterator[tuple[str, str, int]]:
    """(action, result, number): 155 actions with every result there is, as a large instance shows them."""
    for number in range(155):
        for result in ("success", "failure", "error", "cancellation", "partial", "timeout", "unknown"):
            yield f"module_{number}.ir_cron_action", result, number


def _counted() -> Iterator[tuple[str, Labels, int]]:
    """(instrument, labels, value): scheduled actions, queue jobs and some gauges, 36,000 lines and their heads."""
    for action, result, number in _numbered():
        cron: Labels = (("cron", action), ("result", result))
        job: Labels = (("channel", "root"), ("function", action), ("result", result))
        yield "odoo_cron_runs_total", cron, 3
        yield "odoo_cron_run_duration_seconds", cron, number * SECOND
        yield "odoo_job_runs_total", job, 3
        yield "odoo_job_duration_seconds", job, number * SECOND
    for number in range(500):
        yield "odoo_cron_active", (("cron", f"module_{number}.other"),), 1


def _totals() -> list[Series]:
    totals = Totals(cap=500)
    totals.add(
        Measurement(name=name, labels=labels, value=value, at=BEGIN, exemplar=_EXEMPLAR)
        for name, labels, value in _counted()
    )
    return totals.series()


def _registry() -> CollectorRegistry:
    """The same series in prometheus_client, without the `_created` lines it would add."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry, made = CollectorRegistry(), dict[str, Counter | Gauge | Histogram]()
    for name, labels, value in _counted():
        if name not in made:
            made[name] = _made(INSTRUMENTS[name], registry)
        _count(made[name].labels("shop", *(found for _, found in labels)), value)
    return registry


def _made(found: Instrument, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    labels = ("odoo_database", *found.labels)
    if found.kind == "histogram":
        bounds = [bound / SECOND for bound in found.bounds]
        return Histogram(found.name, found.help, labels, registry=registry, buckets=bounds)
    return (Counter if found.kind == "counter" else Gauge)(found.name, found.help, labels, registry=registry)


def _count(child: Counter | Gauge | Histogram, value: int) -> None:
    if isinstance(child, Histogram):
        child.observe(value / SECOND)
    else:
        child.inc(value)
