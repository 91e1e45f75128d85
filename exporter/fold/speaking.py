"""How a Run is spoken of: its ids, its identity, its spans and log records; tell.py decides which of them are said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import Struct

from exporter.domain import ids
from exporter.domain.runs import BAD, CLAMPED, Attributes, Failure, Run, Step
from exporter.domain.tenants import Tenant
from exporter.domain.times import EPOCH, MICRO
from exporter.domain.told import LogRecord, Span, SpanKind, SpanLink

LAST = datetime(2262, 4, 11, tzinfo=UTC)  # nanoseconds since 1970 end there in 64 signed bits, which backends use


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How one kind of Run is spoken of."""

    scope: str
    root: Callable[[Run], str]
    kind: SpanKind
    attributes: Attributes


VOICES: Mapping[str, Voice] = {
    "cron": Voice(
        scope="odoo/crons",
        root=lambda run: f"cron {run.title}",
        kind="server",
        attributes=(("faas.trigger", "timer"),),
    ),
    "job": Voice(
        scope="odoo/jobs",
        root=lambda run: f"process {run.workflow}",
        kind="consumer",
        attributes=(("messaging.system", "odoo_queue_job"), ("messaging.operation.type", "process")),
    ),
    "record": Voice(scope="odoo/approvals", root=lambda run: f"workflow {run.workflow}", kind="server", attributes=()),
    "finding": Voice(
        scope="detectors/findings",
        root=lambda run: f"finding {dict(run.attributes)['odoo.finding.detector']}",
        kind="internal",
        attributes=(),
    ),
}


class Speech(Struct, frozen=True, kw_only=True, gc=False):
    """What all words about one Run share: computed once, used for every span and log of it."""

    run: Run
    voice: Voice
    trace_id: bytes
    root_id: bytes
    span_id: Callable[[str], bytes]
    identity: Attributes
    began: datetime


def speech(run: Run, tenant: Tenant) -> Speech:
    """Ids, identity and beginning of a Run."""
    span_id = ids.span_ids(tenant, (run.model, run.record_id, run.key))
    return Speech(
        run=run,
        voice=VOICES[run.kind],
        trace_id=ids.trace_id(tenant, run.model, run.record_id, run.trace_key),
        root_id=span_id(ids.ROOT),
        span_id=span_id,
        identity=_identity(run, tenant),
        began=sayable(min([run.started_at, run.scheduled_at or run.started_at, *[s.started_at for s in run.steps]])),
    )


def trace_of(run: Run, tenant: Tenant) -> bytes:
    """The Run's trace id (16 bytes)."""
    return ids.trace_id(tenant, run.model, run.record_id, run.trace_key)


def root_of(by: Speech, tenant: Tenant) -> Span:
    """The span of the Run itself, around all of its Steps, linked to what it belongs to."""
    run = by.run
    end = run.ended_at or by.began
    last = sayable(max([end, *[step.ended_at for step in run.steps if step.ended_at is not None]]))
    return Span(
        trace_id=by.trace_id,
        span_id=by.root_id,
        name=by.voice.root(run),
        kind=by.voice.kind,
        scope=by.voice.scope,
        started_at=by.began,
        ended_at=max(last, by.began + MICRO),
        is_error=run.result in BAD,
        error=description(run.failure),
        attributes=by.identity + by.voice.attributes + run.attributes + _outcome(run) + _clamped(run, last),
        links=tuple(
            SpanLink(
                trace_id=ids.trace_id(tenant, link.model, link.record_id, link.trace_key),
                span_id=ids.span_id(tenant, (link.model, link.record_id, link.key)),
                attributes=(("odoo.link.reason", link.reason),),
            )
            for link in run.links
        ),
    )


def sayable(at: datetime) -> datetime:
    """The time, or the nearest that OTLP can say in nanoseconds since 1970: a clock that far off is broken."""
    return EPOCH if at < EPOCH else min(at, LAST)


def _shown(step: Step, began: datetime) -> tuple[datetime, datetime]:
    """A Step's times; one of no duration is shown a microsecond long, inside its Run.

    Jaeger warns of a "negative duration" at spans without any, and of skewed clocks when one reaches out of its parent.
    """
    start, end = sayable(step.started_at), sayable(max(step.ended_at or step.started_at, step.started_at))
    if end > start:
        return start, end
    return (end - MICRO, end) if end > began else (end, end + MICRO)


def step_of(by: Speech, step: Step) -> Span:
    """The span of a Step."""
    shown = _shown(step, by.began)
    return Span(
        trace_id=by.trace_id,
        span_id=by.span_id(step.role),
        parent_id=by.root_id,
        name=step.name,
        scope=by.voice.scope,
        started_at=shown[0],
        ended_at=shown[1],
        is_error=step.result in BAD,
        error=description(step.failure),
        attributes=by.identity + _about(step) + step.attributes,
    )


def description(failure: Failure | None) -> str:
    """The status message of a failure."""
    return failure.message or failure.type if failure else ""


def _identity(run: Run, tenant: Tenant) -> Attributes:
    """What every span carries (design 6): which workflow, which instance, which record, where to look in Odoo."""
    found = (
        ("odoo.workflow.name", run.workflow),
        ("odoo.workflow.instance.id", f"{run.model},{run.record_id}#{run.key}"),
        ("odoo.model", run.model),
        ("odoo.record.id", run.record_id),
    )
    return (*found, ("url.full", link(tenant, run))) if tenant.url else found


def link(tenant: Tenant, run: Run) -> str:
    """The address of the record in Odoo; a queue job's record id is its uuid, its Subject knows the row's id."""
    row = run.subject.rsplit("/", 1)[-1] if run.kind == "job" else run.record_id
    return f"{tenant.url}/web#id={row}&model={run.model}&view_type=form"


def _outcome(run: Run) -> Attributes:
    result = (("odoo.run.result", run.result),) if run.result else ()
    origin = (("odoo.run.origin", run.origin),) if run.origin == "history" else ()
    return (*result, *origin, *why_of(run.failure))


def _about(step: Step) -> Attributes:
    wait = (("odoo.wait.kind", step.wait),) if step.wait else ()
    result = (("odoo.run.result", step.result),) if step.result else ()
    return (*result, *wait, *why_of(step.failure))


def why_of(failure: Failure | None) -> Attributes:
    """A failure as attributes: type, class, cause, whether it passes by itself, fingerprint."""
    if failure is None:
        return ()
    found = (
        ("error.type", failure.type),
        ("odoo.failure.class", failure.failure_class),
        ("odoo.failure.cause", failure.cause),
        ("odoo.failure.transient", failure.transient),
        ("odoo.failure.fingerprint", failure.fingerprint),
    )
    return tuple((name, value) for name, value in found if value != "")


def _clamped(run: Run, last: datetime) -> Attributes:
    """The mark of a root that was made longer, so that its children lie inside it."""
    return CLAMPED if run.ended_at is not None and last > run.ended_at and CLAMPED[0] not in run.attributes else ()


def log_of(by: Speech, event: str, words: str) -> LogRecord:
    """One log event about a Run; its times come from the facts, so that a repeated telling is the same."""
    at = sayable(by.run.ended_at or by.run.started_at)
    return LogRecord(
        event_name=event,
        scope=by.voice.scope,
        at=at,
        observed_at=at,
        body=words,
        attributes=by.identity,
        trace_id=by.trace_id,
        span_id=by.root_id,
    )
