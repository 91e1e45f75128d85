"""What of a Run is told where everything would cost too much: by model, by company, by signal, and by chance.

Whatever is left out is counted (`odoo_otel_left_out_total`). What chance or a switch leaves out stays in the store for
`odoo-otel runs` and is seen by the detectors; what is excluded leaves no trace but its facts. Failures are never left
to chance.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.runs import Run
from exporter.domain.told import Measurement, Span, Told

ALL_SIGNALS = frozenset({"traces", "metrics", "logs"})
# What is said of ourselves is said however little is told of Odoo.
OWN = tuple(f"odoo_{part}_" for part in ("otel", "detectors"))
_RANDOM = 7  # of a trace id, the rightmost bytes are random (W3C Trace Context level 2); our ids are digests
_SPACE = 1 << (8 * _RANDOM)
LEFT_OUT = "odoo_otel_left_out_total"


class Choice(Struct, frozen=True, kw_only=True, gc=False):
    """What the operator wants to be told.

    Attributes:
        models, companies: of these only; empty: of all. Runs that name none are told.
        no_models, no_companies: never of these; they count more.
        signals: which of traces, metrics and logs leave.
        ratio: the share of successful Runs whose spans leave, by trace, from 0 to 1.
    """

    models: frozenset[str] = frozenset()
    no_models: frozenset[str] = frozenset()
    companies: frozenset[int] = frozenset()
    no_companies: frozenset[int] = frozenset()
    signals: frozenset[str] = ALL_SIGNALS
    ratio: float = 1.0


EVERYTHING = Choice()


def is_wanted(run: Run, choice: Choice) -> bool:
    """Whether a Run is told at all: a job is of its own model, and of the queue's."""
    if run.kind == "finding":
        return True
    about = dict(run.attributes)
    models = {run.model, str(about.get("odoo.job.model", run.model))}
    company = about.get("odoo.company.id")
    if models & choice.no_models or company in choice.no_companies:
        return False
    return (not choice.models or bool(models & choice.models)) and (
        not choice.companies or company is None or company in choice.companies
    )


def is_sampled(trace_id: bytes, ratio: float) -> bool:
    """Whether chance keeps a trace: the same for every span of it, here and in a Collector that samples consistently.

    The rule is OpenTelemetry's for consistent probability sampling: kept while the random part of the trace id is not
    below the threshold (1 - ratio) * 2^56.
    """
    return int.from_bytes(trace_id[-_RANDOM:], "big") >= round((1 - ratio) * _SPACE)


def choose(run: Run, told: Told, choice: Choice, whole: Callable[[], Iterable[Span]]) -> Told:
    """What is told of it by the operator's choice; `whole` draws all spans of a Run of which some were held back.

    Spans of an open Run are held back where chance does not keep its trace: when it fails, they all leave.
    """
    at = run.ended_at or run.started_at
    if not is_wanted(run, choice):
        rows = (("traces", len(told.spans)), ("logs", len(told.logs)))
        gone = [_left(signal, "excluded", number, at) for signal, number in rows]
        return Told(measurements=tuple(one for one in gone if one.value))
    spans, lost = _spans(run, told.spans, choice, whole)
    logs = told.logs if "logs" in choice.signals else ()
    if len(logs) < len(told.logs):
        lost += (_left("logs", "switched_off", len(told.logs), at),)
    return Told(
        spans=spans,
        logs=logs,
        measurements=(*counted(told.measurements, choice), *lost),
        observations=told.observations,
    )


def counted(measurements: Iterable[Measurement], choice: Choice) -> tuple[Measurement, ...]:
    """The measurements that are counted: with metrics switched off only those of ourselves."""
    if "metrics" in choice.signals:
        return tuple(measurements)
    return tuple(one for one in measurements if one.name.startswith(OWN))


def _spans(
    run: Run, spans: tuple[Span, ...], choice: Choice, whole: Callable[[], Iterable[Span]]
) -> tuple[tuple[Span, ...], tuple[Measurement, ...]]:
    at = run.ended_at or run.started_at
    if "traces" not in choice.signals:
        return (), (_left("traces", "switched_off", len(spans), at),) if spans else ()
    if not spans or choice.ratio >= 1 or run.kind == "finding":
        return spans, ()
    if is_sampled(spans[0].trace_id, choice.ratio):
        return _marked(run, spans, choice.ratio), ()
    if run.ended_at is None:
        return (), ()  # held back: not lost yet
    if run.result != "success":
        return tuple(whole()), ()
    return (), (_left("traces", "sampled", sum(s.ended_at is not None for s in run.steps) + 1, at),)


def _marked(run: Run, spans: tuple[Span, ...], ratio: float) -> tuple[Span, ...]:
    """The root of a success says how many it stands for."""
    if run.result != "success" or not spans:
        return spans
    *steps, root = spans
    return (*steps, replace(root, attributes=(*root.attributes, ("odoo.sample.ratio", ratio))))


def _left(signal: str, reason: str, number: int, at: datetime) -> Measurement:
    return Measurement(name=LEFT_OUT, labels=(("signal", signal), ("reason", reason)), value=number, at=at)
