"""The Odoo Sources on the real Odoo 19, through both doors: the same promises as on the fake (R24)."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from exporter.domain.bodies import CronCounted, FieldChanged, JobChanged, RecordVanished, ReviewChanged
from exporter.domain.events import Event
from exporter.domain.redact import Secret
from exporter.errors import SourceDown
from exporter.sources.odoo.connect import open_door
from exporter.sources.odoo.door import Access, Door
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.registry import odoo_sources
from exporter.sources.odoo.session import SessionDoor
from tests.contract import sources_contract as promises
from tests.fakes.odoo import drained
from tests.stack.lab import Lab, company
from tests.stack.servers.process import wait_until

READER = "mon"
OPENERS: dict[str, Callable[[Access], Door]] = {"json2": Json2Door, "odoorpc": SessionDoor}


def _access(lab: Lab, **other: Secret | str) -> Access:
    given = {"database": lab.odoo.db, "user": READER, "key": Secret(company().keys[READER])}
    return Access(url=lab.odoo.url, **(given | other))  # type: ignore[arg-type]


@pytest.fixture(params=OPENERS)
def door(request: pytest.FixtureRequest, lab: Lab) -> Door:
    """One of the two doors to the shared lab."""
    return OPENERS[request.param](_access(lab))


def _read(door: Door, marks: dict[str, dict[str, str]]) -> list[Event]:
    told = []
    for source in odoo_sources(door):
        for poll in drained(source, marks.setdefault(source.name, {})):
            assert poll.refused == ()
            assert poll.missing == ()
            told += poll.events
    return told


@pytest.mark.parametrize("promise", promises.CHECKS, ids=lambda promise: promise.__name__)
def test_both_doors_keep_the_promises(door: Door, promise: Callable[[Door], None]) -> None:
    """What the fake promises is what Odoo does (features 2, 3)."""
    promise(door)


def test_every_source_polls_and_the_clock_is_odoos(door: Door) -> None:
    """No row refused, nothing missing for the least-privilege user, no key twice."""
    polls = promises.every_source_polls(door)
    assert [poll.missing for one in polls.values() for poll in one if poll.missing] == []
    promises.the_clock_is_the_servers(door, datetime.now(UTC))


def test_wrong_keys_and_databases_are_outages(lab: Lab) -> None:
    """Through both doors, in one sentence."""
    wrong: tuple[dict[str, Secret | str], ...] = ({"key": Secret("wrong")}, {"database": "no_such_db"})
    for make in OPENERS.values():
        for other in wrong:
            with pytest.raises(SourceDown) as told:
                make(_access(lab, **other)).search_read("ir.cron", [], ["priority"])
            assert "Traceback" not in str(told.value)


def test_odoo_19_gets_json2(lab: Lab) -> None:
    """The version chooses."""
    assert type(open_door(_access(lab))) is Json2Door


def test_a_row_committed_late_is_told(lab: Lab, door: Door) -> None:
    """PostgreSQL itself: an id taken first and committed last is lost by `id > cursor` and told by us."""
    marks: dict[str, dict[str, str]] = {}
    cron = str(company().crons["ok"])
    row = "INSERT INTO ir_cron_progress (cron_id, done, remaining, timed_out_counter, create_date, write_date) "
    row += "VALUES (:'cron', 0, 0, 0, now() at time zone 'utc', now() at time zone 'utc')"
    go = f"lab.go.{type(door).__name__}"
    seen = f"EXISTS (SELECT 1 FROM ir_config_parameter WHERE key = '{go}')"  # noqa: S608 - a name of ours
    hold = f"DO $$ BEGIN WHILE NOT {seen} LOOP PERFORM pg_sleep(0.05); END LOOP; END $$"
    slow = threading.Thread(target=lambda: lab.sql(f"BEGIN; {row}; {hold}; COMMIT", cron=cron))
    slow.start()
    holding = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    wait_until(lambda: lab.sql(holding), "the row is held")
    lab.sql(row, cron=cron)
    newest = door.search_read("ir.cron.progress", [], ["done"], order="id desc", limit=1)[0]["id"]
    first = {event.key for event in _read(door, marks)}
    lab.sql("INSERT INTO ir_config_parameter (key, value) VALUES (:'go', '1')", go=go)
    slow.join()
    assert door.search_read("ir.cron.progress", [["id", ">", newest]], ["done"]) == []
    late = [event.key for event in _read(door, marks) if event.key not in first and "/progress/" in event.key]
    assert late == [f"0/odoo/crons/progress/{int(str(newest)) - 1}/ended"]


def test_what_people_and_machines_do_is_told(lab: Lab, door: Door) -> None:
    """A run, a failing job, a purchase with reviews and a restart: every witness speaks (features 2, 4, 33, 104)."""
    marks: dict[str, dict[str, str]] = {}
    _read(door, marks)
    runs = len(lab.progress("ok"))
    lab.run_cron("ok")
    lab.finished_cron("ok", runs=1)
    uuid = lab.enqueue_job("fail")
    lab.finished_job(uuid)
    order = lab.create_purchase("carl", 9000)
    lab.request_validation("carl", order)
    asked = [int(review["id"]) for review in lab.reviews(order)]
    told = _read(door, marks)
    lab.restart_validation("carl", order)
    lab.cancel("carl", order)
    told += _read(door, marks)
    assert len(lab.progress("ok")) > runs
    assert [
        e.body.lastcall for e in told if isinstance(e.body, CronCounted) and e.body.cron_id == company().crons["ok"]
    ]
    failed = [e.body for e in told if isinstance(e.body, JobChanged) and e.body.uuid == uuid]
    assert failed[-1].state == "failed"
    ends = [e for e in told if e.name == "odoo.message.posted"]
    assert [e.body.record_id for e in ends] == [failed[-1].job_id]  # type: ignore[union-attr]
    assert {e.body.review_id for e in told if isinstance(e.body, ReviewChanged)} >= set(asked)
    gone = {e.body.record_id for e in told if isinstance(e.body, RecordVanished) and e.body.subject_id == order}
    assert gone == set(asked)
    moves = [(e.body.old, e.body.new) for e in told if isinstance(e.body, FieldChanged) and e.body.record_id == order]
    assert moves == [("draft", "cancel")]
    assert len({event.key for event in told}) == len(told)
