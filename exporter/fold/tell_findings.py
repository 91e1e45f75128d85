"""What is said of a Finding: log events when it opens and closes, a trace of its own linked to its examples."""

from msgspec.structs import replace

from exporter.domain.runs import Run
from exporter.domain.tenants import Tenant
from exporter.domain.times import MICRO
from exporter.domain.told import LogRecord, Severity, Told
from exporter.fold import measure
from exporter.fold.advance import STARTED
from exporter.fold.speaking import Speech, log_of, root_of, speech


def tell_opened(run: Run, tenant: Tenant) -> Told:
    """The Finding's marker (a span of no duration, linked to the examples), its log event, its gauge and counter."""
    by = speech(run, tenant)
    root = root_of(by, tenant)
    span = replace(
        root,
        span_id=by.span_id(STARTED),
        parent_id=by.root_id,
        name=f"{root.name} opened",
        ended_at=root.started_at + MICRO,
    )
    return Told(spans=(span,), logs=(_log(by, "finding.opened", "warn"),), measurements=measure.finding(run))


def tell_closed(run: Run, tenant: Tenant) -> Told:
    """The Finding as a span from its opening to its end, its log event, and its gauge at zero."""
    by = speech(run, tenant)
    return Told(
        spans=(root_of(by, tenant),), logs=(_log(by, "finding.closed", "info"),), measurements=measure.finding(run)
    )


def _log(by: Speech, event: str, severity: Severity) -> LogRecord:
    attributes = dict(by.run.attributes)
    reason = attributes.get("odoo.finding.closed_because")
    words = str(attributes.get("odoo.finding.sentence", by.run.title))
    log = log_of(by, event, f"{words} {reason}" if reason else words)
    return replace(log, severity=severity, attributes=log.attributes + by.run.attributes)
