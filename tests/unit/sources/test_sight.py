"""Where a Source is blind it says so once, and once more when it sees again (features 61, 114)."""

from datetime import timedelta

import pytest

from exporter.domain.bodies import RecordVanished, SightChanged
from exporter.domain.events import Event
from exporter.fold import measure
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import company, lab

Said = list[tuple[str, str, bool]]
RIGHTS = [
    ("odoo/crons", "ir.cron.progress"),
    ("odoo/jobs", "queue.job"),
    ("odoo/approvals", "tier.review"),
    ("odoo/approvals", "ir.model.fields"),
    ("odoo/logging", "ir.logging"),
    ("odoo/mails", "mail.mail"),
]


class Watch:
    """One Source of a company, polled as often as wanted."""

    def __init__(self, name: str, odoo: FakeOdoo, **options: object) -> None:
        self.source = OdooSource(name=name, door=FakeDoor(odoo), options=OdooOptions(**options))  # type: ignore[arg-type]
        self.marks: dict[str, str] = {}

    def events(self) -> list[Event]:
        """What is new of its sight."""
        found = [event for poll in drained(self.source, self.marks) for event in poll.events]
        return [event for event in found if isinstance(event.body, SightChanged)]

    def said(self) -> Said:
        """The same in short."""
        bodies = [event.body for event in self.events()]
        return [(body.spot, body.why, body.blind) for body in bodies if isinstance(body, SightChanged)]


@pytest.mark.parametrize(("name", "model"), RIGHTS)
def test_a_right_that_is_missing_is_a_blind_spot_until_it_is_given(name: str, model: str) -> None:
    """Said once, however often it is asked; a right that is given later heals it."""
    odoo = company()
    odoo.forbidden.add(model)
    watch = Watch(name, odoo)
    assert watch.said() == [(model, "no_access", True)]
    odoo.step(15)
    assert watch.said() == []
    odoo.forbidden.clear()
    odoo.step(1200)
    assert (model, "no_access", False) in watch.said()


@pytest.mark.parametrize(("name", "model"), [*RIGHTS, ("odoo/crons", "ir.cron"), ("odoo/approvals", "purchase.order")])
def test_a_right_that_is_withdrawn_is_a_blind_spot_and_no_good_poll(name: str, model: str) -> None:
    """Said once and counted, nothing else of that poll counts, and nothing is taken for deleted (features 61, 114)."""
    odoo = company()
    watch = Watch(name, odoo)
    watch.said()
    before = dict(watch.marks)
    odoo.forbidden.add(model)
    odoo.step(3601)
    for wanted in ([SightChanged(spot=model, why="no_access", blind=True)], []):
        (poll,) = drained(watch.source, watch.marks)
        assert [event.body for event in poll.events] == wanted
        assert (f"may not read {model}" in poll.failed, poll.read_until) == (True, None)
        odoo.step(15)
    assert watch.marks == before | {f"blind/{model}": "no_access"}
    odoo.forbidden.clear()
    assert watch.said() == [(model, "no_access", False)]


@pytest.mark.parametrize(("name", "model"), [("odoo/jobs", "queue.job"), ("odoo/approvals", "tier.review")])
def test_rows_that_are_hidden_are_not_taken_for_deleted(name: str, model: str) -> None:
    """A rule that showed every row is withdrawn: a blind spot, and no job and no review is told as gone."""
    odoo = company()
    for number in (1, 2):
        odoo.insert(model, uuid=f"u{number}", res_id=number, status="pending", state="pending")
    watch = Watch(name, odoo)
    watch.said()
    shown, odoo.tables[model] = odoo.tables[model], {}
    odoo.step(15)
    found = [event for poll in drained(watch.source, watch.marks) for event in poll.events]
    assert [event.body for event in found] == [SightChanged(spot=model, why="no_rows", blind=True)]
    odoo.step(15)
    assert watch.said() == []
    odoo.tables[model] = shown
    one = max(shown)
    odoo.unlink(model, one)
    odoo.step(15)
    found = [event for poll in drained(watch.source, watch.marks) for event in poll.events]
    assert [event.body for event in found if isinstance(event.body, SightChanged)] == [
        SightChanged(spot=model, why="no_rows", blind=False)
    ]
    assert [event.body.record_id for event in found if isinstance(event.body, RecordVanished)] == [one]


def test_documents_that_are_hidden_are_a_blind_spot() -> None:
    """Looked at once an hour: where some showed and none does, a right was taken; where none ever did, none was."""
    odoo = company()
    watch, never = Watch("odoo/approvals", odoo), Watch("odoo/approvals", lab())
    assert (watch.said(), never.said()) == ([], [])
    shown, odoo.tables["purchase.order"] = odoo.tables["purchase.order"], {}
    never.source.door.odoo.step(3601)  # type: ignore[attr-defined]
    odoo.step(3601)
    assert (watch.said(), never.said()) == ([("purchase.order", "no_rows", True)], [])
    odoo.tables["purchase.order"] = shown
    odoo.write("purchase.order", min(shown), state="purchase")
    odoo.step(15)
    assert watch.said() == [("purchase.order", "no_rows", False)]


def test_a_module_that_is_not_there_is_no_blind_spot() -> None:
    """Nobody has to have queue jobs: nothing happens there that could be missed."""
    odoo = company()
    odoo.absent.add("queue.job")
    assert Watch("odoo/jobs", odoo).said() == []


def test_a_state_without_a_history_is_a_blind_spot() -> None:
    """Only the present state of such documents can be read; looked at once an hour."""
    odoo = company()
    watch = Watch("odoo/approvals", odoo)
    assert watch.said() == []
    for one in odoo.tables["ir.model.fields"]:
        odoo.write("ir.model.fields", one, tracking=False)
    odoo.step(1800)
    assert watch.said() == []
    odoo.step(1801)
    assert watch.said() == [("purchase.order.state", "tracking_off", True)]


def test_a_database_that_keeps_no_log_is_blind_for_reasons() -> None:
    """Off, until rows come; where the log itself reaches us nothing is missing."""
    odoo = company()
    watch = Watch("odoo/logging", odoo)
    assert watch.said() == [("log_db", "log_off", True)]
    odoo.insert("ir.logging", name="werkzeug", message="GET /web", level="INFO")
    odoo.step(601)
    assert watch.said() == [("log_db", "log_off", False)]
    odoo.step(timedelta(hours=2).total_seconds())
    assert watch.said() == [("log_db", "log_off", True)]
    assert Watch("odoo/logging", company(), odoo_log=True).said() == []


def test_a_log_of_warnings_alone_is_none() -> None:
    """`log_db_level=warning` has a row now and then, none of a run: off, and steadily so; a rule's own are none."""
    odoo = company()
    watch = Watch("odoo/logging", odoo)
    assert watch.said() == [("log_db", "log_off", True)]
    for level, name in (("WARNING", "werkzeug"), ("INFO", "Webhook Log"), ("ERROR", "odoo.addons.base.models.ir_cron")):
        odoo.insert("ir.logging", name=name, message="Hm", level=level)
        odoo.step(601)
        assert watch.said() == []
    odoo.insert("ir.logging", name="werkzeug", message="GET /web", level="INFO")
    odoo.insert("ir.logging", name="werkzeug", message="Hm", level="WARNING")
    odoo.step(601)
    assert watch.said() == [("log_db", "log_off", False)]


def test_a_row_of_the_log_without_a_time_fails_no_poll() -> None:
    """Whoever writes into ir.logging by SQL may leave its date out: the log goes on being read."""
    odoo = company()
    odoo.insert("ir.logging", name="werkzeug", message="GET /web", level="INFO", create_date=False)
    assert Watch("odoo/logging", odoo).said() == [("log_db", "log_off", True)]


def test_a_blind_spot_is_a_gauge() -> None:
    """1 while it is blind, 0 when it sees again; no Event is taken for another."""
    odoo = company()
    watch = Watch("odoo/logging", odoo)
    first = watch.events()
    odoo.insert("ir.logging", name="werkzeug", message="GET /web", level="INFO")
    odoo.step(601)
    events = [*first, *watch.events()]
    found = [one for event in events for one in measure.gauges(event)]
    labels = (("source", "odoo/logging"), ("spot", "log_db"), ("why", "log_off"))
    assert [(one.name, one.labels, one.value) for one in found] == [
        ("odoo_blind_spot", labels, 1),
        ("odoo_blind_spot", labels, 0),
    ]
    assert len({event.key for event in events}) == len(events)
