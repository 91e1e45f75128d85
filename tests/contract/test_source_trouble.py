"""Every Source we have, held against the contract of trouble (R24): what is told and refused is what there was."""

import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec import Raw
from msgspec.structs import replace

from exporter.domain.bodies import KeyCounted
from exporter.domain.events import Event
from exporter.sources.n8n.kin import N8nOptions
from exporter.sources.n8n.rows import Detail, Page
from exporter.sources.n8n.source import N8nSource
from exporter.sources.odoo.door import JSON, Domain, Door, Row
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import COLLECTIONS, OdooSource
from exporter.sources.simulator import company as simulated
from exporter.sources.simulator.source import SimulatedSource
from exporter.store import open_store
from tests.contract.trouble import TROUBLES, Mode, Name, Weather, drain, holds, nonsense, outage
from tests.fakes import odoo_live as live
from tests.fakes.n8n import T1, FakeN8n, FakeN8nDoor
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import lab
from tests.fakes.simulated import LIVE, company

MODES: tuple[Mode, ...] = typing.get_args(Mode)
PAGE = 7
# What stands in an Event's key, and which model's row it is.
MODELS = {
    "cron": "ir.cron",
    "progress": "ir.cron.progress",
    "trigger": "ir.cron.trigger",
    "job": "queue.job",
    "tracking": "mail.tracking.value",
    "review": "tier.review",
    "record": "purchase.order",
    "rule": "base.automation",
    "mail": "mail.mail",
    "log": "ir.logging",
}
# Of each collection: the models whose rows it tells one by one, each with a field that can be spoiled.
SPOILED: Mapping[str, Mapping[str, str]] = {
    "odoo/crons": {"ir.cron": "cron_name", "ir.cron.progress": "done", "ir.cron.trigger": "call_at"},
    "odoo/jobs": {"queue.job": "uuid"},
    "odoo/approvals": {
        "purchase.order": "amount_total",
        "tier.review": "status",
        "mail.tracking.value": "mail_message_id",
    },
    "odoo/automations": {"base.automation": "trigger"},
    "odoo/mails": {"mail.mail": "state"},
    "odoo/keys": {"res.users.apikeys": "expiration_date"},
    "odoo/logging": {"ir.logging": "name"},
}


def busy() -> FakeOdoo:
    """More of everything than a page holds."""
    odoo = lab()
    odoo.write("res.users", 1, login="monitor")
    for number in range(20):
        one = live.cron(odoo, f"LAB {number}")
        odoo.insert("ir.cron.trigger", cron_id=one, call_at=odoo.now + timedelta(hours=2))
        live.ran(odoo, one, failed=number % 3 == 0)
        job, order = live.job(odoo), live.order(odoo)
        (live.failed if number % 4 == 0 else live.done)(odoo, job)
        live.approved(odoo, order, live.submitted(odoo, order))
        odoo.insert("base.automation", name=f"Rule {number}")
        message = odoo.insert("mail.message", date=odoo.now, model="purchase.order", res_id=order)
        odoo.insert("mail.mail", state="exception", mail_message_id=message)
        odoo.insert("res.users.apikeys", user_id=1, expiration_date=odoo.now + timedelta(days=30 + number))
        odoo.step(30)
    return odoo


def write_log(odoo: FakeOdoo) -> None:
    """What Odoo logs after it was first looked at."""
    odoo.step(60)
    for number in range(20):
        name, message = "odoo.addons.base.models.ir_cron", f"Job 'LAB {number}' ({number + 1}) starting"
        odoo.insert("ir.logging", name=name, message=message, level="INFO")


@dataclass
class FaultyDoor:
    """A Door in some weather, through which chosen rows come with a value that no field of theirs may have."""

    door: Door
    weather: Weather
    bad: set[Name]
    fields: Mapping[str, str]

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """See Door."""
        self.weather.may_fail(outage, nonsense)
        found = self.door.call(model, method, **named)
        return self._spoil(model, typing.cast("Sequence[Row]", found)) if method == "read" else found

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """See Door."""
        self.weather.may_fail(outage, nonsense)
        return self._spoil(model, self.door.search_read(model, domain, fields, order=order, limit=limit))

    def _spoil(self, model: str, rows: Iterable[Row]) -> list[Row]:
        return [{**row, self.fields[model]: {"not": "this"}} if (model, row["id"]) in self.bad else row for row in rows]

    def server_time(self) -> typing.Any:
        """See Door."""
        return self.door.server_time()

    def version(self) -> tuple[int, int]:
        """See Door."""
        return self.door.version()


def weather_of(mode: Mode, random: Random) -> Weather:
    """Passing trouble, where the mode has some."""
    return Weather(random, left=TROUBLES if mode in {"transient", "mixed"} else 0)


def chosen(mode: Mode, random: Random, rows: Iterable[Name]) -> set[Name]:
    """Rows that cannot be told, where the mode has some."""
    return {row for row in sorted(rows) if random.random() < 0.25} if mode in {"permanent", "mixed"} else set()


def told_rows(events: Iterable[Event]) -> set[Name]:
    """The rows that Events are about, by their keys: 0/odoo/jobs/job/17/..."""
    parts = [event.key.split("/")[3:] for event in events]
    parts = [[MODELS[one[0]], *one[2:]] if one[0] == "record" else [MODELS.get(one[0], ""), *one[1:]] for one in parts]
    return {(model, int(number)) for model, number, *_ in parts if model}


def keys_told(events: Sequence[Event], rows: set[Name], bad: set[Name]) -> set[Name]:
    """API keys are told as a number and the first end: those that were counted, if they are the right ones."""
    body = events[-1].body
    assert isinstance(body, KeyCounted)
    assert len(events) == 1
    return rows - bad if body.keys == len(rows - bad) else set()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_collection_of_odoo_keeps_the_contract(name: str, mode: Mode, seed: int, tmp_path: Path) -> None:
    """R24: outages, nonsense, a full store, rows with impossible values: all rows told or refused, none twice."""
    random, odoo, fields = Random(f"{name}/{mode}/{seed}"), busy(), SPOILED[name]
    store = open_store(tmp_path / "store.db")
    options = OdooOptions(page=PAGE, user="monitor")
    if name == "odoo/logging":
        drain(OdooSource(name=name, door=FakeDoor(odoo), options=options), store, Weather(random))
        write_log(odoo)
    rows = {(model, one) for model in fields for one in odoo.tables[model]}
    bad, weather = chosen(mode, random, rows), weather_of(mode, random)
    door = FaultyDoor(FakeDoor(odoo), weather, bad, fields)
    found = drain(OdooSource(name=name, door=door, options=options), store, weather)
    refused = {(model, int(one)) for model, _, one in (row.partition(",") for row in found.refused)}
    told = keys_told(found.events, rows, bad) if name == "odoo/keys" else told_rows(found.events) & rows
    holds(told, refused, rows, bad)
    assert len(rows) >= 20
    assert (bool(bad), weather.met) == (
        mode in {"permanent", "mixed"},
        TROUBLES if mode in {"transient", "mixed"} else 0,
    )
    store.close()


@pytest.mark.parametrize("mode", ["ok", "transient"])  # it makes its rows itself: there is none it could refuse
@pytest.mark.parametrize("name", simulated.COLLECTIONS)
def test_the_simulator_keeps_the_contract(name: str, mode: Mode, tmp_path: Path) -> None:
    """R24: also into a store that is full now and then every Event is told, none twice."""
    source = SimulatedSource(name=name, company=company(3, days=2), now=lambda: LIVE)
    wanted = [event for poll in drained(source, {}) for event in poll.events]
    store = open_store(tmp_path / "store.db")
    found = drain(source, store, weather_of(mode, Random(1)))
    assert sorted(event.key for event in found.events) == sorted(event.key for event in wanted)
    assert found.refused == set()
    assert len(wanted) > 100
    store.close()


@dataclass
class FaultyN8nDoor(FakeN8nDoor):
    """The door to n8n in some weather; chosen executions are listed as no execution is."""

    weather: Weather = None  # type: ignore[assignment]
    bad: frozenset[int] = frozenset()

    def executions(self, status: str = "", cursor: str = "") -> Page:
        """See N8nDoor."""
        self.weather.may_fail(outage, nonsense)
        page = FakeN8nDoor.executions(self, status, cursor)
        names = {number: f'"id":"{number}"'.encode() for number in self.bad}
        spoiled = {number: Raw(b'{"id":"%d","status":{}}' % number) for number in self.bad}
        rows = [next((spoiled[n] for n, name in names.items() if name in _bare(raw)), raw) for raw in page.data]
        return replace(page, data=rows)

    def execution(self, number: int, *, whole: bool = False, data: bool = True) -> Detail | None:
        """See N8nDoor."""
        self.weather.may_fail(outage)
        return FakeN8nDoor.execution(self, number, whole=whole, data=data)


def _bare(raw: Raw) -> bytes:
    return bytes(raw).replace(b": ", b":")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", MODES)
def test_n8n_keeps_the_contract(mode: Mode, seed: int, tmp_path: Path) -> None:
    """R24: executions of six pages, some and a whole page listed as none is: each is told or refused, none twice."""
    random, n8n = Random(f"n8n/{mode}/{seed}"), FakeN8n(cap=PAGE)
    for number in range(1, 41):
        n8n.put(random.choice(["success", "error401", "continued"]), number, at=T1 - timedelta(minutes=60 - number))
    rows = {("execution", number) for number in n8n.rows}
    bad, weather = chosen(mode, random, rows), weather_of(mode, random)
    bad |= {("execution", number) for number in range(10, 24)} if bad else set()  # also a whole page of them
    door = FaultyN8nDoor(n8n, weather=weather, bad=frozenset(number for _, number in bad))
    store = open_store(tmp_path / "store.db")
    found = drain(N8nSource(door=door, options=N8nOptions()), store, weather)
    counted = Counter(int(event.key.split("/")[3]) for event in found.events)
    assert set(counted.values()) == {1}
    refused = {("execution", int(row)) for row in found.refused} & (bad if mode in {"transient", "mixed"} else rows)
    holds({("execution", number) for number in counted}, refused, rows, bad)
    store.close()
