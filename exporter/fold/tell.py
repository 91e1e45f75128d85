"""What is said of a Run: the only place that decides spans, log events, measurements and observations.

Every value is a function of the Run and its tenant, so telling a Run again says the same, byte for byte.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from exporter.domain import ids
from exporter.domain.runs import BAD, CLAMPED, Attributes, Failure, Run, Step
from exporter.domain.tenants import Tenant
from exporter.domain.times import MICRO
from exporter.domain.told import Exemplar, LogRecord, Span, SpanKind, SpanLink, Told
from exporter.fold import measure
from exporter.fold.advance import STARTED, mark


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
        began=min(run.started_at, run.scheduled_at or run.started_at, *[s.started_at for s in run.steps]),
    )


def tell(run: Run, tenant: Tenant, told: frozenset[str] = frozenset()) -> Told:
    """Everything said when a Run closes, but for the Steps told before (marks of advance.mark); the root comes last.

    A Run of the past (`origin: history`) is drawn and observed, never counted and never logged.
    """
    by = speech(run, tenant)
    steps = [step for step in run.steps if step.ended_at is not None and mark(run, step.role) not in told]
    spans = (*[_step(by, step) for step in steps], _root(by, tenant))
    if run.origin == "history":
        return Told(spans=spans, observations=measure.observations(run))
    exemplar = Exemplar(trace_id=by.trace_id, span_id=by.root_id)
    return Told(
        spans=spans,
        logs=(*_decisions(by, steps), *_failures(by)),
        measurements=(*measure.steps(run, steps), *measure.run(run, exemplar)),
        observations=measure.observations(run),
    )


def tell_steps(run: Run, steps: Iterable[Step], tenant: Tenant) -> Told:
    """What is said of Steps that are over while their Run goes on."""
    by = speech(run, tenant)
    over = list(steps)
    return Told(
        spans=tuple(_step(by, step) for step in over), logs=_decisions(by, over), measurements=measure.steps(run, over)
    )


def tell_started(run: Run, tenant: Tenant) -> Told:
    """The marker of a long open Run: the shortest span there is, under an id of its own, and a log event."""
    by = speech(run, tenant)
    root = _root(by, tenant)
    span = replace(
        root,
        span_id=by.span_id(STARTED),
        parent_id=by.root_id,
        name=f"{root.name} {STARTED}",
        kind="internal",
        ended_at=root.started_at + MICRO,
        links=(),
    )
    log = _log(by, f"odoo.{run.kind}.started", f"{root.name} has been running since {_iso(run.started_at)}.")
    return Told(spans=(span,), logs=(log,))


def tell_correction(run: Run, difference: str, at: datetime, tenant: Tenant) -> Told:
    """A fact that came after its Run was told: the span stays, a log event linked to it says what was different."""
    log = _log(speech(run, tenant), "odoo.run.corrected", f"{run.title}: {difference}")
    return Told(
        logs=(replace(log, at=at, observed_at=at, severity="warn"),), measurements=(measure.correction(run, at),)
    )


def redraw(body: bytes, tenant: Tenant) -> Told:
    """What a stored Run (its `body`) said when it closed.

    Raises:
        msgspec.ValidationError: not a Run.
    """
    return tell(decode_run(body), tenant)


encode_run: Callable[[Run], bytes] = msgspec.json.Encoder().encode
decode_run: Callable[[bytes], Run] = msgspec.json.Decoder(Run).decode


def _root(by: Speech, tenant: Tenant) -> Span:
    run = by.run
    end = run.ended_at or by.began
    last = max([end, *[step.ended_at for step in run.steps if step.ended_at is not None]])
    return Span(
        trace_id=by.trace_id,
        span_id=by.root_id,
        name=by.voice.root(run),
        kind=by.voice.kind,
        scope=by.voice.scope,
        started_at=by.began,
        ended_at=max(last, by.began + MICRO),
        is_error=run.result in BAD,
        error=_description(run.failure),
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


def _shown(step: Step, began: datetime) -> tuple[datetime, datetime]:
    """A Step's times; one of no duration is shown a microsecond long, inside its Run.

    Jaeger warns of a "negative duration" at spans without any, and of skewed clocks when one reaches out of its parent.
    """
    end = max(step.ended_at or step.started_at, step.started_at)
    if end > step.started_at:
        return step.started_at, end
    return (end - MICRO, end) if end > began else (end, end + MICRO)


def _step(by: Speech, step: Step) -> Span:
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
        error=_description(step.failure),
        attributes=by.identity + _about(step) + step.attributes,
    )


def _description(failure: Failure | None) -> str:
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


def _clamped(run: Run, last: datetime) -> Attributes:
    """The mark of a root that was made longer, so that its children lie inside it."""
    return CLAMPED if run.ended_at is not None and last > run.ended_at and CLAMPED[0] not in run.attributes else ()


def _decisions(by: Speech, steps: Iterable[Step]) -> tuple[LogRecord, ...]:
    """Every decision and every transition of a document is a log event too (audit)."""
    if by.run.kind != "record":
        return ()
    return tuple(_transition(by, step) for step in steps if step.ended_at is not None)


def _transition(by: Speech, step: Step) -> LogRecord:
    decision = dict(step.attributes).get("odoo.approval.decision")
    event = "odoo.approval.decided" if decision else "odoo.record.left"
    title = by.run.title
    log = _log(by, event, f"{title}: {step.name} {decision}." if decision else f"{title} left {step.name}.")
    return replace(
        log,
        at=step.ended_at or step.started_at,
        observed_at=step.ended_at or step.started_at,
        span_id=by.span_id(step.role),
        attributes=log.attributes + step.attributes,
    )


def _failures(by: Speech) -> tuple[LogRecord, ...]:
    """A failure as a log event: exception type, masked message, trace id."""
    why = by.run.failure
    if why is None:
        return ()
    log = _log(by, f"odoo.{by.run.kind}.failed", f"{by.run.title} failed: {_description(why)}")
    exception = (("exception.type", why.type), ("exception.message", why.message))
    return (replace(log, severity="error", attributes=log.attributes + exception + _why(why)),)


def _log(by: Speech, event: str, words: str) -> LogRecord:
    """One log event about a Run; its times come from the facts, so that a repeated telling is the same."""
    at = by.run.ended_at or by.run.started_at
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


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
