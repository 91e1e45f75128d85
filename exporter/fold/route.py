"""Which Subject an Event belongs to: from the Event alone."""

from exporter.domain import bodies as b
from exporter.domain.events import Event
from exporter.fold.findings import subject_of

_OWN = {"queue.job": "job/", "ir.cron": "cron/"}


def route(event: Event) -> str:
    """The Event's own Subject: `cron/42`, `job/7`, `record/purchase.order/17`; "" for a Source's mark."""
    body = event.body
    match body:
        case b.CronCounted() | b.CronProgress() | b.CronTrigger():
            return f"cron/{body.cron_id}"
        case b.JobChanged():
            return f"job/{body.job_id}"
        case b.SourceRead() | b.DetectorsBeat():
            return ""
        case b.FindingSeen() | b.FindingClosed():
            return subject_of(body)
        case b.RecordVanished() if body.subject_model:
            return _record(body.subject_model, body.subject_id or 0)
        case _:
            return _record(body.model, body.record_id)


def _record(model: str, record_id: int) -> str:
    """A document's Subject; jobs and scheduled actions are known by the same id whoever names them."""
    return _OWN.get(model, f"record/{model}/") + str(record_id)
