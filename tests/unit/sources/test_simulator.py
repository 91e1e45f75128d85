"""The simulated company: the same facts for the same seed, however it is polled; its incidents are true."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain.bodies import (
    CronCounted,
    CronProgress,
    CronTrigger,
    FieldChanged,
    JobChanged,
    MessagePosted,
    RecordVanished,
    ReviewChanged,
)
from exporter.domain.events import Event
from exporter.errors import SourceDown
from exporter.sources.simulator import (
    Company,
    Incident,
    SimulatedSource,
    business_morning,
    resumed,
    simulated_sources,
)
from exporter.sources.simulator.cast import CAST

LIVE = datetime(2026, 11, 20, 9, tzinfo=UTC)  # a Friday, 10:00 in Brussels
SEEDS = (1, 2)
NAMES = ("odoo/crons", "odoo/jobs", "odoo/approvals")


def _company(seed: int = 1, days: int = 8) -> Company:
    return Company(seed=seed, live=LIVE, days=days)


def _source(name: str, company: Company, now: Callable[[], datetime]) -> SimulatedSource:
    return next(source for source in simulated_sources(company, now) if source.name == name)


def _drain(source: SimulatedSource, marks: dict[str, str]) -> Iterator[Event]:
    """Poll until there is no more; the marks follow."""
    more = True
    while more:
        poll = source.poll(marks)
        marks.update({key: mark for key, mark in poll.mark_changes.items() if mark is not None})
        more = poll.more
        yield from poll.events


@lru_cache(maxsize=16)
def _events(name: str, seed: int = 1, until: timedelta = timedelta(hours=4)) -> tuple[Event, ...]:
    company = _company(seed)
    return tuple(_drain(_source(name, company, lambda: LIVE + until), {}))


def _incident(kind: str, seed: int, *, live: bool) -> Incident:
    return next(i for i in _company(seed).incidents() if i.kind == kind and (i.began >= LIVE) is live)


def _ended(seed: int, incident: Incident) -> list[CronProgress]:
    return [e.body for e in _rows(seed, incident) if isinstance(e.body, CronProgress) and not e.body.timed_out_counter]


def _rows(seed: int, incident: Incident) -> list[Event]:
    number = int(incident.subject.partition("/")[2])
    return [e for e in _events("odoo/crons", seed) if getattr(e.body, "cron_id", 0) == number]


def _inside(incident: Incident, at: datetime | None) -> bool:
    return at is not None and incident.began <= at and (incident.ended is None or at < incident.ended)


def _seconds(row: CronProgress) -> float:
    return (row.write_date - row.create_date).total_seconds()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_tells_the_same_facts_and_another_seed_others(name: str) -> None:
    """Deterministic: nothing but the seed decides."""
    again = tuple(_drain(_source(name, _company(1, days=1), lambda: LIVE), {}))
    assert again == _day(name)
    assert again != _day(name, 2)


@lru_cache(maxsize=6)
def _day(name: str, seed: int = 1) -> tuple[Event, ...]:
    """One day of a company, read in one go."""
    return tuple(_drain(_source(name, _company(seed, days=1), lambda: LIVE), {}))


@settings(max_examples=10, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    steps=st.lists(st.integers(min_value=1, max_value=36_000), min_size=1, max_size=12),
    chunk=st.integers(min_value=15, max_value=100_000),
)
def test_the_facts_do_not_depend_on_when_it_is_polled(name: str, steps: list[int], chunk: int) -> None:
    """Every 15 s, every 10 min or at random, in whatever chunks: the same row versions, the same counts."""
    company, end = _company(days=1), LIVE
    now = end - timedelta(seconds=sum(steps))
    polled: list[Event] = []
    marks: dict[str, str] = {}
    source = replace(_source(name, company, lambda: now), chunk=timedelta(seconds=max(chunk, 7200)))
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        polled += _drain(source, marks)
    assert tuple(polled) == _day(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_restart_resumes_without_doubles(name: str) -> None:
    """The marks alone say how far it was read, and of which company."""
    company = _company(days=3)
    whole = list(_drain(_source(name, company, lambda: LIVE + timedelta(hours=4)), {}))
    marks: dict[str, str] = {}
    first = list(_drain(_source(name, company, lambda: LIVE - timedelta(hours=30)), marks))
    found = resumed(marks)
    assert found is not None
    assert found[0] == company
    assert found[1] <= LIVE - timedelta(hours=30)
    second = list(_drain(_source(name, found[0], lambda: LIVE + timedelta(hours=4)), marks))
    assert [*first, *second] == whole
    assert first
    assert second
    assert len({event.key for event in whole}) == len(whole)


def test_marks_of_another_company_are_refused() -> None:
    """A state directory of another seed is not mixed with this one."""
    marks: dict[str, str] = {}
    list(_drain(_source("odoo/crons", _company(1), lambda: LIVE - timedelta(days=8)), marks))
    with pytest.raises(SourceDown, match="another simulated company"):
        _source("odoo/crons", _company(2), lambda: LIVE).poll(marks)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_revealed_before_it_happened(name: str) -> None:
    """No Event lies behind the poll that brings it, and history moves on chunk by chunk."""
    source, before = _source(name, _company(days=3), lambda: LIVE), None
    marks: dict[str, str] = {}
    while True:
        poll = source.poll(marks)
        marks.update({key: mark for key, mark in poll.mark_changes.items() if mark is not None})
        assert all(event.at <= event.seen <= poll.began_at for event in poll.events)
        assert before is None or before < poll.began_at
        assert poll.read_until == poll.began_at
        before = poll.began_at
        if not poll.more:
            break
    assert timedelta(0) <= LIVE - poll.began_at < timedelta(seconds=15)


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_of_an_action_follow_one_another(seed: int) -> None:
    """No action runs twice at a time, row ids grow with time, and rows are counted after they ended."""
    events = [e for e in _events("odoo/crons", seed) if isinstance(e.body, CronProgress)]
    bodies = sorted(
        (e.body for e in events if isinstance(e.body, CronProgress)), key=lambda b: (b.cron_id, b.progress_id)
    )
    for _, rows in groupby(bodies, key=lambda b: b.cron_id):
        newest = {row.progress_id: row for row in sorted(rows, key=lambda r: r.write_date)}
        for before, after in pairwise(newest[one] for one in sorted(newest)):
            assert before.write_date <= after.create_date


@pytest.mark.parametrize("seed", SEEDS)
def test_every_run_that_ended_is_counted_unless_it_was_partial(seed: int) -> None:
    """Its start becomes lastcall; a partial run leaves ir.cron alone and sets a trigger, as Odoo 19 does."""
    events = _events("odoo/crons", seed)
    counted = {(b.cron_id, b.lastcall) for b in (e.body for e in events) if isinstance(b, CronCounted)}
    triggers = {(b.cron_id, b.call_at) for b in (e.body for e in events) if isinstance(b, CronTrigger)}
    partial = 0
    for run in _runs(events):
        first = run[0].create_date
        starts = {(run[0].cron_id, first), (run[0].cron_id, first - timedelta(seconds=1))}
        if run[-1].remaining:
            partial += 1
            assert starts & triggers
            assert not starts & counted
        elif first < LIVE + timedelta(hours=3):
            assert starts & counted
    assert partial


def _runs(events: Iterable[Event]) -> Iterator[list[CronProgress]]:
    """Ended rows put together as Odoo loops: the next row follows at once when work remained."""
    rows = [e.body for e in events if isinstance(e.body, CronProgress) and not e.body.timed_out_counter]
    run: list[CronProgress] = []
    for row in sorted(rows, key=lambda r: (r.cron_id, r.progress_id)):
        if (
            run
            and run[-1].cron_id == row.cron_id
            and run[-1].remaining
            and row.create_date <= run[-1].write_date + timedelta(seconds=1)
        ):
            run.append(row)
            continue
        if run:
            yield run
        run = [row]
    yield run


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("live", [False, True])
def test_a_failing_action_fails_as_long_as_the_label_says(seed: int, *, live: bool) -> None:
    """Every run in it is counted as one failure more, and the first one after it heals."""
    incident = _incident("cron_failing", seed, live=live)
    counted = [e.body for e in _rows(seed, incident) if isinstance(e.body, CronCounted)]
    inside = [b for b in counted if b.lastcall and _inside(incident, b.lastcall - timedelta(seconds=60))]
    assert len(inside) >= 4
    assert [b.failure_count - inside[0].failure_count for b in inside] == list(range(len(inside)))
    assert all(b.failure_count > 0 and b.first_failure_date for b in inside)
    after = [b for b in counted if b.lastcall and incident.ended and b.lastcall > incident.ended + timedelta(minutes=1)]
    assert after[0].failure_count == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("live", [False, True])
def test_a_hanging_action_never_ends_and_comes_back_only_after_a_restart(seed: int, *, live: bool) -> None:
    """Its row stays as it began; the next one counts the time-out."""
    incident = _incident("cron_hung", seed, live=live)
    rows = [e.body for e in _rows(seed, incident) if isinstance(e.body, CronProgress)]
    began = [r for r in rows if _inside(incident, r.create_date)]
    assert {r.timed_out_counter for r in began} == {1}
    assert len({r.progress_id for r in began}) == 1
    later = [r for r in rows if r.progress_id > began[0].progress_id]
    assert bool(later) is (not live)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("live", [False, True])
def test_a_missed_action_does_not_start_while_the_label_says_so(seed: int, *, live: bool) -> None:
    """Nothing begins though it is due; afterwards it runs once for all it missed."""
    incident = _incident("cron_missed", seed, live=live)
    rows = _ended(seed, incident)
    margin = timedelta(minutes=1)  # a run that was due before it may begin a little later
    assert not [r for r in rows if _inside(incident, r.create_date - margin) and _inside(incident, r.create_date)]
    assert incident.ended is not None
    if not live:
        back = [r for r in rows if incident.ended <= r.create_date < incident.ended + 2 * margin]
        assert len(back) == 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("live", [False, True])
def test_a_slow_action_is_slower_than_ever(seed: int, *, live: bool) -> None:
    """Five times its median, and longer than any run outside."""
    incident = _incident("cron_slow", seed, live=live)
    rows = _ended(seed, incident)
    slow = [
        r for r in rows if _inside(incident, r.create_date - timedelta(minutes=1)) and _inside(incident, r.create_date)
    ]
    other = [_seconds(r) for r in rows if r.create_date < incident.began]
    action = next(a for a in CAST.actions if a.xmlid == incident.label)
    assert len(slow) >= 4
    assert all(_seconds(r) >= max(*other, 5 * action.median - 1) for r in slow)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("live", [False, True])
def test_jobs_pile_up_in_the_channel_while_the_label_says_so(seed: int, *, live: bool) -> None:
    """None is started, dozens wait, and all are worked off afterwards."""
    incident = _incident("jobs_piled", seed, live=live)
    bodies = [e.body for e in _events("odoo/jobs", seed) if isinstance(e.body, JobChanged)]
    mine = [b for b in bodies if b.channel == incident.label]
    second = timedelta(seconds=1)
    assert not [
        b
        for b in mine
        if _inside(incident, b.date_enqueued) and _inside(incident, b.date_enqueued and b.date_enqueued - second)
    ]
    waited = {b.job_id for b in mine if _inside(incident, b.date_created)}
    assert len(waited) >= 30
    assert len(waited - {b.job_id for b in mine if b.state in {"done", "failed", "cancelled"}}) <= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_an_absent_approver_decides_nothing(seed: int) -> None:
    """Reviews that only they may decide wait until they are back."""
    incident = _incident("approver_absent", seed, live=False)
    user = int(incident.label)
    reviews = [e.body for e in _events("odoo/approvals", seed) if isinstance(e.body, ReviewChanged)]
    assert not [b for b in reviews if b.done_by == user and _inside(incident, b.reviewed_date)]


@pytest.mark.parametrize("seed", SEEDS)
def test_jobs_are_tried_again_fail_with_a_message_and_wait_for_their_parents(seed: int) -> None:
    """Attempts, true ends of failures, and graphs as queue_job writes them (feature 33)."""
    events = _events("odoo/jobs", seed)
    bodies = [e.body for e in events if isinstance(e.body, JobChanged)]
    assert any(b.state == "pending" and b.retry > 0 and b.eta and b.date_started is None for b in bodies)
    failed = {b.job_id for b in bodies if b.state == "failed"}
    assert failed
    assert failed == {e.body.record_id for e in events if isinstance(e.body, MessagePosted)}
    assert all(b.date_done is None and b.exec_time == 0.0 and b.exc_name for b in bodies if b.state == "failed")
    done = {b.uuid: b.date_done for b in bodies if b.state == "done"}
    children = [b for b in bodies if b.depends_on and b.state == "started"]
    assert children
    for child in children:
        assert child.graph_uuid
        assert all(done[parent] <= child.date_started for parent in child.depends_on)  # type: ignore[operator]


@pytest.mark.parametrize("seed", SEEDS)
def test_purchases_and_refunds_are_approved_by_several_people_and_sometimes_restarted(seed: int) -> None:
    """Two-step purchases through tracked states, tiers in sequence, reviews that vanish (features 15, 110)."""
    events = _events("odoo/approvals", seed)
    moves = {(b.old, b.new) for b in (e.body for e in events) if isinstance(b, FieldChanged)}
    assert {("draft", "to approve"), ("to approve", "purchase"), ("draft", "purchase")} <= moves
    reviews = [b for b in (e.body for e in events) if isinstance(b, ReviewChanged)]
    assert {b.model for b in reviews} == {"purchase.order", "account.move"}
    assert len({b.done_by for b in reviews if b.done_by}) >= 4
    assert {b.status for b in reviews} >= {"waiting", "pending", "approved", "rejected"}
    assert [b for b in (e.body for e in events) if isinstance(b, RecordVanished)]
    _in_sequence(reviews)


def _in_sequence(reviews: Sequence[ReviewChanged]) -> None:
    """A tier is decided only after the one before it."""
    decided = {(b.record_id, b.create_date, b.sequence): b.reviewed_date for b in reviews if b.status == "approved"}
    for (record, created, sequence), at in decided.items():
        before = decided.get((record, created, sequence - 1)) if sequence > 1 else at
        assert before is not None
        assert at is not None
        assert before <= at


@pytest.mark.parametrize("days", range(8))
def test_a_demo_goes_live_on_a_workday_morning(days: int) -> None:
    """Whatever day it is, the live hour is a busy one, at least two hours behind."""
    now = datetime(2026, 11, 16, 5, tzinfo=UTC) + timedelta(days=days, hours=days)
    live = business_morning(now)
    assert live.weekday() < 5
    assert live.hour == 9
    assert timedelta(hours=2) <= now - live <= timedelta(days=4)
