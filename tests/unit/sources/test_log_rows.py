"""ir.logging: the log where a database keeps it, read by its ids, each line told once, nothing of a payload kept."""

from datetime import timedelta

from exporter.domain.bodies import LogWritten
from exporter.domain.events import Event
from exporter.sources.odoo import log_rows
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import lab

CRON = "odoo.addons.base.models.ir_cron"
ACTIONS = "odoo.addons.base.models.ir_actions"
AUTOMATION = "odoo.addons.base_automation.models.base_automation"
TRACEBACK = (
    'Traceback (most recent call last):\n  File "x.py", line 1\nodoo.exceptions.UserError: No, jane@example.com.'
)
FAILED = f"Webhook #1 failed with error:\n{TRACEBACK}"
PAYLOAD = "Webhook #1 triggered with payload {'name': 'c4n4ry'}"


def source(odoo: FakeOdoo, page: int = 1000) -> OdooSource:
    """The collection."""
    return OdooSource(name="odoo/logging", door=FakeDoor(odoo), options=OdooOptions(page=page))


def told(of: OdooSource, marks: dict[str, str]) -> list[Event]:
    """What is new of the log itself."""
    found = [event for poll in drained(of, marks) for event in poll.events]
    return [event for event in found if event.name == "odoo.log.written"]


def says(events: list[Event]) -> list[str]:
    """What the lines say."""
    return [event.body.says for event in events if isinstance(event.body, LogWritten)]


def write(odoo: FakeOdoo, message: str, name: str = CRON, level: str = "INFO") -> int:
    """A row."""
    return odoo.insert("ir.logging", name=name, message=message, level=level)


def run(odoo: FakeOdoo) -> None:
    """A run that failed, as Odoo 19 writes it."""
    write(odoo, "Job 'LAB fail' (42) starting")
    write(odoo, f"Job 'LAB fail' (42) server action #555 failed\n{TRACEBACK}", level="ERROR")
    write(odoo, "Job 'LAB fail' (42) failed (#loop 1; done 0; remaining 0; duration 0.12s)")


def test_a_run_is_told_by_its_rows() -> None:
    """Start, exception and end with its duration, each once, by the row's second and id (features 2, 60)."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo)
    assert told(of, marks) == []
    run(odoo)
    events = told(of, marks)
    assert says(events) == ["cron.started", "cron.raised", "cron.ended"]
    assert [event.key for event in events] == [f"0/odoo/logging/log/{n}" for n in (1, 2, 3)]
    assert {(event.at, event.precision) for event in events} == {(odoo.now.replace(microsecond=0), 1_000_000)}
    why, over = events[1].body, events[2].body
    assert isinstance(why, LogWritten)
    assert isinstance(over, LogWritten)
    assert (why.error_type, why.error, why.level) == ("odoo.exceptions.UserError", "No, [EMAIL].", "ERROR")
    assert (over.result, over.seconds, over.cron_id) == ("failure", 0.12, 42)
    assert told(of, marks) == []


def test_rows_of_others_are_neither_asked_for_nor_searched_again() -> None:
    """A log full of web requests moves on, though none of its rows is ours: what is searched stays short."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo)
    told(of, marks)
    for _ in range(3):
        for _ in range(40):
            write(odoo, "GET /web", name="werkzeug")
        odoo.step(601)
        assert told(of, marks) == []
    assert int(marks["tail/logging"].split()[0]) == 80
    run(odoo)
    assert len(told(of, marks)) == 3


def test_what_commits_late_is_told() -> None:
    """A rule's own row shows when its request commits, behind rows with higher ids."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo)
    told(of, marks)
    slow = odoo.begin()
    slow.insert("ir.logging", name="Webhook Log", message=FAILED, level="ERROR")
    run(odoo)
    odoo.step(30)
    assert len(told(of, marks)) == 3
    slow.commit()
    assert says(told(of, marks)) == ["inbound.failed"]


def test_what_commits_late_before_an_outage_is_told() -> None:
    """Nobody looked for longer than the newest row is remembered: a row below it was not there yet when it was (R3)."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo)
    slow = odoo.begin()
    slow.insert("ir.logging", name="Webhook Log", message=FAILED, level="ERROR")
    run(odoo)
    assert len(told(of, marks)) == 3
    slow.commit()
    odoo.step(1200)
    assert says(told(of, marks)) == ["inbound.failed"]
    odoo.step(1200)
    assert told(of, marks) == []


def test_a_failed_call_is_told_once_where_both_wrote_it_down() -> None:
    """The rule logs its calls and the database its log: one failure, two rows, one Event; else whichever there is."""
    for logs_calls, names in ((True, ["Webhook Log"]), (False, [AUTOMATION])):
        odoo, marks = lab(), dict[str, str]()
        odoo.insert("base.automation", log_webhook_calls=logs_calls)
        of = source(odoo)
        told(of, marks)
        write(odoo, FAILED, AUTOMATION, "WARNING")
        if logs_calls:
            write(odoo, FAILED, "Webhook Log", "ERROR")
        (event,) = told(of, marks)
        assert odoo.tables["ir.logging"][int(event.key.rpartition("/")[2])]["name"] in names


def test_no_payload_stays() -> None:
    """Odoo writes what was posted in clear: of it nothing is kept (promise R15)."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo)
    told(of, marks)
    write(odoo, PAYLOAD, "Webhook Log")
    (event,) = told(of, marks)
    assert "c4n4ry" not in repr(event)


def test_a_table_that_was_emptied_or_restored_is_read_on() -> None:
    """Ids that come again are read again, from the newest row on."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo)
    for _ in range(30):
        run(odoo)
    told(of, marks)
    odoo.step(1200)
    told(of, marks)
    odoo.tables["ir.logging"].clear()
    odoo.sequences["ir.logging"] = 10
    odoo.step(1200)
    assert told(of, marks) == []
    run(odoo)
    assert len(told(of, marks)) == 3


def test_a_page_is_not_the_end() -> None:
    """Many rows at once are read page by page, none twice."""
    odoo, marks = lab(), dict[str, str]()
    of = source(odoo, page=10)
    told(of, marks)
    for _ in range(20):
        run(odoo)
    keys = [event.key for event in told(of, marks)]
    assert len(keys) == len(set(keys)) == 60


def test_without_the_right_it_says_so() -> None:
    """Nobody has to open the table: what it would show is missing, and no more."""
    odoo = lab()
    odoo.forbidden.add("ir.logging")
    (poll,) = drained(source(odoo), {})
    assert poll.missing == (
        "monitor may not read ir.logging: give this user the read-only group (odoo-otel odoo-access).",
    )


def test_the_first_poll_reads_what_was_just_written() -> None:
    """A run that ended a moment before we looked has its words, one of long ago has not."""
    odoo = lab()
    run(odoo)
    for _ in range(log_rows.BEFORE):
        write(odoo, "GET /web", name="werkzeug")
    run(odoo)
    odoo.now += timedelta(seconds=1)
    assert len(told(source(odoo), {})) == 3
