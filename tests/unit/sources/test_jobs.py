"""Queue jobs: every state, the true end of failures, what comes back, what is deleted."""

import json
from datetime import UTC, datetime
from pathlib import Path

from exporter.domain.bodies import JobChanged, MessagePosted, RecordVanished
from exporter.domain.events import Event
from exporter.sources.odoo.job_rows import job_of
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import JOB_FAILED, lab

DATA = Path(__file__).parents[2] / "data" / "odoo"


def _source(odoo: FakeOdoo, page: int = 1000) -> OdooSource:
    return OdooSource(name="odoo/jobs", door=FakeDoor(odoo), options=OdooOptions(page=page))


def _poll(source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in drained(source, marks) for event in poll.events]


def _states(told: list[Event]) -> list[str]:
    return [event.body.state for event in told if isinstance(event.body, JobChanged)]


def _enqueue(odoo: FakeOdoo, **values: object) -> int:
    return odoo.insert("queue.job", uuid="u1", name="Send", date_created=odoo.now, **values)


def test_captured_rows_parse() -> None:
    """The 13 captured jobs: durations with microseconds, graph and dependencies; no arguments, no traceback."""
    rows = json.loads((DATA / "queue_jobs.json").read_text())
    jobs = {job.job_id: job for job in map(job_of, rows)}
    assert len(jobs) == 13
    assert jobs[1].exec_time == 1.61177
    assert jobs[5].retry == jobs[5].max_retries == 3
    final = jobs[10]
    assert final.graph_uuid is not None
    assert set(final.depends_on) == {jobs[8].uuid, jobs[9].uuid}
    assert "Traceback" not in repr(jobs)


def test_every_state_has_its_time() -> None:
    """Created, enqueued, started, done: each at its own date (feature 33)."""
    odoo, marks = lab(), dict[str, str]()
    source, told = _source(odoo), list[Event]()
    job = _enqueue(odoo)
    moments = [odoo.now]
    told += _poll(source, marks)
    for state, date in (("enqueued", "date_enqueued"), ("started", "date_started"), ("done", "date_done")):
        odoo.step(5)
        moments.append(odoo.now)
        odoo.write("queue.job", job, **{"state": state, date: odoo.now})
        told += _poll(source, marks)
    assert _states(told) == ["pending", "enqueued", "started", "done"]
    assert [event.at for event in told] == moments


def test_a_failed_job_ends_with_its_message() -> None:
    """date_done stays empty: the end comes from the `Job failed` message, another subtype is left alone."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    job = _enqueue(odoo, state="started", date_started=odoo.now)
    _poll(source, marks)
    odoo.step(5 * 3600)
    failure = "Customer bob@example.com: 0123456789"
    odoo.write("queue.job", job, state="failed", retry=1, exc_name="odoo.exceptions.UserError", exc_message=failure)
    odoo.insert("mail.message", model="queue.job", res_id=job, date=odoo.now, subtype_id=JOB_FAILED)
    odoo.insert("mail.message", model="queue.job", res_id=job, date=odoo.now, subtype_id=2)
    told = _poll(source, marks)
    assert [event.name for event in told] == ["odoo.job.changed", "odoo.message.posted"]
    assert told[1].at == odoo.now
    assert isinstance(told[1].body, MessagePosted)
    assert told[1].body.subtype == "queue_job.mt_job_failed"
    assert isinstance(told[0].body, JobChanged)
    assert told[0].body.exc_message == "Customer [EMAIL]: [NUMBER]"
    odoo.calls.clear()
    assert _poll(source, marks) == []
    assert odoo.calls == [("queue.job", "search_read")]


def test_a_requeue_is_told_when_it_was_seen() -> None:
    """Back to pending wipes every date and the retry: the same row as at first, and yet a new Event of now."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    job = _enqueue(odoo)
    told = _poll(source, marks)
    odoo.write("queue.job", job, state="failed", date_started=odoo.now, retry=1)
    told += _poll(source, marks)
    for _ in range(2):
        odoo.step(3000)
        told += _poll(source, marks)
    assert f"job/{job}" not in marks, "a settled job is forgotten after the overlap"
    odoo.write("queue.job", job, state="pending", date_started=False, retry=0)
    told += _poll(source, marks)
    assert _states(told) == ["pending", "failed", "pending"]
    assert told[2].body == told[0].body
    assert told[2].key != told[0].key
    assert told[2].at == odoo.now


def test_a_retry_is_told_when_it_was_seen() -> None:
    """Back from started to pending with a retry counted: queue_job wipes the dates, the time is ours."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    job = _enqueue(odoo, state="started", date_started=odoo.now)
    _poll(source, marks)
    odoo.step(9)
    odoo.write("queue.job", job, state="pending", date_started=False, retry=1)
    told = _poll(source, marks)
    assert [(event.at, event.body.retry) for event in told if isinstance(event.body, JobChanged)] == [(odoo.now, 1)]


def test_a_deleted_open_job_vanishes() -> None:
    """Deleted while it waited: told once. Purged after it was done: nothing."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    waiting, done = _enqueue(odoo), _enqueue(odoo, state="done", date_done=odoo.now)
    _poll(source, marks)
    odoo.unlink("queue.job", waiting, done)
    told = _poll(source, marks) + _poll(source, marks)
    assert [event.body for event in told] == [RecordVanished(model="queue.job", record_id=waiting)]


def test_the_present_comes_before_the_past() -> None:
    """First poll: open jobs first, then finished ones of 30 days in pages; older ones are left alone."""
    odoo, marks = lab(), dict[str, str]()
    for _ in range(7):
        _enqueue(odoo, state="done", date_done=odoo.now)
    odoo.step(20 * 86_400)
    for _ in range(7):
        _enqueue(odoo, state="done", date_done=odoo.now)
    odoo.step(15 * 86_400)
    _enqueue(odoo, state="pending")
    polls = list(drained(_source(odoo, page=3), marks))
    told = [event for poll in polls for event in poll.events]
    assert _states(told) == ["pending", *7 * ["done"]]
    assert [poll.more for poll in polls] == [True, True, False]


def test_after_an_outage_nothing_is_lost_or_told_twice() -> None:
    """Three days without us: what ended meanwhile comes once, whether it was known or not."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo, page=3)
    known = _enqueue(odoo)
    _poll(source, marks)
    odoo.step(86_400)
    odoo.write("queue.job", known, state="done", date_done=odoo.now)
    born = [_enqueue(odoo, state="done", date_done=odoo.now) for _ in range(5)]
    failed = _enqueue(odoo, state="failed", date_started=odoo.now)
    odoo.step(2 * 86_400)
    told = _poll(source, marks)
    ids = [event.body.job_id for event in told if isinstance(event.body, JobChanged)]
    keys = {event.key for event in told}
    assert set(ids) == {known, *born, failed}
    assert len(keys) == len(set(ids)), "what comes twice comes under the same key"


def test_without_queue_job_the_poll_says_so() -> None:
    """A module that is not installed is a sentence in the report, not an outage."""
    odoo, marks = lab(), dict[str, str]()
    odoo.absent.add("queue.job")
    poll = _source(odoo).poll(marks)
    assert poll.events == ()
    assert poll.missing == ("queue.job does not exist in lab: install the module that brings it, or leave it.",)
    assert poll.mark_changes == {}


def test_times_are_aware() -> None:
    """Odoo's text dates are UTC."""
    row = json.loads((DATA / "queue_jobs.json").read_text())[0]
    assert job_of(row).date_done == datetime(2026, 11, 22, 13, 27, 32, tzinfo=UTC)
