"""From Events to a Commit: in parts up to each mark, Subject by Subject, and what breaks is set aside alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as change

from exporter.domain.bodies import KeyCounted, SightChanged, SourceRead
from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.fold import jobs
from exporter.fold.advance import KINDS
from exporter.fold.choosing import Choice
from exporter.fold.subjects import Subject
from exporter.loops.batching import HEAD, Batch, due, gauges, load, set_aside
from exporter.loops.grouping import group, parts
from exporter.store.review import HOOKS
from tests.worlds import APPROVALS, CRONS, FLOW, JOBS, at, document, event, job, posted, read, webhook


def marked(source: str, seconds: float) -> dict[str, object]:
    """The marks at the end of a part."""
    return {source: at(seconds)}


def test_events_are_grouped_by_their_subject() -> None:
    """A job and the message of its failure belong together, a Source's mark to nobody; order is kept."""
    events = [job(1, "pending"), document(2, "draft"), posted(3), read(JOBS, 4), job(5, "started", started=4)]
    assert group(events) == {"job/7": [events[0], events[2], events[4]], "record/purchase.order/17": [events[1]]}


def test_a_part_ends_with_its_mark() -> None:
    """Facts behind a mark are not known at it: so a backlog tells what it would have told live."""
    first, second, third = (job(n, "pending", number=n, created=n) for n in (1, 2, 3))
    stream = [first, read(JOBS, 10), second, read(JOBS, 20), third]
    assert [(events, dict(marks)) for events, marks in parts(stream)] == [
        ([first, stream[1]], marked(JOBS, 10)),
        ([second, stream[3]], marked(JOBS, 20)),
        ([third], {}),
    ]


def test_marks_of_several_sources_may_stand_together() -> None:
    """Marks that follow one another are one part, as long as no Source speaks twice."""
    stream = [read(CRONS, 1), read(JOBS, 2), read(APPROVALS, 3), read(JOBS, 4)]
    assert [dict(marks) for _, marks in parts(stream)] == [
        marked(CRONS, 1) | marked(JOBS, 2) | marked(APPROVALS, 3),
        marked(JOBS, 4),
    ]


@given(st.lists(st.sampled_from(["fact", CRONS, JOBS]), max_size=12))
def test_parts_lose_nothing_and_keep_the_order(kinds: Sequence[str]) -> None:
    """Put together again, the parts are the stream."""
    stream = [
        job(n, "pending", number=n, created=n) if kind == "fact" else read(kind, n) for n, kind in enumerate(kinds, 1)
    ]
    assert [event for events, _ in parts(stream) for event in events] == stream
    for events, marks in parts(stream):
        bodies = [isinstance(event.body, SourceRead) for event in events]
        assert bodies == sorted(bodies)
        assert len(marks) == sum(bodies)


def test_only_timers_of_a_source_that_was_read_that_far_wake() -> None:
    """A Timer is due by the mark of its own Source; of what the batch changed it knows better itself."""
    timers = [
        Timer(subject="job/1", name="settle", due=at(10), source=JOBS),
        Timer(subject="job/2", name="settle", due=at(11), source=JOBS),
        Timer(subject="cron/1", name="settle", due=at(1), source=CRONS),
        Timer(subject="job/7", name="settle", due=at(1), source=JOBS),
    ]
    batch = Batch(flow=FLOW, before={})
    batch.fold("job/7", [job(1, "pending", created=1)])
    batch.marks = {JOBS: at(10)}
    assert due(timers, batch) == ["job/1"]


def test_a_timer_set_in_this_batch_may_fire_in_it() -> None:
    """A job that ended and whose mark follows in the same batch is closed at once."""
    batch = Batch(flow=FLOW, before={})
    batch.fold("job/7", [job(2, "done", created=0, started=1, done=2)])
    assert not [run for run in batch.runs if run.ended_at]
    batch.marks = {JOBS: at(100)}
    assert batch.due() == ["job/7"]
    batch.fold("job/7", ())
    assert [run.result for run in batch.runs] == ["success"]
    assert batch.timers() == ([], [])


HIDDEN = [Choice(signals=frozenset({"traces", "logs"})), Choice(no_models=frozenset({"queue.job"}))]


@pytest.mark.parametrize("choice", HIDDEN)
def test_what_is_open_is_stored_as_open_whatever_is_told(choice: Choice) -> None:
    """What gauges do not count goes on nevertheless, retention must know: it is open until it is over."""
    batch = Batch(flow=replace(FLOW, choice=choice), before={})
    batch.fold("job/7", [job(1, "started", created=0, started=1)])
    assert [(row.open and row.open.since, row.shown) for row in batch.rows()] == [(at(1), False)]
    batch.fold("job/7", [job(2, "done", created=0, started=1, done=2)])
    batch.marks = {JOBS: at(100)}
    batch.fold("job/7", ())
    assert [row.open for row in batch.rows()] == [None]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold that cannot stand failed jobs."""

    def cut(facts: Sequence[Event], *others: object) -> object:
        if any(getattr(event.body, "state", "") == "failed" for event in facts):
            raise ValueError("x" * 1000)
        return jobs.cut(facts, *others)  # type: ignore[arg-type]

    monkeypatch.setitem(KINDS, "job", replace(jobs.KIND, cut=cut))  # type: ignore[arg-type]


@pytest.mark.usefixtures("broken")
def test_only_the_event_that_breaks_is_set_aside() -> None:
    """Of several Events of one Subject the good ones are folded; the reason is short and the body stays out."""
    batch = Batch(flow=FLOW, before={})
    batch.fold("job/7", [job(0, "pending", created=0), job(2, "failed", started=1), job(3, "started", started=3)])
    (aside,) = batch.quarantine
    assert aside.key == "0/job/7/2/failed"
    assert (aside.origin, aside.head) == (f"fold/{JOBS}", "odoo.job.changed")
    assert len(aside.reason) == HEAD
    assert [event.key for event in batch.subjects["job/7"].facts] == ["0/job/7/0/pending", "0/job/7/3/started"]


@pytest.mark.usefixtures("broken")
def test_a_subject_that_breaks_when_a_timer_wakes_it_is_said() -> None:
    """Nothing is swallowed: also what breaks without an Event is quarantined."""
    whole = job(2, "failed", started=1)
    good = Batch(flow=FLOW, before={})
    good.fold("job/7", [job(0, "pending", created=0)])
    sick = replace_facts(good, whole)
    batch = Batch(flow=FLOW, before={"job/7": sick}, marks={JOBS: at(1000)})
    batch.fold("job/7", ())
    assert [(one.origin, one.key) for one in batch.quarantine] == [("timers", "job/7")]
    assert "job/7" not in batch.subjects


def replace_facts(batch: Batch, event: Event) -> Subject:
    """The Subject with one more fact, that nobody folded."""
    subject = load(next(row for row in batch.rows() if row.key == "job/7"))
    return change(subject, facts=(*subject.facts, event))


def test_what_is_set_aside_keeps_no_body() -> None:
    """Facts may be personal: the key, the kind and the reason are kept, clipped."""
    aside = set_aside(job(0, "failed", started=0), "r" * 500)
    assert (aside.head, len(aside.reason)) == ("odoo.job.changed", HEAD)
    assert "No address." not in str(aside)


def test_a_delivery_that_is_set_aside_is_not_its_request() -> None:
    """`hooks/...` are requests that wait for a person, with body and sender: the fold's rows take no place there."""
    aside = set_aside(webhook("evt_1", 1), "KeyError: 'x'")
    assert (aside.origin, aside.head) == ("fold/hooks/stripe", "webhook.received")
    assert not aside.origin.startswith(HOOKS)


def test_what_a_fact_says_by_itself_is_said() -> None:
    """Every kind of fact with a gauge of its own reaches the totals: a key that ends, a spot that is not seen."""
    key = event("odoo.key.counted", 1, "0/k", KeyCounted(keys=1, expires_at=at(99)), source="odoo/keys")
    blind = [SightChanged(spot=spot, why="no_access", blind=True) for spot in ("queue.job", "tier.review")]
    spots = [event("odoo.sight.changed", 1, f"0/{one.spot}", one, source=JOBS) for one in blind]
    names = [one.name for one in gauges([key, *spots]).measurements]
    assert names == ["odoo_api_key_expiry_timestamp_seconds", "odoo_blind_spot", "odoo_blind_spot"]
