"""Reads that are owed: asked for at once and until what they show has settled, about once a second at most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import StepClock
from exporter.domain.bodies import WebhookReceived
from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.domain.tenants import Tenant
from exporter.errors import SourceDown
from exporter.fold.route import owes
from exporter.loops.folding import Folding, FoldingOptions
from exporter.loops.nudging import LEAST
from exporter.loops.tenants import Connected, TenantPolling
from exporter.sources.polling import Poll
from exporter.store.entries import OwedRead
from tests.fakes.ledger import MemoryLedger
from tests.searching import searching
from tests.worlds import APPROVALS, CRONS, FLOW, JOBS, T0, TENANT, at, moved

POLL = 15.0
ORDER = OwedRead(source=APPROVALS, key="purchase.order,17")


def hook(number: int, *correlation: str, **attributes: str) -> Event:
    """A webhook that names records."""
    body = WebhookReceived(
        hook="odoo", delivery=str(number), correlation=correlation, attributes=tuple(attributes.items())
    )
    return Event(
        source="hooks/odoo",
        key=f"0/odoo/{number}",
        name="webhook.received",
        at=at(0),
        seen=at(0),
        precision=1,
        body=body,
    )


@dataclass(slots=True)
class Watch:
    """A Source that says when it was asked.

    Attributes:
        down: it does not answer; `shows`: what the next poll hands out; `meanwhile`: what happens during the next poll.
    """

    name: str
    clock: StepClock
    asked: list[float] = field(default_factory=list)
    down: bool = False
    shows: list[Event] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None

    def poll(self, _marks: Mapping[str, str]) -> Poll:
        """See Source."""
        self.asked.append(self.clock.elapsed)
        if self.down:
            raise SourceDown("no answer")
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        found, self.shows = tuple(self.shows), []
        return Poll(began_at=self.clock.now(), read_until=self.clock.now(), events=found)


@dataclass
class Stage:
    """Polls and fold of one tenant, turned by hand as their threads would."""

    clock: StepClock = field(default_factory=lambda: StepClock(T0))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    seldom: Mapping[str, float] = field(default_factory=dict)
    seconds: float = POLL

    def __post_init__(self) -> None:
        """Two Sources, asked once."""
        self.approvals, self.crons = Watch(APPROVALS, self.clock), Watch(CRONS, self.clock)
        sources = [self.crons, self.approvals]
        self.polling = TenantPolling(
            name=TENANT.name,
            connect=lambda: Connected(tenant=Tenant(name="lab", database="lab19", uuid="one"), sources=sources),
            known=lambda _: None,
            appended=lambda: None,
            inbox=self.ledger,
            ledger=self.ledger,
            clock=self.clock,
            seconds=self.seconds,
            seldom=self.seldom,
        )
        self.woken = 0
        self.folding = Folding(
            ledger=self.ledger,
            flow=replace(FLOW, witnesses=frozenset({APPROVALS, CRONS})),
            clock=self.clock,
            options=FoldingOptions(host_id="test"),
            owing=self._wake,
        )
        self.polling.step()

    def _wake(self) -> None:
        self.woken += 1

    def fold(self) -> None:
        """Everything that is there."""
        while self.folding.step():
            pass

    def until(self, seconds: float) -> None:
        """Let both loops turn: the fold at once after every poll, the polls after their pauses."""
        while self.clock.elapsed < seconds:
            self.polling.step()
            self.fold()
            self.clock.step(min(max(self.polling.pause(), 0.001), seconds - self.clock.elapsed))

    def receive(self, *events: Event) -> None:
        """The intake appends, the fold is woken."""
        self.ledger.append(TENANT.name, events)
        self.fold()


@pytest.fixture
def stage() -> Stage:
    """One that was polled at 0 and has been idle for 4 s."""
    stage = Stage()
    stage.until(4)
    return stage


@pytest.mark.parametrize(
    ("event", "reads"),
    [
        (hook(1, "sale.order,23"), ((APPROVALS, "sale.order,23"),)),
        (hook(1, "queue.job,7", "ir.cron,3"), ((JOBS, "queue.job,7"), (CRONS, "ir.cron,3"))),
        (hook(1, ":S00023", "sale.order:S00023"), ()),
        (hook(1, **{"n8n.execution.id": "88"}), (("n8n/executions", "88"),)),
        (moved(1, "draft", "sent", 1), ()),
    ],
)
def test_a_webhook_that_names_a_record_owes_its_read(event: Event, reads: Sequence[tuple[str, str]]) -> None:
    """Odoo's own reference says which Source shows the record; a name does not, and nothing else owes (feature 30)."""
    assert owes(event) == reads


def test_the_read_is_made_at_once_and_paid(stage: Stage) -> None:
    """The fold wakes the polls; only the Source that owes is asked, and owes nothing afterwards."""
    stage.receive(hook(1, "purchase.order,17"))
    assert stage.woken == 1
    assert stage.ledger.owed(TENANT.name) == [replace(ORDER, seq=stage.ledger.offsets[TENANT.name, "fold"])]
    stage.until(4.5)
    assert (stage.approvals.asked, stage.crons.asked) == ([0, 4], [0])
    assert stage.ledger.owed(TENANT.name) == []


@pytest.mark.parametrize("after", [0.0, 0.001, 0.3, 0.999, 1.0, 5.0, 14.9, 1800.0])
def test_the_record_is_read_again_within_a_second(after: float) -> None:
    """Issue 5: with a poll an hour, however long ago the last one was, the read that is owed begins within 1 s."""
    stage = Stage(seconds=3600.0)
    stage.until(after)
    owed = stage.clock.elapsed
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(owed + 1.001)
    assert stage.approvals.asked == [0, pytest.approx(max(owed, LEAST))]
    assert stage.approvals.asked[1] - owed <= 1
    assert stage.ledger.owed(TENANT.name) == []
    assert stage.crons.asked == [0]


def test_what_nobody_can_read_is_not_owed(stage: Stage) -> None:
    """A hook of n8n's where no n8n is read owes nothing, for ever."""
    stage.receive(hook(1, **{"n8n.execution.id": "88"}))
    assert (stage.ledger.owed(TENANT.name), stage.woken) == ([], 0)


def test_it_is_asked_again_when_what_it_showed_has_settled(stage: Stage) -> None:
    """A change of second 3, which was over, is told by the first read; one more look follows, and no third one."""
    stage.approvals.shows = [moved(3, "draft", "purchase", 1)]
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(14)
    assert len(stage.approvals.asked) == 3
    assert stage.approvals.asked[1:] == pytest.approx([4, 5.05], abs=0.01)
    assert [row.result for row in stage.ledger.runs.values()] == ["success"]


def test_it_is_asked_as_soon_as_a_timer_says(stage: Stage) -> None:
    """A change in the second that goes on: the second poll is made when it is over, not a second later."""
    stage.until(4.4)
    stage.approvals.shows = [moved(4, "draft", "purchase", 1)]
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(14)
    assert stage.approvals.asked[1:] == pytest.approx([4.4, 5.02], abs=0.01)
    assert [row.result for row in stage.ledger.runs.values()] == ["success"]


def test_a_read_that_showed_nothing_is_repeated_once(stage: Stage) -> None:
    """It may have come from a replica that lagged behind: one more look a second later, then the ordinary ones."""
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(14)
    assert stage.approvals.asked[1:] == pytest.approx([4, 5.05], abs=0.01)


def test_timers_that_are_due_much_later_wait(stage: Stage) -> None:
    """The marker of a long Run, a minute away, is nobody's hurry."""
    stage.receive(hook(1, "purchase.order,17"))
    name = (TENANT.name, "record/purchase.order/17", "started")
    stage.ledger.timers[name] = Timer(subject=name[1], name="started", due=at(60), source=APPROVALS)
    stage.until(14)
    assert len(stage.approvals.asked) == 3


@pytest.mark.parametrize("apart", [0.005, 0.05, 0.4, 0.9])  # the first: twice as many as are followed at once
def test_a_flood_polls_about_once_a_second(stage: Stage, apart: float) -> None:
    """Whatever comes in for 10 s, each naming another record: at most 11 polls, and everything is paid (feature 30)."""
    number = 0
    while stage.clock.elapsed < 14:
        number += 1
        stage.approvals.shows.append(
            replace(moved(int(stage.clock.elapsed), "draft", "purchase", number, ("purchase.order", number)))
        )
        stage.receive(hook(number, f"purchase.order,{number}"))
        stage.until(min(stage.clock.elapsed + apart, 14.0))
    assert 8 <= len([one for one in stage.approvals.asked if one >= 4]) <= 11
    stage.until(20)
    assert stage.ledger.owed(TENANT.name) == []
    assert len(stage.ledger.runs) == number


def test_while_it_is_down_nobody_hurries(stage: Stage) -> None:
    """A Source that does not answer is asked at its ordinary times; what is owed stays owed until one goes well."""
    stage.approvals.down = True
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(40)
    assert stage.approvals.asked == pytest.approx([0, 4, 19, 34])
    assert len(stage.ledger.owed(TENANT.name)) == 1
    stage.approvals.down = False
    stage.until(50)
    assert stage.ledger.owed(TENANT.name) == []


def test_a_read_that_is_owed_again_while_it_is_made_is_made_again(stage: Stage) -> None:
    """The change that is announced while a poll reads may be one that it did not see."""
    stage.approvals.meanwhile = lambda: stage.receive(hook(2, "purchase.order,17"))
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(5.02)
    assert stage.approvals.asked[1:] == pytest.approx([4, 4 + LEAST], abs=0.01)
    assert stage.ledger.owed(TENANT.name) == []


def test_ordinary_polls_go_on_beside_it(stage: Stage) -> None:
    """The Source that was nudged and the one that was not are both asked every 15 s."""
    stage.receive(hook(1, "purchase.order,17"))
    stage.until(60)
    assert stage.crons.asked == pytest.approx([0, 15, 30, 45], abs=0.01)
    gaps = [after - before for before, after in zip(stage.approvals.asked, stage.approvals.asked[1:], strict=False)]
    assert max(gaps) <= POLL + 0.01


def test_some_sources_are_asked_less_often() -> None:
    """What hardly ever changes has an interval of its own; the others keep theirs."""
    stage = Stage(seldom={CRONS: 40.0})
    stage.until(130)
    assert stage.crons.asked == pytest.approx([0, 40, 80, 120], abs=0.01)
    assert len(stage.approvals.asked) == 9


@searching()
@given(st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 4)), min_size=1, max_size=12))
def test_every_owed_read_is_made_after_it_was_owed(arrivals: Sequence[tuple[int, int]]) -> None:
    """In whatever rhythm they come: a poll begins behind each of them, within LEAST (R8)."""
    stage = Stage()
    stage.until(4)
    came = []
    for number, (after, record) in enumerate(arrivals):
        stage.until(stage.clock.elapsed + after / 1000)
        stage.receive(hook(number, f"purchase.order,{record}"))
        came.append(stage.clock.elapsed)
    stage.until(stage.clock.elapsed + 3)
    for moment in came:
        assert any(
            moment <= asked <= moment + timedelta(seconds=LEAST).total_seconds() + 0.01
            for asked in stage.approvals.asked
        )
    assert stage.ledger.owed(TENANT.name) == []
