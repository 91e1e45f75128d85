"""How a Run is spoken of: its ids, its identity, its spans and log records; tell.py decides which of them are said."""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from exporter.domain import ids
from exporter.domain.runs import BAD, CLAMPED, Attributes, Failure, Run, RunLink, Step
from exporter.domain.tenants import Tenant
from exporter.domain.times import EPOCH, MICRO
from exporter.domain.told import LogRecord, Span, SpanLink
from exporter.fold.voices import VOICES, Voice

LAST = datetime(2262, 4, 11, tzinfo=UTC)  # nanoseconds since 1970 end there in 64 signed bits, which backends use

# What is no record of Odoo's says itself where it is shown, if it is anywhere.
_ELSEWHERE = frozenset({"execution", "expectation", "delivery", "call", "inbound"})


class Speech(Struct, frozen=True, kw_only=True, gc=False):
    """What all words about one Run share: computed once, used for every span and log of it."""

    run: Run
    voice: Voice
    trace_id: bytes
    parent_id: bytes
    root_id: bytes
    span_id: Callable[[str], bytes]
    identity: Attributes
    began: datetime


def speech(run: Run, tenant: Tenant) -> Speech:
    """Ids, identity and beginning of a Run."""
    span_id = ids.span_ids(tenant, (run.model, run.record_id, run.key))
    trace_id, parent_id = context_of(run, tenant)
    root_id = span_id(ids.ROOT)
    if run.teller != "us":  # the span in the header is the root itself
        root_id, parent_id = parent_id, b""
    return Speech(
        run=run,
        voice=VOICES[run.kind],
        trace_id=trace_id,
        parent_id=parent_id,
        root_id=root_id,
        span_id=span_id,
        identity=_identity(run, tenant),
        began=sayable(min([run.started_at, run.scheduled_at or run.started_at, *[s.started_at for s in run.steps]])),
    )


def context_of(run: Run, tenant: Tenant) -> tuple[bytes, bytes]:
    """The trace a Run stands in (16 bytes) and the span its root is a child of (8 bytes, or none)."""
    if run.traceparent and (found := ids.traceparent(run.traceparent)):
        return found
    if run.joins is not None:
        of = run.joins
        return ids.trace_id(tenant, of.model, of.record_id, of.trace_key), _root_of(of, tenant)
    return ids.trace_id(tenant, run.model, run.record_id, run.trace_key), b""


def _root_of(of: RunLink, tenant: Tenant) -> bytes:
    return ids.span_id(tenant, (of.model, of.record_id, of.key))


def _link(of: RunLink, tenant: Tenant) -> SpanLink:
    found = ids.traceparent(of.traceparent) or (
        ids.trace_id(tenant, of.model, of.record_id, of.trace_key),
        _root_of(of, tenant),
    )
    return SpanLink(trace_id=found[0], span_id=found[1], attributes=(("odoo.link.reason", of.reason),))


def trace_of(run: Run, tenant: Tenant) -> bytes:
    """The Run's trace id (16 bytes)."""
    return context_of(run, tenant)[0]


def root_of(by: Speech, tenant: Tenant) -> Span:
    """The span of the Run itself, around all of its Steps, linked to what it belongs to."""
    run = by.run
    end = run.ended_at or by.began
    last = sayable(max([end, *[step.ended_at for step in run.steps if step.ended_at is not None]]))
    return Span(
        trace_id=by.trace_id,
        span_id=by.root_id,
        parent_id=by.parent_id,
        name=by.voice.root(run),
        kind=by.voice.kind,
        scope=by.voice.scope,
        started_at=by.began,
        ended_at=max(last, by.began + MICRO),
        is_error=run.result in BAD,
        error=description(run.failure),
        attributes=by.identity + by.voice.attributes + run.attributes + _outcome(run) + _clamped(run, last),
        links=tuple(_link(link, tenant) for link in run.links),
    )


def sayable(at: datetime) -> datetime:
    """The time, or the nearest that OTLP can say in nanoseconds since 1970: a clock that far off is broken."""
    return at if EPOCH <= at <= LAST else EPOCH if at < EPOCH else LAST


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
        parent_id=by.span_id(step.within) if step.within else by.root_id,
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
    return (*found, ("url.full", link(tenant, run))) if tenant.url and run.kind not in _ELSEWHERE else found


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
