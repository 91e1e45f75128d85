"""The Inbox, and what detectors post to it, held against the contract of trouble (R24): there or refused, once."""

import json
import typing
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event as Flag

import apsw
import pytest

from detectors import claims
from detectors import service as detecting
from detectors.reporting import Intake
from exporter.clock import StepClock
from exporter.domain.bodies import DetectorsBeat
from exporter.domain.events import Event
from exporter.errors import Refused, StoreError, StoreFull
from exporter.store import open_store
from exporter.store.entries import Stored
from exporter.store.sqlite import SqliteStore
from exporter.tokens import DETECTORS, Tokens
from tests.contract.trouble import TENANT, Mode
from tests.fakes import disk
from tests.fakes.intake_http import IntakeServer, intake_server
from tests.fakes.rows import START

MODES: tuple[Mode, ...] = typing.get_args(Mode)
SENDERS, REQUESTS, TOGETHER = 4, 40, 3
POISON = "\ud800"  # no Unicode: no store takes it
LOST = 30  # writes that find no room, or answers that do not come


def beat(number: int) -> Event:
    """One Event of the detectors."""
    return claims.beat(DetectorsBeat(series=number, judged=0, seconds=0.1), START + timedelta(minutes=number))


@dataclass
class Sent:
    """What became of everything that was sent."""

    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def holds(self, sent: set[str], bad: set[str]) -> None:
        """Each is one of the two, and none both."""
        assert self.acknowledged.isdisjoint(self.refused), "something is both"
        assert self.acknowledged | self.refused == sent, "something is neither acknowledged nor refused"
        assert self.refused == bad


def _requests(mode: Mode, random: Random) -> list[list[Event]]:
    """What is sent, some of it unfit to be stored."""
    made = []
    for number in range(SENDERS * REQUESTS):
        events = [beat(number * TOGETHER + n) for n in range(TOGETHER)]
        if mode in {"permanent", "mixed"} and random.random() < 0.2:
            events[1] = replace(events[1], key=events[1].key + POISON)
        made.append(events)
    return made


def _append(store: SqliteStore, requests: Sequence[list[Event]], sent: Sent) -> None:
    """As a sender does: without room the same again, until it is there or never will be."""
    for events in requests:
        keys = {event.key for event in events}
        for _ in range(1000):
            try:
                store.append(TENANT, events)
            except StoreFull:
                continue
            except StoreError:
                sent.refused |= keys
                break
            sent.acknowledged |= keys
            break


def _keys(store: SqliteStore) -> list[str]:
    return [one.event.key for one in store.read(TENANT, 0, 100_000) if isinstance(one, Stored)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mode", MODES)
def test_the_inbox_keeps_the_contract(mode: Mode, seed: int, tmp_path: Path) -> None:
    """R24, R9: senders at once, a disk full now and then, values none can store: what is acknowledged is there once."""
    random, sent, met = Random(f"{mode}/{seed}"), Sent(), []

    def no_room(what: str, _name: str) -> int | None:
        if what != "write" or len(met) >= LOST or random.random() < 0.7:
            return None
        met.append(what)
        return apsw.SQLITE_FULL

    requests = _requests(mode, random)
    with disk.installed() as faulty:
        store = open_store(tmp_path / "store.db")
        faulty.fault = no_room if mode in {"transient", "mixed"} else faulty.fault
        with ThreadPoolExecutor(SENDERS) as senders:
            for _ in senders.map(lambda n: _append(store, requests[n::SENDERS], sent), range(SENDERS)):
                pass
        sent.holds(
            {event.key for events in requests for event in events},
            {event.key for events in requests if any(POISON in one.key for one in events) for event in events},
        )
        found = _keys(store)
        store.close()
        again = open_store(tmp_path / "store.db")
        assert _keys(again) == found
        again.close()
    assert sorted(found) == sorted(sent.acknowledged)
    assert len(met) == (LOST if mode in {"transient", "mixed"} else 0)


@dataclass
class Noted:
    """The detectors' exit; it remembers what was refused."""

    intake: Intake
    sent: Sent = field(default_factory=Sent)

    def post(self, tenant: str, events: Sequence[Event]) -> int:
        """See Exit."""
        keys = {event.key for event in events}
        try:
            new = self.intake.post(tenant, events)
        except Refused:
            self.sent.refused |= keys
            raise
        self.sent.acknowledged |= keys
        return new


def _moody(server: IntakeServer, mode: Mode, random: Random) -> list[int]:
    """Let the intake fail now and then, also after it has stored; and refuse what holds a poisoned Event."""
    real, met = server.answer, list[int]()
    troubles = [429, 500, 503, 408] if mode in {"transient", "mixed"} else []

    def answer(authorization: str, raw: bytes) -> tuple[int, bytes]:
        if any("poison" in row["key"] for row in json.loads(raw)):
            return 400, b"not this"
        if troubles and len(met) < LOST and random.random() < 0.5:
            met.append(random.choice(troubles))
            if random.random() < 0.5:
                real(authorization, raw)
            return met[-1], b"later"
        return real(authorization, raw)

    server.answer = answer  # type: ignore[method-assign]
    return met


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IntakeServer]:
    """An intake."""
    with intake_server(tmp_path) as heard:
        yield heard


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mode", MODES)
def test_what_detectors_post_keeps_the_contract(
    mode: Mode, seed: int, server: IntakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R24: an intake that is away, loses its answers or refuses: every Event is there once, or refused and counted."""
    monkeypatch.setattr(detecting, "BATCH", 5)
    random = Random(f"{mode}/{seed}")
    events = [beat(number) for number in range(300)]
    if mode in {"permanent", "mixed"}:
        bad = set(random.sample(range(300), 9))
        events = [replace(one, key=f"{one.key}/poison") if n in bad else one for n, one in enumerate(events)]
    met = _moody(server, mode, random)
    tokens = Tokens(tmp_path)
    exit_ = Noted(Intake(url=server.url, token=lambda: tokens.make(DETECTORS, START)))
    loop = detecting.Detecting(store=tmp_path / "x", intake=exit_, clock=StepClock(START), stopping=Flag())
    loop._report(TENANT, events)
    batches = [events[n : n + 5] for n in range(0, 300, 5)]
    refused = {one.key for batch in batches if any("poison" in one.key for one in batch) for one in batch}
    exit_.sent.holds({event.key for event in events}, refused)
    assert {key for _, key in server.rows} == exit_.sent.acknowledged
    assert loop.refused == len(refused)
    assert len(met) == (LOST if mode in {"transient", "mixed"} else 0)
    assert bool(refused) == (mode in {"permanent", "mixed"})
