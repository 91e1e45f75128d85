"""What is said of a Run: the only place that decides spans, log events, measurements and observations.

Every value is a function of the Run and its tenant, so telling a Run again says the same, byte for byte.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from exporter.domain.runs import Run, Step
from exporter.domain.tenants import Tenant
from exporter.domain.times import MICRO
from exporter.domain.told import Exemplar, LogRecord, Span, Told
from exporter.fold import measure
from exporter.fold.advance import STARTED, mark
from exporter.fold.speaking import Speech, description, log_of, root_of, sayable, speech, step_of, why_of
from exporter.fold.tell_findings import tell_closed, tell_opened

LINKS = "links"


def tell(run: Run, tenant: Tenant, told: frozenset[str] = frozenset()) -> Told:
    """Everything said when a Run closes, but for the Steps told before (marks of advance.mark); the root comes last.

    A Run of the past (`origin: history`) is drawn and observed, never counted or logged; counters begin at 0.
    """
    if run.kind == "finding":
        return tell_closed(run, tenant)
    by = speech(run, tenant)
    steps = [s for s in run.steps if s.ended_at is not None and not (told and mark(run, s.role) in told)]
    spans = (*[step_of(by, step) for step in steps], *_root(by, tenant))
    exemplar = Exemplar(trace_id=by.trace_id.hex(), span_id=by.root_id.hex())
    if run.origin == "history":
        return Told(
            spans=spans, measurements=tuple(measure.zeros(run, exemplar)), observations=measure.observations(run)
        )
    return Told(
        spans=spans,
        logs=(*_decisions(by, steps), *_failures(by)),
        measurements=(*measure.steps(run, steps), *measure.run(run, exemplar)),
        observations=measure.observations(run),
    )


def _root(by: Speech, tenant: Tenant) -> tuple[Span, ...]:
    """The root; where somebody else exports it, a mark of its links if it has any, as nobody can add them there."""
    root = root_of(by, tenant)
    if by.run.teller != "them":
        return (root,)
    return (_mark_of(root, by, LINKS),) if root.links else ()


def _mark_of(root: Span, by: Speech, role: str) -> Span:
    """The shortest span there is, at the beginning of the root, under an id of its own."""
    return replace(
        root,
        span_id=by.span_id(role),
        parent_id=by.root_id,
        name=f"{root.name} {role}",
        kind="internal",
        ended_at=root.started_at + MICRO,
    )


def tell_steps(run: Run, steps: Iterable[Step], tenant: Tenant) -> Told:
    """What is said of Steps that are over while their Run goes on."""
    by = speech(run, tenant)
    over = list(steps)
    return Told(
        spans=tuple(step_of(by, step) for step in over),
        logs=_decisions(by, over),
        measurements=measure.steps(run, over),
    )


def tell_started(run: Run, tenant: Tenant) -> Told:
    """The marker of a long open Run: the shortest span there is, under an id of its own, and a log event."""
    if run.kind == "finding":
        return tell_opened(run, tenant)
    by = speech(run, tenant)
    root = root_of(by, tenant)
    span = replace(_mark_of(root, by, STARTED), links=())
    log = log_of(by, f"odoo.{run.kind}.started", f"{root.name} has been running since {_iso(run.started_at)}.")
    return Told(spans=(span,), logs=(log,))


def tell_correction(run: Run, difference: str, at: datetime, tenant: Tenant) -> Told:
    """A fact that came after its Run was told: the span stays, a log event linked to it says what was different."""
    log = log_of(speech(run, tenant), "odoo.run.corrected", f"{run.title}: {difference}")
    when = sayable(at)
    return Told(
        logs=(replace(log, at=when, observed_at=when, severity="warn"),), measurements=(measure.correction(run, at),)
    )


def redraw(body: bytes, tenant: Tenant) -> Told:
    """What a stored Run (its `body`) said when it closed.

    Raises:
        msgspec.ValidationError: not a Run.
    """
    return tell(decode_run(body), tenant)


encode_run: Callable[[Run], bytes] = msgspec.json.Encoder().encode
decode_run: Callable[[bytes], Run] = msgspec.json.Decoder(Run).decode


def _decisions(by: Speech, steps: Iterable[Step]) -> tuple[LogRecord, ...]:
    """Every decision and every transition of a document is a log event too (audit)."""
    if by.run.kind != "record":
        return ()
    return tuple(_transition(by, step) for step in steps if step.ended_at is not None)


def _transition(by: Speech, step: Step) -> LogRecord:
    decision = dict(step.attributes).get("odoo.approval.decision")
    event = "odoo.approval.decided" if decision else "odoo.record.left"
    title = by.run.title
    log = log_of(by, event, f"{title}: {step.name} {decision}." if decision else f"{title} left {step.name}.")
    return replace(
        log,
        at=sayable(step.ended_at or step.started_at),
        observed_at=sayable(step.ended_at or step.started_at),
        span_id=by.span_id(step.role),
        attributes=log.attributes + step.attributes,
    )


def _failures(by: Speech) -> tuple[LogRecord, ...]:
    """A failure as a log event: exception type, masked message, trace id."""
    why = by.run.failure
    if why is None:
        return ()
    log = log_of(by, f"odoo.{by.run.kind}.failed", f"{by.run.title} failed: {description(why)}")
    exception = (("exception.type", why.type), ("exception.message", why.message))
    return (replace(log, severity="error", attributes=log.attributes + exception + why_of(why)),)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
