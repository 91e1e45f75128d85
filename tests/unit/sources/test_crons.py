"""Scheduled actions as Odoo 19 was seen to commit them, read over its RPC."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.domain.bodies import CronCounted, CronProgress, RecordVanished
from exporter.domain.events import Event
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained, keep
from tests.fakes.odoo_lab import lab

DATA = Path(__file__).parents[2] / "data" / "odoo"


def _source(odoo: FakeOdoo, page: int = 1000) -> OdooSource:
    return OdooSource(name="odoo/crons", door=FakeDoor(odoo), options=OdooOptions(page=page))


def _poll(source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in drained(source, marks) for event in poll.events]


def _loaded(row: dict[str, Any]) -> dict[str, Any]:
    """A captured row as the table holds it: bare ids, datetimes."""
    loaded = {name: value[0] if isinstance(value, list) else value for name, value in row.items()}
    for name, value in loaded.items():
        if isinstance(value, str) and len(value) == 19 and value[4] == "-":
            loaded[name] = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return loaded


def test_the_captured_runs_are_told() -> None:
    """Eight captured polls of seven actions: starts, ends, counts, failures; nothing is configured (features 2, 82)."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    told: list[Event] = []
    for captured in json.loads((DATA / "cron_polls.json").read_text()):
        odoo.now = datetime.fromisoformat(captured["t"]).replace(tzinfo=UTC)
        for model, name in (("ir.cron", "cron"), ("ir.cron.progress", "progress"), ("ir.cron.trigger", "trigger")):
            odoo.tables[model] = {
                row["id"]: odoo.tables[model].get(row["id"], {}) | _loaded(row) for row in captured[name]
            }
            for row in odoo.tables[model].values():
                row.setdefault("interval_type", "days")
                row.setdefault("interval_number", 1)
        told += _poll(source, marks)
    started = {
        e.body.progress_id for e in told if e.name == "odoo.progress.started" and isinstance(e.body, CronProgress)
    }
    ended = {e.body.progress_id for e in told if e.name == "odoo.progress.ended" and isinstance(e.body, CronProgress)}
    assert {23, 24, 26, 27, 28, 29, 31, 36} <= started
    assert {23, 24, 25, 26, 27, 28, 32} <= ended
    assert 25 not in started, "a row first seen ended is told as ended only"
    failures = [e.body.failure_count for e in told if isinstance(e.body, CronCounted) and e.body.cron_id == 42]
    assert failures == [0, 0, 1], "as set up, moved to now, failed"
    assert len({event.key for event in told}) == len(told)


def test_a_to_b_to_a_is_three_events() -> None:
    """A counter that returns to what it was is told each time (decision 8)."""
    odoo, marks = lab(), dict[str, str]()
    cron = odoo.insert("ir.cron")
    source = _source(odoo)
    told = []
    for failures in (0, 1, 0):
        odoo.raw("ir.cron", cron, failure_count=failures)
        odoo.step(15)
        told += _poll(source, marks)
    assert [e.body.failure_count for e in told if isinstance(e.body, CronCounted)] == [0, 1, 0]
    assert len({event.key for event in told}) == 3


def test_progress_is_read_before_the_count() -> None:
    """ir.cron is asked last, and its Event is never older than a progress row of the same poll (decision 10)."""
    odoo, marks = lab(), dict[str, str]()
    cron = odoo.insert("ir.cron")
    odoo.now += timedelta(milliseconds=300)
    run = odoo.begin()
    run.insert("ir.cron.progress", cron_id=cron, write_date=odoo.now + timedelta(seconds=2))
    run.commit()
    odoo.calls.clear()
    told = _poll(_source(odoo), marks)
    asked = [model for model, method in odoo.calls if method == "search_read"]
    assert asked.index("ir.cron.progress") < asked.index("ir.cron.trigger") < asked.index("ir.cron")
    at = {event.name: event.at for event in told}
    assert at["odoo.cron.counted"] >= at["odoo.progress.ended"]


def test_names_and_zones_are_asked_once() -> None:
    """XML ids stay in the marks, the cron user's time zone is read again after an hour."""
    odoo, marks = lab(), dict[str, str]()
    odoo.xmlids["ir.cron", odoo.insert("ir.cron")] = "base.autovacuum_job"
    source = _source(odoo)
    first = [e.body for e in _poll(source, marks) if isinstance(e.body, CronCounted)]
    assert (first[0].xmlid, first[0].timezone) == ("base.autovacuum_job", "Europe/Brussels")
    odoo.write("res.users", 1, tz="Asia/Tokyo")
    odoo.step(60)
    assert _poll(source, marks) == []
    odoo.step(3600)
    assert [e.body.timezone for e in _poll(source, marks) if isinstance(e.body, CronCounted)] == ["Asia/Tokyo"]


def test_inactive_actions_are_read_and_deleted_ones_vanish() -> None:
    """Switched off is a change; deleted is told as vanished."""
    odoo, marks = lab(), dict[str, str]()
    cron = odoo.insert("ir.cron")
    source = _source(odoo)
    _poll(source, marks)
    odoo.write("ir.cron", cron, active=False)
    odoo.step(15)
    assert [e.body.active for e in _poll(source, marks) if isinstance(e.body, CronCounted)] == [False]
    odoo.unlink("ir.cron", cron)
    assert [e.body for e in _poll(source, marks)] == [RecordVanished(model="ir.cron", record_id=cron)]
    assert _poll(source, marks) == []


def test_a_crashed_run_stays_open_until_it_is_purged() -> None:
    """A killed run's row is watched although it is far below the tail, and vanishes with Odoo's purge."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    row = odoo.insert("ir.cron.progress", cron_id=4, timed_out_counter=1)
    assert [e.name for e in _poll(source, marks)] == ["odoo.progress.started"]
    for _ in range(3):
        odoo.step(3600)
        odoo.insert("ir.cron.progress", cron_id=5)
        assert [e.name for e in _poll(source, marks)] == ["odoo.progress.ended"]
    odoo.unlink("ir.cron.progress", row)
    gone = RecordVanished(model="ir.cron.progress", record_id=row, subject_model="ir.cron", subject_id=4)
    assert [e.body for e in _poll(source, marks)] == [gone]


def test_what_runs_now_comes_before_history() -> None:
    """First poll: the running row first, then a backlog page by page, which a restart resumes."""
    odoo, marks = lab(), dict[str, str]()
    for _ in range(25):
        odoo.insert("ir.cron.progress", cron_id=1)
    odoo.step(7200)
    odoo.insert("ir.cron.progress", cron_id=2, timed_out_counter=1)
    first = _source(odoo, page=10).poll(marks)
    assert (first.events[0].name, first.more) == ("odoo.progress.started", True)
    keep(marks, first)
    odoo.calls.clear()
    rest = _poll(_source(odoo, page=10), marks)
    keys = [e.key for e in (*first.events, *rest)]
    assert len(keys) == len(set(keys)) == 26
    assert len([call for call in odoo.calls if call == ("ir.cron.progress", "search_read")]) == 2


def test_the_scheduler_s_own_trigger_has_no_create_date() -> None:
    """A run stopped half-way leaves a trigger without create_date: it happened at call_at."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    call_at = odoo.now - timedelta(seconds=14)
    trigger = odoo.insert("ir.cron.trigger", cron_id=1, call_at=call_at, create_date=False)
    told = _poll(source, marks)
    assert [(e.name, e.at) for e in told] == [("odoo.trigger.set", call_at)]
    odoo.unlink("ir.cron.trigger", trigger)
    assert _poll(source, marks) == []
    assert not [key for key in marks if key.startswith("trigger/")]


def test_a_bad_row_is_left_out_and_counted_once() -> None:
    """One row with a wrong value costs one refusal; the rest of the poll stands."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    odoo.insert("ir.cron.progress", cron_id="seven")
    odoo.insert("ir.cron.progress", cron_id=1)
    poll = source.poll(marks)
    assert [event.name for event in poll.events] == ["odoo.progress.ended"]
    assert [(row.row, row.reason) for row in poll.refused] == [
        ("ir.cron.progress,1", "cron_id of row 1 is str, not a record.")
    ]


def test_without_progress_the_counts_are_still_read() -> None:
    """Before Odoo 18 there is no progress table: said in one sentence, not asked for at every poll."""
    odoo, marks = lab(), dict[str, str]()
    odoo.insert("ir.cron")
    odoo.absent.add("ir.cron.progress")
    source = _source(odoo)
    polls = [source.poll(marks), source.poll(marks)]
    assert [event.name for event in polls[0].events] == ["odoo.cron.counted"]
    assert all("ir.cron.progress does not exist" in poll.missing[0] for poll in polls)
    assert odoo.calls.count(("ir.cron.progress", "fields_get")) == 1


def test_lost_access_is_an_outage_and_not_a_success() -> None:
    """What was read before and is forbidden now fails the poll: no missed run may be concluded from it (decision 2)."""
    for model in ("ir.cron", "ir.cron.progress"):
        odoo, marks = lab(), dict[str, str]()
        source = _source(odoo)
        _poll(source, marks)
        odoo.forbidden.add(model)
        poll = source.poll(marks)
        assert f"may not read {model}" in poll.failed
        assert (poll.read_until, poll.more, [event.name for event in poll.events]) == (
            None,
            False,
            ["odoo.sight.changed"],
        )
