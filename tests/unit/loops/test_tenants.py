"""One tenant's polling: who it is is asked once and remembered for good; until it answers it is reported down."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from exporter.clock import StepClock
from exporter.domain.tenants import Tenant
from exporter.errors import SourceDown
from exporter.loops.tenants import ANSWERED, Connected, TenantPolling, changes, is_copy, recall, remember
from exporter.sources.polling import Poll
from tests.fakes.ledger import MemoryLedger
from tests.worlds import T0, at

TENANT = Tenant(name="lab", database="lab19", uuid="one", own=True, version="19.0")
HIDDEN = replace(TENANT, uuid="of the address", own=False)  # the same one without a right on ir.config_parameter


@dataclass(slots=True)
class Quiet:
    """A Source with nothing to say, for so many polls with more to read at once."""

    name: str
    backlog: int = 0
    polls: int = 0

    def poll(self, _marks: Mapping[str, str]) -> Poll:
        """See Source."""
        self.polls += 1
        return Poll(began_at=T0, more=self.polls <= self.backlog)


@dataclass(slots=True)
class Database:
    """Answers `connect` when it is up."""

    sources: list[Quiet]
    down: list[str] = field(default_factory=list)
    asked: int = 0
    says: Tenant = TENANT

    def connect(self) -> Connected:
        """See TenantPolling."""
        self.asked += 1
        if self.down:
            raise SourceDown(self.down.pop(0))
        return Connected(tenant=self.says, sources=self.sources)


def polling(database: Database, ledger: MemoryLedger, known: list[Tenant]) -> TenantPolling:
    """The loop's step, freshly started."""
    return TenantPolling(
        name="lab",
        connect=database.connect,
        known=known.append,
        appended=lambda: None,
        inbox=ledger,
        ledger=ledger,
        clock=StepClock(T0),
        expected=("odoo/crons", "odoo/jobs"),
    )


def test_it_connects_once_and_then_asks_every_source() -> None:
    """A round asks each Source once, one after the other; who it is is asked once."""
    sources = [Quiet("odoo/crons"), Quiet("odoo/jobs")]
    database, known = Database(sources), list[Tenant]()
    loop = polling(database, MemoryLedger(), known)
    assert [loop.step() for _ in range(3)] == [False] * 3
    assert [one.polls for one in sources] == [3, 3]
    assert database.asked == 1
    assert [one.name for one in known] == ["lab"]


def test_a_backlog_of_one_source_makes_the_round_go_on() -> None:
    """One Source with more to read at once repeats the round without a pause; the others are polled meanwhile."""
    loop = polling(Database([Quiet("odoo/crons"), Quiet("odoo/jobs", backlog=2)]), MemoryLedger(), [])
    assert [loop.step() for _ in range(4)] == [True, True, False, False]


def test_while_it_does_not_answer_its_sources_are_reported_down(caplog: pytest.LogCaptureFixture) -> None:
    """R7: a report of every expected Source says why; the log says it once for each reason; then it is connected."""
    database, known, ledger = (
        Database([Quiet("odoo/crons")], down=["refused", "refused", "redirects"]),
        [],
        MemoryLedger(),
    )
    loop = polling(database, ledger, known)
    for reason in ("refused", "refused", "redirects"):
        assert loop.step() is False
        assert {(source, report.ok, report.error) for (_, source), report in ledger.reports.items()} == {
            ("odoo/crons", False, reason),
            ("odoo/jobs", False, reason),
        }
    assert known == []
    assert len(caplog.records) == 2
    loop.step()
    assert ledger.reports["lab", "odoo/crons"].ok
    assert len(known) == 1


def test_who_it_is_is_remembered() -> None:
    """The uuid and the first start are those of the first day: they are part of every id, and part history."""
    ledger, clock = MemoryLedger(), StepClock(T0)
    first = remember(ledger, TENANT, clock)
    assert first == replace(TENANT, first_start=T0) == recall(ledger, "lab")
    clock.step(3600)
    moved = replace(TENANT, uuid="another", version="20.0", url="https://elsewhere.example", first_start=at(7200))
    again = remember(ledger, moved, clock)
    assert (again.uuid, again.first_start) == ("one", T0)
    assert (again.version, again.url) == ("20.0", "https://elsewhere.example")
    assert recall(ledger, "lab") == again
    assert recall(ledger, "other") is None


def test_the_first_start_is_by_the_servers_clock() -> None:
    """R14: a server that is a day off knows itself what was before the first start; else ours says."""
    given = replace(TENANT, first_start=at(-86_400))
    assert remember(MemoryLedger(), given, StepClock(T0)).first_start == at(-86_400)
    assert remember(MemoryLedger(), TENANT, StepClock(T0)).first_start == T0


def test_tenants_do_not_share_what_is_remembered() -> None:
    """Two tenants in one store keep their own uuid."""
    ledger = MemoryLedger()
    remember(ledger, TENANT, StepClock(T0))
    remember(ledger, replace(TENANT, name="other", uuid="two"), StepClock(T0))
    assert [known.uuid for name in ("lab", "other") if (known := recall(ledger, name))] == ["one", "two"]


def test_whatever_it_says_of_itself_ends_nothing() -> None:
    """R7: an answer that breaks us is an outage with a sentence, not the end of the loop."""
    ledger = MemoryLedger()

    def connect() -> Connected:
        raise TypeError

    loop = replace(polling(Database([]), ledger, []), connect=connect)
    assert loop.step() is False
    assert "report this" in ledger.reports["lab", "odoo/crons"].error


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {}, []),
        ({"version": ""}, {"version": "19.0"}, []),
        ({"version": "18.0"}, {"version": "19.0"}, ["upgraded"]),
        ({"url": "http://a"}, {"url": "http://b", "uuid": "two"}, ["moved"]),
        ({"uuid": "one"}, {"uuid": "two"}, ["replaced"]),
        ({"uuid": "made", "own": False}, {"uuid": "two"}, []),
        ({"uuid": "made", "own": False}, {"uuid": "made elsewhere", "own": False}, []),
        ({}, {"neutralized": True}, ["neutralized"]),
        ({"neutralized": True}, {}, ["live"]),
        ({"version": "18.0"}, {"version": "19.0", "neutralized": True}, ["upgraded", "neutralized"]),
    ],
)
def test_what_changed_is_said_once_each(before: dict[str, object], now: dict[str, object], said: list[str]) -> None:
    """An Event for each thing that is not as it was; nothing at the first start (R7)."""
    first, second = replace(TENANT, **before), replace(TENANT, **now)  # type: ignore[arg-type]
    assert [event.body.what for event in changes(first, second, T0)] == said  # type: ignore[union-attr]
    assert [*changes(None, second, T0)] == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([TENANT, HIDDEN, TENANT], []),
        ([HIDDEN, TENANT, HIDDEN], []),
        ([HIDDEN, TENANT, replace(TENANT, uuid="two")], ["replaced"]),
        ([TENANT, HIDDEN, replace(TENANT, uuid="two")], ["replaced"]),
        ([replace(TENANT, neutralized=True), HIDDEN, replace(TENANT, neutralized=True)], []),
        ([replace(TENANT, neutralized=True), HIDDEN, TENANT], ["live"]),
    ],
)
def test_a_right_granted_or_withdrawn_is_no_other_database(answers: list[Tenant], said: list[str]) -> None:
    """Like is compared with like: whoever may read ir.config_parameter no more is not told of another database (R7)."""
    ledger, told = MemoryLedger(), []
    for answer in answers:
        known: list[Tenant] = []
        polling(Database([], says=answer), ledger, known).step()
        told += known
    assert [one.event.body.what for one in ledger.read("lab", 0, 100)] == said  # type: ignore[union-attr]
    assert len({(one.uuid, one.own, one.first_start) for one in told}) == 1


def test_what_it_answered_is_remembered_also_when_nothing_is_said_of_it() -> None:
    """A right that was granted leaves the uuid to compare with at the next start, and the ids as they were."""
    ledger = MemoryLedger()
    for answer in (HIDDEN, TENANT):
        polling(Database([], says=answer), ledger, []).step()
    answered, known = recall(ledger, "lab", ANSWERED), recall(ledger, "lab")
    assert answered is not None
    assert known is not None
    assert (answered.uuid, answered.own) == ("one", True)
    assert (known.uuid, known.own) == ("of the address", False)


def test_a_copy_is_the_one_that_was_known_later() -> None:
    """The same uuid and environment: of two the later is the copy; another environment makes it none."""
    old, new = replace(TENANT, first_start=at(0)), replace(TENANT, name="twin", first_start=at(9))
    assert (is_copy(new, old), is_copy(old, new)) == (True, False)
    assert is_copy(replace(new, first_start=None), old)
    assert not is_copy(replace(new, environment="staging"), old)
    assert not is_copy(replace(new, uuid="two"), old)


def test_one_source_that_is_always_down_is_no_reason_to_ask_for_ever() -> None:
    """It is asked once more who it is when a Source began to fail, not at every poll after that."""
    broken, good = Broken("odoo/jobs"), Quiet("odoo/crons")
    database = Database([broken, good])  # type: ignore[list-item]
    loop = polling(database, MemoryLedger(), [])
    for _ in range(10):
        loop.step()
    assert database.asked == 2


@dataclass(slots=True)
class Broken:
    """A Source that never answers."""

    name: str

    def poll(self, _marks: Mapping[str, str]) -> Poll:
        """See Source."""
        raise SourceDown(self.name)
