"""One Source polled: what it saw, how far it read and how it went are one transaction; its clock and ours may lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from exporter.clock import StepClock
from exporter.domain.bodies import SightChanged
from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.errors import BadRecord, SourceDown, StoreFull
from exporter.loops.polling import Polling
from exporter.sources.polling import Poll, RefusedRow
from exporter.store.entries import Appended, OwedRead, PollReport, Stored
from tests.fakes.ledger import MemoryLedger
from tests.worlds import JOBS, T0, at, event, job

NAME = "lab"
SECRET = "somebody@example.com"


@dataclass(slots=True)
class Scripted:
    """A Source that answers as it is told; `asked` are the marks it was given."""

    answers: list[Poll | Exception]
    name: str = JOBS
    asked: list[Mapping[str, str]] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    def poll(self, marks: Mapping[str, str]) -> Poll:
        """See Source."""
        self.asked.append(marks)
        self.during()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(slots=True)
class Stage:
    """A Source, its loop, what it keeps, our clock, and how often the fold was woken."""

    source: Scripted
    ledger: MemoryLedger
    clock: StepClock
    woken: list[int] = field(default_factory=list)

    def polling(self) -> Polling:
        """The loop, freshly started."""
        return Polling(NAME, self.source, self.ledger, self.ledger, self.clock, lambda: self.woken.append(1))

    def events(self) -> list[Event]:
        """Every Event that was appended."""
        return [one.event for one in self.ledger.events.get(NAME, []) if isinstance(one, Stored)]

    def report(self) -> PollReport:
        """How the last poll went."""
        return self.ledger.reports[NAME, JOBS]


def stage(*answers: Poll | Exception) -> Stage:
    """What a test needs; our clock shows an hour after T0."""
    return Stage(Scripted([*answers]), MemoryLedger(), StepClock(at(3600)))


def poll(seconds: float, *events: Event, **changes: object) -> Poll:
    """A poll that began at `seconds` of the server's clock and read up to then."""
    given = {"began_at": at(seconds), "read_until": at(seconds), "events": events} | changes
    return Poll(**given)  # type: ignore[arg-type]


def pending(seen: float, number: int = 1) -> Event:
    """A job, seen waiting."""
    return job(seen, "pending", number=number, created=seen)


def test_what_was_seen_and_how_far_are_kept_together() -> None:
    """Events, marks and the report in one append, the Source's mark as the last Event; then the fold is woken."""
    made = stage(poll(5, pending(4), mark_changes={"since": "5", "old": None}))
    made.ledger.keys[NAME, JOBS] = {"old": "1"}
    assert made.polling().step() is False
    assert [event.name for event in made.events()] == ["odoo.job.changed", "source.read"]
    assert made.ledger.marks(NAME, JOBS) == {"since": "5"}
    assert made.source.asked == [{"old": "1"}]
    assert (made.report().ok, made.report().events, made.report().read_until) == (True, 1, at(5))
    assert made.woken == [1]


def test_a_poll_that_lost_its_sight_is_a_failed_one_that_says_so() -> None:
    """Its Event and its mark are kept with a report of why; it gives no mark of the Source and pays nothing."""
    blind = event(
        "odoo.sight.changed", 5, "0/b", SightChanged(spot="queue.job", why="no_access", blind=True), source=JOBS
    )
    lost = poll(5, blind, mark_changes={"blind/queue.job": "no_access"}, failed="Not allowed.", read_until=None)
    made = stage(lost, poll(6))
    owed = OwedRead(source=JOBS, key="queue.job,1")
    made.ledger.owing[NAME, JOBS, owed.key] = owed
    polling = made.polling()
    assert polling.step() is False
    assert [one.name for one in made.events()] == ["odoo.sight.changed"]
    assert made.ledger.marks(NAME, JOBS) == {"blind/queue.job": "no_access"}
    assert (made.report().ok, made.report().error, made.report().read_until) == (False, "Not allowed.", None)
    assert polling.failing
    assert made.ledger.owed(NAME) == [owed]
    polling.step()
    assert (made.report().ok, polling.failing, made.ledger.owed(NAME)) == (True, False, [])


def test_an_idle_poll_appends_no_event() -> None:
    """A poll that saw nothing and that no Timer waits for leaves its report, and lets the fold sleep."""
    made = stage(poll(5))
    made.polling().step()
    assert made.events() == []
    assert made.woken == []
    assert made.report().read_until == at(5)


def test_an_idle_poll_says_how_far_it_read_when_a_timer_waits() -> None:
    """A Timer of this Source that fell due makes an idle poll append its mark; one of another Source does not."""
    made = stage(poll(5), poll(6))
    polling = made.polling()
    for n in range(1, 2001):  # of a Source that is not read for long
        timer = Timer(subject=f"cron/{n}", name="settle", due=at(0), source="odoo/crons")
        made.ledger.timers["lab", timer.subject, "settle"] = timer
    polling.step()
    assert made.events() == []
    made.ledger.timers["lab", "job/1", "settle"] = Timer(subject="job/1", name="settle", due=at(1), source=JOBS)
    polling.step()
    assert [event.name for event in made.events()] == ["source.read"]
    assert made.woken == [1]


def test_a_backlog_is_read_on_at_once_and_gives_no_mark() -> None:
    """`more` is passed on; while a backlog is read in another order than time's there is no mark, so no Timer fires."""
    made = stage(poll(5, pending(4), more=True, read_until=None))
    assert made.polling().step() is True
    assert [event.name for event in made.events()] == ["odoo.job.changed"]
    assert made.report().read_until is None


@pytest.mark.parametrize("error", [SourceDown("Odoo did not answer."), BadRecord("no rows")])
def test_a_source_that_is_down_changes_nothing_but_its_report(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """R7: marks and Events stay; the report says why; the log says so once, and once that it is read again."""
    caplog.set_level("INFO")
    made = stage(error, error, poll(5))
    made.ledger.keys[NAME, JOBS] = {"since": "1"}
    polling = made.polling()
    assert [polling.step(), polling.step()] == [False, False]
    assert (made.report().ok, made.report().error) == (False, str(error))
    assert made.ledger.marks(NAME, JOBS) == {"since": "1"}
    polling.step()
    assert made.report().ok
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("error", [TypeError(SECRET), KeyError(SECRET), OverflowError(), RecursionError(SECRET)])
def test_an_answer_that_breaks_us_is_its_own_trouble(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """R7: whatever an answer breaks in us, the poll failed and the loop goes on; R15: its words are not shown."""
    made = stage(error, poll(5, pending(4)))
    polling = made.polling()
    assert polling.step() is False
    assert not made.report().ok
    assert type(error).__name__ in made.report().error
    assert SECRET not in made.report().error + caplog.text
    polling.step()
    assert made.report().ok


def test_a_store_without_room_is_not_the_sources_trouble() -> None:
    """A store that refuses is raised, not reported: nothing was kept, the marks stand, it is read again."""

    class Full(MemoryLedger):
        def append(self, *_: object, **__: object) -> Appended:
            raise StoreFull("no room")

    made = Stage(Scripted([poll(5, pending(4))]), Full(), StepClock(T0))
    with pytest.raises(StoreFull):
        made.polling().step()


def test_rows_left_out_are_said(caplog: pytest.LogCaptureFixture) -> None:
    """Refused rows are counted in the report and logged, a line each."""
    made = stage(poll(5, refused=(RefusedRow(row="queue.job,1", reason="state is bool"),), missing=("no tier.review",)))
    made.polling().step()
    assert (made.report().refused, made.report().missing) == (1, ("no tier.review",))
    assert [record.getMessage() for record in caplog.records] == ["A row was left out: state is bool"]


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, -3600.0])
def test_our_own_clock_may_jump(jump: float) -> None:
    """R14: how long a poll took is monotonic: our wall clock jumping within it makes it neither negative nor long."""

    def work() -> None:
        made.clock.elapsed += 2.0
        made.clock.time += timedelta(seconds=jump)

    made = stage(poll(5), SourceDown("gone"))
    made.source.during = work
    polling = made.polling()
    polling.step()
    assert made.report().seconds == 2.0
    polling.step()
    assert made.report().seconds == 2.0
    assert not made.report().ok


@pytest.mark.parametrize("off", [-86_400.0, 86_400.0])
def test_how_old_a_success_is_is_measured_by_our_own_clock(off: float) -> None:
    """R14: the report bears our time, not the server's, which may be a day off: else it were stale always, or never."""
    made = stage(poll(off))
    made.polling().step()
    assert made.report().began_at == made.clock.now()
    assert made.report().read_until == at(off)  # but the mark is the source's: Timers live by it


@pytest.mark.parametrize("back", [0.0, -0.5, -86_400.0])
@pytest.mark.parametrize("restart", [False, True])
def test_a_later_poll_saw_later(*, back: float, restart: bool) -> None:
    """R14: a server's clock that goes back, also over our restart, never puts a version before an earlier one."""
    made = stage(poll(100, pending(100), pending(100, 2)), poll(100 + back, job(100 + back, "started", created=0)))
    polling = made.polling()
    polling.step()
    (made.polling() if restart else polling).step()
    seen = [event.seen for event in made.events() if event.name == "odoo.job.changed"]
    assert seen[0] == seen[1] == at(100)
    assert seen[2] > at(100)
    assert seen[2] - at(100) < timedelta(seconds=1)
    times = [event.at for event in made.events() if event.name == "odoo.job.changed"]
    assert times == [at(100), at(100), at(100 + back)]  # what the row says stays as it is


def test_a_clock_that_runs_on_leaves_seen_alone() -> None:
    """Normally Events bear the time their poll bears."""
    made = stage(poll(100, pending(100)), poll(115, pending(115, 2)))
    polling = made.polling()
    polling.step()
    polling.step()
    found: list[datetime] = [event.seen for event in made.events() if event.name == "odoo.job.changed"]
    assert found == [at(100), at(115)]
