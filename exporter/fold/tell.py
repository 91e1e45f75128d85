"""What is said of a Run: the only place that decides spans, log events, measurements and observations.

Every value is a function of the Run and its tenant, so telling a Run again says the same, byte for byte.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from exporter.domain import ids
from exporter.domain.runs import BAD, Attributes, Failure, Run, Step
from exporter.domain.tenants import Tenant
from exporter.domain.told import LogRecord, Span, SpanKind, SpanLink, Told
from exporter.fold import measure
from exporter.fold.advance import STARTED, mark

SHIFT = "odoo.time.clamped"  # set where clocks lied and a negative duration was made zero


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
    "record": Voice(
        scope="odoo/approvals", root=lambda run: f"workflow {run.workflow}", kind="server", attributes=()
    ),
}


def tell(run: Run, tenant: Tenant, told: frozenset[str] = frozenset()) -> Told:
    """Everything said when a Run closes, but for the Steps told before (marks of advance.mark).

    A Run of the past (`origin: history`) is drawn and observed, never counted and never logged.
    """
    steps = [step for step in run.steps if step.ended_at is not None and mark(run, step.role) not in told]
    spans = (*(_step(run, step, tenant) for step in steps), _root(run, tenant))
    live = run.origin == "live"
    return Told(
        spans=spans,
        logs=(*_decisions(run, steps, tenant), *_failures(run, tenant)) if live else (),
        measurements=(*measure.steps(run, steps), *measure.run(run, _exemplar(run, tenant))) if live else (),
        observations=measure.observations(run),
    )


def tell_steps(run: Run, steps: Iterable[Step], tenant: Tenant) -> Told:
    """What is said of Steps that are over while their Run goes on."""
    over = list(steps)
    return Told(
        spans=tuple(_step(run, step, tenant) for step in over),
        logs=_decisions(run, over, tenant),
        measurements=measure.steps(run, over),
    )


def tell_started(run: Run, tenant: Tenant) -> Told:
    """The marker of a long open Run: a span of no duration under an id of its own, and a log event."""
    root = _root(run, tenant)
    span = replace(
        root,
        span_id=ids.span_id(tenant, (run.model, run.record_id, run.key), STARTED),
        parent_id=root.span_id,
        name=f"{root.name} {STARTED}",
        kind="internal",
        ended_at=root.started_at,
        links=(),
    )
    log = _log(run, tenant, (f"odoo.{run.kind}.started", f"{root.name} has been running since {_iso(run.started_at)}."))
    return Told(spans=(span,), logs=(log,))


def tell_correction(run: Run, difference: str, at: datetime, tenant: Tenant) -> Told:
    """A fact that came after its Run was told: the span stays, a log event linked to it says what was different."""
    log = _log(run, tenant, ("odoo.run.corrected", f"{run.title}: {difference}"))
    return Told(logs=(replace(log, at=at, severity="warn"),), measurements=(measure.correction(run, at),))


def redraw(body: bytes, tenant: Tenant) -> Told:
    """What a stored Run (its `body`) said when it closed.

    Raises:
        msgspec.ValidationError: not a Run.
    """
    return tell(decode_run(body), tenant)


encode_run: Callable[[Run], bytes] = msgspec.json.Encoder().encode
decode_run: Callable[[bytes], Run] = msgspec.json.Decoder(Run).decode


def trace_of(run: Run, tenant: Tenant) -> bytes:
    """The Run's trace id (16 bytes)."""
    return ids.trace_id(tenant, run.model, run.record_id, run.trace_key)


def _span_of(run: Run, role: str, tenant: Tenant) -> bytes:
    return ids.span_id(tenant, (run.model, run.record_id, run.key), role)


def _exemplar(run: Run, tenant: Tenant) -> tuple[bytes, bytes]:
    return trace_of(run, tenant), _span_of(run, ids.ROOT, tenant)


def _root(run: Run, tenant: Tenant) -> Span:
    voice = VOICES[run.kind]
    began = min(run.started_at, run.scheduled_at or run.started_at, *(s.started_at for s in run.steps[:1]))
    end = run.ended_at or began
    return Span(
        trace_id=trace_of(run, tenant),
        span_id=_span_of(run, ids.ROOT, tenant),
        name=voice.root(run),
        kind=voice.kind,
        scope=voice.scope,
        started_at=began,
        ended_at=max(end, began),
        is_error=run.result in BAD,
        error=run.failure.message or run.failure.type if run.failure else "",
        attributes=_identity(run, tenant) + voice.attributes + run.attributes + _outcome(run) + _clamped(end, began),
        links=tuple(
            SpanLink(
                trace_id=ids.trace_id(tenant, link.model, link.record_id, link.trace_key),
                span_id=ids.span_id(tenant, (link.model, link.record_id, link.key)),
                attributes=(("odoo.link.reason", link.reason),),
            )
            for link in run.links
        ),
    )


def _step(run: Run, step: Step, tenant: Tenant) -> Span:
    end = step.ended_at or step.started_at
    return Span(
        trace_id=trace_of(run, tenant),
        span_id=_span_of(run, step.role, tenant),
        parent_id=_span_of(run, ids.ROOT, tenant),
        name=step.name,
        scope=VOICES[run.kind].scope,
        started_at=step.started_at,
        ended_at=max(end, step.started_at),
        is_error=step.result in BAD,
        error=step.failure.message or step.failure.type if step.failure else "",
        attributes=_identity(run, tenant) + _about(step) + step.attributes + _clamped(end, step.started_at),
    )


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
    row = run.subject.rsplit("/", 1)[-1]
    return f"{tenant.url}/web#id={row}&model={run.model}&view_type=form"


def _outcome(run: Run) -> Attributes:
    result = (("odoo.run.result", run.result),) if run.result else ()
    origin = (("odoo.run.origin", run.origin),) if run.origin == "history" else ()
    return (*result, *origin, *_why(run.failure))


def _about(step: Step) -> Attributes:
    wait = (("odoo.wait.kind", step.wait),) if step.wait else ()
    result = (("odoo.run.result", step.result),) if step.result else ()
    return (*result, *wait, *_why(step.failure))


def _why(failure: Failure | None) -> Attributes:
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


def _clamped(end: datetime, began: datetime) -> Attributes:
    return ((SHIFT, True),) if end < began else ()


def _decisions(run: Run, steps: Iterable[Step], tenant: Tenant) -> tuple[LogRecord, ...]:
    """Every decision and every transition of a document is a log event too (audit)."""
    if run.kind != "record":
        return ()
    return tuple(_transition(run, step, tenant) for step in steps if step.ended_at is not None)


def _transition(run: Run, step: Step, tenant: Tenant) -> LogRecord:
    decision = dict(step.attributes).get("odoo.approval.decision")
    event = "odoo.approval.decided" if decision else "odoo.record.left"
    words = f"{run.title}: {step.name} {decision}." if decision else f"{run.title} left {step.name}."
    log = _log(run, tenant, (event, words))
    return replace(
        log,
        at=step.ended_at or step.started_at,
        span_id=_span_of(run, step.role, tenant),
        attributes=log.attributes + step.attributes,
    )


def _failures(run: Run, tenant: Tenant) -> tuple[LogRecord, ...]:
    """A failure as a log event: exception type, masked message, trace id."""
    if run.failure is None:
        return ()
    log = _log(run, tenant, (f"odoo.{run.kind}.failed", f"{run.title} failed: {run.failure.message or run.failure.type}"))
    exception = (("exception.type", run.failure.type), ("exception.message", run.failure.message))
    return (replace(log, severity="error", attributes=log.attributes + exception + _why(run.failure)),)


def _log(run: Run, tenant: Tenant, says: tuple[str, str]) -> LogRecord:
    """One log event about a Run; its times come from the facts, so that a repeated telling is the same."""
    at = run.ended_at or run.started_at
    return LogRecord(
        event_name=says[0],
        scope=VOICES[run.kind].scope,
        at=at,
        observed_at=at,
        body=says[1],
        attributes=_identity(run, tenant),
        trace_id=trace_of(run, tenant),
        span_id=_span_of(run, ids.ROOT, tenant),
    )


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
