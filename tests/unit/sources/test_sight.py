"""Where a Source is blind it says so once, and once more when it sees again (features 61, 114)."""

from datetime import timedelta

import pytest

from exporter.domain.bodies import SightChanged
from exporter.domain.events import Event
from exporter.fold import measure
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import company

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
