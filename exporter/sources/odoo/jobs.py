"""Queue jobs (OCA queue_job): open ones in full, finished ones by their end dates, failed ones by their last start.

queue.job has no write_date and a failed job no end (facts/odoo.md section 5). What was open and is not found any more
is asked for by id: it failed long after its start, or it was deleted.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from exporter.domain.bodies import JobChanged, RecordVanished
from exporter.domain.events import encode_body
from exporter.sources.odoo.door import JSON, Domain
from exporter.sources.odoo.job_rows import FIELDS, FINAL, MODEL, job_of
from exporter.sources.odoo.known import Version, forget_absent, new_version, recall
from exporter.sources.odoo.messages import job_failures
from exporter.sources.odoo.reading import Reading, from_second
from exporter.sources.odoo.rows import stamp
from exporter.sources.odoo.tail import Span
from exporter.sources.odoo.window import Past, live_done, live_since, page_of_the_past

OPEN = ("wait_dependencies", "pending", "enqueued", "started")


def read_jobs(reading: Reading) -> None:
    """One poll of `odoo/jobs`."""
    reading.part(MODEL, lambda: _read(reading))


def _read(reading: Reading) -> None:
    mark = reading.marks.get("since/jobs")
    watched = from_second(mark) - reading.options.overlap if mark else None
    since = live_since(reading, "jobs")
    known: set[int] = set()
    failed = _tell(reading, _in_the_window(reading, since, known), watched)
    lost = dict(forget_absent(reading, "job", known))
    failed += _tell(reading, _lost(reading, lost), watched)
    failed += _tell(reading, _of_the_past(reading), watched, keep=False)
    live_done(reading, "jobs")
    reading.part("mail.message", lambda: job_failures(reading, failed))


def _in_the_window(reading: Reading, since: datetime, known: set[int]) -> Iterator[JobChanged]:
    """Jobs one by one, their ids noted: ten minutes of a busy queue are read in every poll and fit into no memory."""
    for job in reading.each(MODEL, reading.pages(MODEL, _live(since), FIELDS), job_of):
        known.add(job.job_id)
        yield job


def _live(since: datetime) -> Domain:
    at: JSON = stamp(since)
    ended: list[JSON] = ["|", ["date_done", ">=", at], ["date_cancelled", ">=", at]]
    tried: list[JSON] = ["|", "|", ["date_started", ">=", at], ["date_enqueued", ">=", at], ["date_created", ">=", at]]
    return ["|", "|", ["state", "in", list(OPEN)], *ended, "&", ["state", "=", "failed"], *tried]


def _past(span: Span) -> Domain:
    """Finished ones only: the open ones are read in every poll."""
    ended: list[JSON] = ["|", *_between("date_done", span), *_between("date_cancelled", span)]
    failed: list[JSON] = ["&", ["state", "=", "failed"], *_between("date_created", span)]
    return ["|", *ended, *failed]


def _between(field: str, span: Span) -> list[JSON]:
    return ["&", [field, ">=", stamp(span.since)], [field, "<", stamp(span.until)]]


PAST = Past(fields=FIELDS, wanted=_past)


def _lost(reading: Reading, lost: dict[int, Version]) -> list[JobChanged]:
    """Open jobs that left the window: as they are now, or vanished."""
    if not lost:
        return []
    rows = list(reading.pages(MODEL, [["id", "in", sorted(lost)]], FIELDS))
    jobs = reading.parsed(MODEL, rows, job_of)
    present = {row.get("id") for row in rows}
    if not present and len(lost) > 1 and reading.sees_no_more(MODEL):
        return []
    for one, version in lost.items():
        if one not in present:
            gone = RecordVanished(model=MODEL, record_id=one)
            reading.emit("odoo.record.vanished", f"job/{one}/{version.number}/vanished", reading.began_at, gone)
            reading.note(f"job/{one}", None)
    return jobs


def _of_the_past(reading: Reading) -> list[JobChanged]:
    rows = page_of_the_past(reading, "jobs", MODEL, PAST)
    return [job for job in reading.parsed(MODEL, rows, job_of) if recall(reading, "job", job.job_id) is None]


def _tell(reading: Reading, jobs: Iterable[JobChanged], watched: datetime | None, *, keep: bool = True) -> list[int]:
    """Tell what changed; the ids of jobs that newly failed. `watched`: every job made since then was seen when new."""
    failed = []
    for job in jobs:
        before = recall(reading, "job", job.job_id)
        settled = job.state in FINAL
        version = new_version(reading, "job", job.job_id, encode_body(job), settled=settled, about=job.state, keep=keep)
        if version is None:
            continue
        at = _at(job, before, watched, reading.began_at)
        reading.emit("odoo.job.changed", f"job/{job.job_id}/{version}", at, job)
        if job.state == "failed":
            failed.append(job.job_id)
    return failed


def _at(job: JobChanged, before: Version | None, watched: datetime | None, now: datetime) -> datetime:
    """The best time the row has for its state."""
    best = {
        "enqueued": job.date_enqueued,
        "started": job.date_started,
        "done": job.date_done,
        "cancelled": job.date_cancelled,
        "failed": job.date_started or job.date_enqueued,
    }
    if job.state in best:
        return best[job.state] or job.date_created or now
    # A return to waiting (retry, requeue, dead worker, parent done) leaves no date: then it is when we saw it.
    fresh = before is None and job.retry == 0 and (watched is None or (job.date_created or now) >= watched)
    return (job.date_created or now) if fresh else now
