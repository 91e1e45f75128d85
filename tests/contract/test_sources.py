"""Both doors over real HTTP and the in-process one keep the same promises (R24)."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from exporter.errors import SourceDown
from exporter.sources.odoo.door import Access, Door
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import odoo_sources
from exporter.sources.odoo.session import SessionDoor
from tests.contract import sources_contract as promises
from tests.fakes.odoo import FakeDoor, FakeOdoo
from tests.fakes.odoo_http import KEY, OdooServer
from tests.fakes.odoo_lab import company

DOORS: tuple[Callable[[OdooServer], Door], ...] = (
    lambda server: FakeDoor(server.odoo),
    lambda server: Json2Door(server.access()),
    lambda server: SessionDoor(server.access()),
)


@pytest.fixture(params=DOORS, ids=["in-process", "json2", "odoorpc"])
def door(request: pytest.FixtureRequest, server: OdooServer) -> Door:
    """One of the three doors to the same Odoo."""
    opened: Door = request.param(server)
    return opened


@pytest.fixture(name="server")
def _server() -> Iterator[OdooServer]:
    with OdooServer(company()) as server:
        yield server


@pytest.mark.parametrize("promise", promises.CHECKS, ids=lambda promise: promise.__name__)
def test_every_door_keeps_the_promise(door: Door, promise: Callable[[Door], None]) -> None:
    """Rows, limits, fields, refusals and errors are the same through every door (features 2, 3)."""
    promise(door)


def test_every_source_polls_through_every_door(door: Door, server: OdooServer) -> None:
    """Every collection says the same through each door: names and number of Events."""
    polls = promises.every_source_polls(door)
    names = sorted(event.name for one in polls.values() for poll in one for event in poll.events)
    assert names == [
        "odoo.cron.counted",
        "odoo.cron.counted",
        "odoo.field.changed",
        "odoo.job.changed",
        "odoo.job.changed",
        "odoo.job.changed",
        "odoo.message.posted",
        "odoo.progress.ended",
        "odoo.record.changed",
        "odoo.review.requested",
        "odoo.sight.changed",
        "odoo.trigger.set",
    ]
    promises.the_clock_is_the_servers(door, server.odoo.now)


def test_the_database_decides_nothing_by_itself(server: OdooServer) -> None:
    """A wrong key and a wrong database are told apart, by both doors, in a sentence that holds no secret."""
    makers: tuple[Callable[[Access], Door], ...] = (Json2Door, SessionDoor)
    for make, access in itertools.product(makers, (server.access(key="wrong-key"), server.access(database="nope"))):
        with pytest.raises(SourceDown) as told:
            make(access).search_read("ir.cron", [], ["priority"])
        assert KEY not in str(told.value)
        assert "wrong-key" not in str(told.value)


def test_the_key_is_in_no_repr(server: OdooServer) -> None:
    """Neither the access nor a door shows its key (R15)."""
    for shown in (server.access(), Json2Door(server.access()), SessionDoor(server.access())):
        assert KEY not in f"{shown!r} {shown}"


def test_pages_have_a_thousand_rows(server: OdooServer) -> None:
    """By default every page that any collection asks for has 1,000 to 2,000 rows, but where one row is wanted."""
    for source in odoo_sources(Json2Door(server.access())):
        source.poll({})
    limits = {body["limit"] for _, _, body in server.requests if isinstance(body, dict) and "limit" in body}
    assert max(limits) == OdooOptions().page
    assert all(1_000 <= limit <= 2_000 for limit in limits - {1})


def test_idle_costs_at_most_twelve_calls(server: OdooServer) -> None:
    """One idle cycle of all collections asks Odoo at most 12 times: 8 the ordinary ones, 2 those polled seldom."""
    odoo: FakeOdoo = server.odoo
    marks: dict[str, dict[str, str]] = {}
    sources = odoo_sources(FakeDoor(odoo))
    for cycle in range(3):
        odoo.calls.clear()
        odoo.step(15)
        for source in sources:
            kept = marks.setdefault(source.name, {})
            poll = source.poll(kept)
            kept.update({key: mark for key, mark in poll.mark_changes.items() if mark is not None})
            assert cycle == 0 or poll.events == ()
    assert len(odoo.calls) == 8 + 2
