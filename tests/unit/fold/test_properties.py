"""Whatever the order, the batches and the restarts: the same facts tell the same story (R1, R3; design 4)."""

from collections import Counter
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.events import Event
from tests.searching import searching
from tests.truths import POLL, Truth, companies, crons, jobs, marked, polled, purchases, times
from tests.worlds import World, facts_of, story


def flat(polls: Sequence[Sequence[Event]]) -> list[Event]:
    """Every Event once, in the order of the polls."""
    found: dict[tuple[str, str], Event] = {}
    for poll in polls:
        for event in poll:
            found.setdefault((event.source, event.key), event)
    return list(found.values())


def at_once(truth: Truth, events: Sequence[Event]) -> World:
    """All facts first, then the mark."""
    return World().append(events).read_until(truth.end + 200)


def live(truth: Truth, every: float = POLL) -> World:
    """Poll after poll, the marks behind each."""
    world = World()
    for events in marked(polled(truth, times(truth, every)), times(truth, every)):
        world.append(events)
    return world


@searching()
@given(companies(), st.randoms(use_true_random=True), st.sampled_from([1, 2, 7, 1000]))
def test_any_order_and_any_batches_tell_the_same(truth: Truth, rng: Random, batch: int) -> None:
    """Shuffled, a tenth twice, saved and loaded between any two Commits: spans, logs, numbers are the same."""
    events = flat(polled(truth, times(truth)))
    shuffled = [*events, *rng.sample(events, len(events) // 10)]
    rng.shuffle(shuffled)
    world = World().append(shuffled, batch=batch).read_until(truth.end + 200)
    assert story(world) == story(at_once(truth, events))
    assert not world.quarantined


@searching()
@given(companies(), st.sampled_from([1, 3, 10, 1000]))
def test_where_a_batch_ends_does_not_matter(truth: Truth, batch: int) -> None:
    """The Events of many polls with their marks, cut into Commits anywhere."""
    stream = flat(marked(polled(truth, times(truth)), times(truth)))
    cut_anywhere, poll_by_poll = World().append(stream, batch=batch), live(truth)
    assert story(cut_anywhere) == story(poll_by_poll)
    assert Counter(cut_anywhere.found.spans) == Counter(poll_by_poll.found.spans)
    assert Counter(cut_anywhere.found.logs) == Counter(poll_by_poll.found.logs)


@searching()
@given(crons(killed=False).flatmap(lambda t: jobs().map(t.joined)), purchases())
def test_polls_in_time_order_give_the_runs_of_everything_at_once(truth: Truth, purchase: Truth) -> None:
    """An outage or a backlog tells what would have been told live.

    The exceptions of decision 10 are left out here: of a run that was killed before ir.cron counted it only the mark
    knows, and of a failure without a message only the half minute without one.
    """
    whole = truth.joined(purchase)
    events = flat(polled(whole, times(whole)))
    assert runs(live(whole)) == runs(at_once(whole, events))


def runs(world: World) -> list[object]:
    """Closed Runs but for what is read from a document's row, which has no end to be matched with."""
    return [facts_of(run) for run in world.runs()]


@searching()
@given(crons(least=POLL + 11.0))
def test_results_of_actions_are_the_truth_where_every_run_was_read(truth: Truth) -> None:
    """Runs further apart than a poll and the ten seconds of grace, and `unknown` for those nobody counted."""
    assert [run.result for run in live(truth).runs()] == truth.results["cron/42"]


@searching()
@given(crons(killed=False))
def test_results_of_unread_runs_are_never_wrong(truth: Truth) -> None:
    """However close: every run is told, and a result that is told is the truth or `unknown` (decision 10)."""
    told = [run.result for run in live(truth).runs()]
    assert len(told) == len(truth.results["cron/42"])
    for result, true in zip(told, truth.results["cron/42"], strict=True):
        assert result in {true, "unknown"}


@searching()
@given(jobs(least=POLL + 1.0))
def test_episodes_and_attempts_of_jobs_are_the_truth_where_every_state_was_seen(truth: Truth) -> None:
    """Every attempt is drawn, every requeue is an episode, in their order."""
    found = live(truth).runs()
    assert [run.result for run in found] == truth.results["job/7"]
    for run in found:
        attributes = dict(run.attributes)
        drawn = sum(step.name == "attempt" for step in run.steps)
        assert (attributes["odoo.job.attempts"], attributes["odoo.job.attempts.unseen"]) == (drawn, 0)


@searching()
@given(purchases(), st.sampled_from([POLL, 90.0]))
def test_episodes_of_documents_are_the_truth_however_seldom_we_look(truth: Truth, every: float) -> None:
    """Odoo keeps every change: nothing depends on how often it is asked."""
    found = live(truth, every).runs()
    assert [run.result for run in found] == truth.results["record/purchase.order/17"]
    assert not live(truth, every).corrections()


@searching()
@given(companies())
def test_every_span_is_told_once_and_every_child_has_its_root(truth: Truth) -> None:
    """One fact, one span (R3): ids never repeat, and where the root was told its children hang on it."""
    world = live(truth)
    ids = [span.span_id for span in world.spans]
    roots = {span.span_id: span for span in world.spans if not span.parent_id}
    assert len(set(ids)) == len(ids)
    for span in world.spans:
        if span.parent_id and span.parent_id not in roots:
            instance = str(dict(span.attributes)["odoo.workflow.instance.id"])
            assert world.open(_subject(instance)) is not None


def _subject(instance: str) -> str:
    """`ir.cron,42#1` -> `cron/42`."""
    model, _, rest = instance.partition(",")
    record = rest.partition("#")[0].removeprefix("uuid-")
    return {"ir.cron": "cron/", "queue.job": "job/"}.get(model, f"record/{model}/") + record
