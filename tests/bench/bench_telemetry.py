"""Encoding spans beside the SDK, and rendering a scrape beside prometheus_client, in the same run."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import process_time

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from exporter.domain.runs import Attributes, Run, Step
from exporter.domain.tenants import Tenant
from exporter.domain.times import SECOND, micros
from exporter.domain.told import Exemplar, Labels, Measurement, Span
from exporter.fold.tell import tell
from exporter.telemetry import exposition, otlp
from exporter.telemetry.instruments import INSTRUMENTS, Instrument
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import Series

BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
TENANT = Tenant(name="shop", database="shop", uuid="6f2c", url="https://odoo.example.com")
SPANS = 18_000
ROUNDS = 3
ATTRIBUTES = 11
QUEUE = 100_000  # spans the SDK may hold: with its default of 2,048 it drops the rest
LINES = 36_000
_EXEMPLAR = Exemplar(trace_id="01" * 16, span_id="02" * 8)


def spans_vs_sdk() -> dict[str, float]:
    """Run -> encoded span bytes with 11 attributes, spans per second of CPU, and the SDK's of the same Runs.

    Both sides begin with the Run and let fold.tell say what its spans are (and what is counted and observed). Ours
    encodes them as the fold does; the peer makes them with tracer, processor and encoder. `spans_vs_sdk_ready` is the
    SDK's figure where somebody else has told the spans before the clock runs: with it we pay for telling, it does not.
    """
    runs = [_run(number) for number in range(SPANS // 3)]
    ready = [_told(run) for run in runs]
    if {len(span.attributes) for spans in ready for span in spans} != {ATTRIBUTES}:
        raise ValueError(f"not every span has {ATTRIBUTES} attributes")
    ours, peer = _best(lambda: _through_us(runs), lambda: through_the_sdk(map(_told, runs)))
    _, given = _best(lambda: _through_us(runs), lambda: through_the_sdk(ready))
    return {"spans_vs_sdk": SPANS / ours, "spans_vs_sdk_peer": SPANS / peer, "spans_vs_sdk_ready": SPANS / given}


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
    """A queue job with two Steps: three spans, as most Runs have; of ATTRIBUTES each."""
    started = BEGIN + timedelta(seconds=number)
    ended = started + timedelta(milliseconds=1500)
    about: Attributes = (
        ("odoo.job.attempt", 1),
        ("odoo.job.retried", False),
        ("odoo.job.exec_time", started.timestamp() % 977),
        ("messaging.system", "odoo_queue_job"),
        ("messaging.operation.type", "process"),
    )
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
        attributes=(
            ("odoo.job.attempts", 1),
            ("odoo.job.attempts.unseen", 0),
            ("odoo.job.exec_time", started.timestamp() % 977),
        ),
        steps=(
            Step(
                role="pending",
                name="job.pending",
                started_at=started,
                ended_at=started,
                wait="queue",
                attributes=about,
            ),
            Step(
                role="attempt/1",
                name="job.attempt",
                started_at=started,
                ended_at=ended,
                result="success",
                attributes=about,
            ),
        ),
    )


def _told(run: Run) -> tuple[Span, ...]:
    """The spans of a Run, its root last."""
    return tuple(tell(run, TENANT).spans)


def _through_us(runs: Iterable[Run]) -> int:
    return sum(len(otlp.encode_span(span)) for run in runs for span in _told(run))


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


def through_the_sdk(told: Iterable[Sequence[Span]]) -> int:
    """Make and encode spans, those of a Run together and its root last, as a program with the SDK does; how many."""
    exporter, ids_of_run = _Encoding(), _Ids()
    provider = TracerProvider(id_generator=ids_of_run, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=QUEUE))
    tracer = provider.get_tracer("odoo_otel.odoo/jobs")
    given = 0
    for spans in told:
        _with_tracer(tracer, ids_of_run, spans)
        given += len(spans)
    provider.shutdown()
    if exporter.spans != given:
        message = f"the SDK encoded {exporter.spans} of {given} spans"
        raise ValueError(message)
    return exporter.spans


def _with_tracer(tracer: Tracer, ids_of_run: _Ids, spans: Sequence[Span]) -> None:
    """The same spans by the API, the steps below the root."""
    above = None
    for span in (spans[-1], *spans[:-1]):
        ids_of_run.next = (span.trace_id, span.span_id)
        made = tracer.start_span(
            span.name,
            context=above,
            kind=SpanKind.INTERNAL if above else SpanKind.CONSUMER,
            attributes=dict(span.attributes),
            start_time=micros(span.started_at) * 1000,
        )
        made.end(end_time=micros(span.ended_at) * 1000)
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
