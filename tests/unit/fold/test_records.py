"""Approvals: what reviews and tracked states of a document mean, one truth a test (features 33, 36, 104)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.fold.workflows import in_episodes
from tests.worlds import BILL, FLOW, PO, Review, World, at, document, moved

ONE_STEP = (document(0, "draft"), moved(30, "draft", "purchase", 101), document(30.5, "purchase"))
TWO_STEPS = (
    document(0, "draft"),
    moved(10, "draft", "to approve", 101),
    moved(130, "to approve", "purchase", 102),
    document(130.5, "purchase"),
)


def one_run(*events: Event, until: float = 900) -> Run:
    """The only Run that these facts tell."""
    (run,) = World().append(events).read_until(until).runs()
    return run


def drawn(run: Run, name: str) -> list[tuple[object, ...]]:
    """(name, start, end, wait) of every Step whose role begins like that."""
    return [(s.name, s.started_at, s.ended_at, s.wait) for s in run.steps if s.role.startswith(name)]


def decisions(world: World) -> list[str]:
    """The decisions that were counted."""
    return [dict(m.labels)["decision"] for m in world.measurements if m.name == "odoo_approval_decisions_total"]


def test_a_purchase_in_one_step_has_one_state_and_is_decided_by_it() -> None:
    """draft, then purchase: the decision is counted once, on the document, as nobody reviewed it (decision 12)."""
    world = World().append(ONE_STEP).read_until(60)
    (run,) = world.runs()
    assert (run.result, run.started_at, run.ended_at) == ("success", at(0), at(30))
    assert drawn(run, "state") == [("state draft", at(0), at(30), None)]
    assert decisions(world) == ["approved"]
    assert dict(run.attributes)["odoo.record.state"] == "purchase"


def test_a_purchase_in_two_steps_waits_for_a_person_in_between() -> None:
    """to approve is a human wait of its own."""
    run = one_run(*TWO_STEPS)
    assert drawn(run, "state") == [
        ("state draft", at(0), at(10), None),
        ("state to approve", at(10), at(130), "human"),
    ]


def test_a_cancelled_purchase_is_a_cancellation() -> None:
    """The final state says how it was decided."""
    run = one_run(document(0, "draft"), moved(40, "draft", "cancel", 101))
    assert (run.result, dict(run.attributes)["odoo.approval.decision"]) == ("cancellation", "cancelled")


REOPENED = (
    *(document(0, "draft"), moved(40, "draft", "cancel", 101)),
    *(moved(500, "cancel", "draft", 102), moved(600, "draft", "purchase", 103)),
)


@pytest.mark.parametrize("polls", [(900,), (60, 510, 900), (43, 503, 602, 900)])
def test_a_reopened_document_is_the_next_episode_in_the_same_trace(polls: Sequence[float]) -> None:
    """Another root span, the same trace; named by the change that opened it (decision 4)."""
    world = World()
    for until in polls:
        world.append([e for e in REOPENED if e.seen <= at(until)]).read_until(until)
    first, second = world.runs()
    assert [(r.key, r.result) for r in (first, second)] == [("1", "cancellation"), ("0/tracking/102", "success")]
    assert (second.started_at, drawn(second, "state")) == (at(500), [("state draft", at(500), at(600), None)])
    assert len({span.trace_id for span in world.spans}) == 1
    assert len({span.span_id for span in world.spans}) == len(world.spans) == 4


def test_changes_of_one_second_keep_the_order_of_their_ids() -> None:
    """Over RPC a second is all there is: row 99 stands before row 100 (keys are text, ids are numbers)."""
    changes = [moved(10, "draft", "to approve", 99), moved(10, "to approve", "purchase", 100)]
    run = one_run(document(0, "draft"), *changes)
    assert [name for name, *_ in drawn(run, "state")] == ["state draft", "state to approve"]


def test_a_whole_life_in_one_second_is_two_episodes() -> None:
    """Cancelled, reopened and confirmed by a script within a second: nothing is late, nothing is lost."""
    changes = [
        moved(10, "draft", "cancel", 99),
        moved(10, "cancel", "draft", 100),
        moved(10, "draft", "purchase", 101),
    ]
    world = World().append([document(0, "draft"), *changes]).read_until(60)
    assert [run.result for run in world.runs()] == ["cancellation", "success"]
    assert world.corrections() == []


TIERS = (
    document(0, "draft"),
    Review(number=1, asked=10).requested(),
    Review(number=2, asked=10, tier=2).requested("waiting"),
    Review(number=1, asked=10).decided(60),
    Review(number=2, asked=10, tier=2).requested("pending", when=60),
    Review(number=2, asked=10, tier=2).decided(100),
    moved(110, "draft", "purchase", 101),
)


def test_a_tier_is_pending_since_the_tier_below_was_decided() -> None:
    """Odoo does not store when waiting became pending; the decision below did it."""
    assert drawn(one_run(*TIERS), "review") == [
        ("review Tier 1", at(10), at(60), "human"),
        ("review Tier 2", at(60), at(100), "human"),
    ]


def test_a_decision_counts_once_on_its_review() -> None:
    """Two reviews, two decisions; the state they lead to is not a third one (decision 12)."""
    world = World().append(TIERS).read_until(200)
    assert decisions(world) == ["approved", "approved"]
    assert [log.event_name for log in world.logs].count("odoo.approval.decided") == 2


RESTARTED = (
    document(0, "draft"),
    Review(number=1, asked=10).requested(),
    Review(number=2, asked=10, tier=2).requested("waiting"),
    Review(number=1, asked=10).decided(60),
    Review(number=2, asked=10, tier=2).requested("pending", when=60),
    Review(number=2, asked=10, tier=2).vanished(80),
    Review(number=3, asked=90).requested(),
    Review(number=4, asked=90, tier=2).requested("waiting"),
    Review(number=3, asked=90).decided(120),
    Review(number=4, asked=90, tier=2).decided(150),
    moved(160, "draft", "purchase", 101),
)


@pytest.mark.parametrize("polls", [(900,), (15, 65, 85, 95, 125, 155, 900)])
def test_a_restarted_review_is_kept_as_a_cancelled_step(polls: Sequence[float]) -> None:
    """Odoo deletes it; its wait ended when it was gone, whatever the next round decides."""
    world = World()
    for until in polls:
        world.append([e for e in RESTARTED if e.seen <= at(until)]).read_until(until)
    (run,) = world.runs()
    assert drawn(run, "review") == [
        ("review Tier 1", at(10), at(60), "human"),
        ("review Tier 2", at(60), at(80), "human"),
        ("review Tier 1", at(90), at(120), "human"),
        ("review Tier 2", at(120), at(150), "human"),
    ]
    assert sorted(decisions(world)) == ["approved", "approved", "approved", "cancelled"]
    assert [step.result for step in run.steps if step.role == "review/2"] == ["cancellation"]


def test_a_tier_that_never_became_pending_waited_for_nobody() -> None:
    """The tier below was never decided before the restart: no human wait is drawn."""
    facts = [
        document(0, "draft"),
        Review(number=1, asked=10).requested(),
        Review(number=2, asked=10, tier=2).requested("waiting"),
        Review(number=1, asked=10).vanished(80),
        Review(number=2, asked=10, tier=2).vanished(80),
        moved(160, "draft", "purchase", 101),
    ]
    assert ("review Tier 2", at(80), at(80), "human") in drawn(one_run(*facts), "review")


def test_a_refusal_is_a_decision_not_an_error() -> None:
    """A person said no: the Run succeeded in finding out."""
    facts = [
        Review(number=1, asked=10, of=BILL).requested(),
        Review(number=1, asked=10, of=BILL).decided(60, "rejected"),
    ]
    world = World().append(facts).read_until(200)
    (run,) = world.runs()
    assert (run.result, dict(run.attributes)["odoo.approval.decision"]) == ("success", "refused")
    assert decisions(world) == ["refused"]
    assert not any(span.is_error for span in world.spans)


BILLS = (
    Review(number=11, asked=0, of=BILL).requested(),
    Review(number=12, asked=0, tier=2, of=BILL).requested("waiting"),
    Review(number=11, asked=0, of=BILL).decided(50),
    Review(number=12, asked=0, tier=2, of=BILL).decided(90),
    Review(number=13, asked=300, of=BILL).requested(),
    Review(number=13, asked=300, of=BILL).decided(350, "rejected"),
)


@pytest.mark.parametrize("polls", [(900,), (5, 55, 95, 305, 355, 900)])
def test_without_tracked_states_an_episode_lasts_while_reviews_are_open(polls: Sequence[float]) -> None:
    """Refunds have no final state here: the reviews of one round are one Run."""
    world = World()
    for until in polls:
        world.append([e for e in BILLS if e.seen <= at(until)]).read_until(until)
    assert [(r.started_at, r.ended_at, len(r.steps)) for r in world.runs()] == [
        (at(0), at(90), 2),
        (at(300), at(350), 1),
    ]
    assert decisions(world) == ["approved", "approved", "refused"]


def test_a_forwarded_review_goes_on_in_the_one_it_was_forwarded_to() -> None:
    """Forwarding decides one review and asks another in the same second."""
    facts = [
        Review(number=11, asked=0, of=BILL).requested(),
        Review(number=11, asked=0, of=BILL).decided(50, "forwarded"),
        Review(number=12, asked=50, of=BILL).requested(),
        Review(number=12, asked=50, of=BILL).decided(90),
    ]
    run = one_run(*facts)
    assert (len(run.steps), dict(run.attributes)["odoo.approval.decision"]) == (2, "approved")


STRAY = Review(number=9, asked=20).decided(300, "cancel")


@pytest.mark.parametrize("polls", [(900,), (140, 900)])
def test_a_review_decided_after_the_final_state_is_a_correction(polls: Sequence[float]) -> None:
    """It was asked in the episode that is told: no second episode begins, the log says what it was."""
    world = World()
    events = [*TWO_STEPS, Review(number=9, asked=20).requested(), STRAY]
    for until in polls:
        world.append([e for e in events if e.seen <= at(until)]).read_until(until)
    assert len(world.runs()) == 1
    assert world.corrections() == [f"P00017: review 9 was cancel at {at(300).isoformat()}"]
    assert world.open("record/purchase.order/17") is None


def test_a_review_that_vanishes_after_the_final_state_is_forgotten() -> None:
    """Odoo deletes what was still open: nothing told changes, nothing is kept, the next episode does not inherit it."""
    asked = Review(number=9, asked=20)
    world = (
        World().append([*TWO_STEPS, asked.requested()]).read_until(200).append([asked.vanished(300)]).read_until(310)
    )
    world.append([moved(500, "purchase", "draft", 103), moved(600, "draft", "purchase", 104)]).read_until(700)
    assert [run.started_at for run in world.runs()] == [at(0), at(500)]
    assert [step.role for step in world.runs()[1].steps] == ["state/103"]


def test_a_late_change_of_a_told_episode_is_a_correction() -> None:
    """A change from before the end comes after it was told."""
    world = World().append(ONE_STEP).read_until(60).append([moved(20, "draft", "sent", 99)]).read_until(70)
    assert world.corrections() == [f"P00017: state went from draft to sent at {at(20).isoformat()}"]
    assert len(world.runs()) == 1


def test_the_row_of_the_document_may_come_in_any_order() -> None:
    """The newest version counts, by when it was written, not by when it was folded."""
    old, new = document(1, "draft", amount=100.0), document(20, "draft", amount=900.0)
    for events in ([old, new], [new, old]):
        world = World().append(events, batch=1).append([moved(30, "draft", "purchase", 101)]).read_until(60)
        assert dict(world.runs()[0].attributes)["odoo.record.amount"] == 900.0


def test_an_initial_state_of_unknown_age_is_not_drawn() -> None:
    """Without the document's row nobody knows since when it was a draft: no span of zero seconds is made up."""
    run = one_run(moved(30, "draft", "to approve", 101), moved(60, "to approve", "purchase", 102))
    assert drawn(run, "state") == [("state to approve", at(30), at(60), "human")]


def test_an_open_document_says_whom_it_waits_for_and_since_when() -> None:
    """A review first, else the state it is in."""
    world = World().append([*TWO_STEPS[:2], Review(number=1, asked=20).requested()])
    opened = world.open("record/purchase.order/17")
    assert opened is not None
    assert (opened.state, opened.since) == ("review", at(20))
    world = World().append(TWO_STEPS[:2])
    opened = world.open("record/purchase.order/17")
    assert opened is not None
    assert (opened.state, opened.since) == ("to approve", at(10))


def test_a_draft_of_which_nothing_happened_is_no_run() -> None:
    """A document's row alone opens nothing and keeps nothing."""
    world = World().append([document(0, "draft"), document(5, "draft")]).read_until(100)
    assert (world.open("record/purchase.order/17"), world.subjects["record/purchase.order/17"].facts) == (None, ())


def test_decisions_are_logged_when_they_are_made_not_when_the_run_ends() -> None:
    """An auditor hears of a decision within a poll (decision 3)."""
    world = World().append(TIERS[:4]).read_until(63)
    assert world.logs[0].body == "P00017: review Tier 1 approved."
    assert world.logs[0].span_id in {span.span_id for span in world.spans}


def test_documents_are_told_apart() -> None:
    """Two documents, two traces."""
    other = ("purchase.order", 18)
    world = World().append([moved(10, "draft", "purchase", 1), moved(10, "draft", "purchase", 2, other)]).read_until(60)
    assert {run.record_id for run in world.runs()} == {str(PO[1]), "18"}
    assert len({span.trace_id for span in world.spans}) == 2


def test_a_repeated_fact_changes_nothing() -> None:
    """The same key again, with another body even: the first one stays (decision 8)."""
    twice = [replace(e, at=at(999)) for e in TIERS]
    assert World().append([*TIERS, *twice]).read_until(2000).runs() == World().append(TIERS).read_until(2000).runs()


def test_episodes_may_be_traces_of_their_own() -> None:
    """One trace a document, or one an episode with a link to the one before; span ids are the same either way."""
    reopened = [*ONE_STEP, moved(500, "purchase", "draft", 103), moved(600, "draft", "purchase", 104)]
    single = World().append(reopened).read_until(700)
    parted = replace(FLOW, workflows=in_episodes(FLOW.workflows, ["purchase.order"]))
    episodes = World(flow=parted).append(reopened).read_until(700)
    assert [run.links for run in single.runs()] == [(), ()]
    assert len({span.trace_id for span in single.spans}) == 1
    assert {span.span_id for span in single.spans} == {span.span_id for span in episodes.spans}
    first, second = (span for span in episodes.spans if span.name == "workflow purchase")
    assert first.trace_id != second.trace_id
    assert [(link.trace_id, link.span_id) for link in second.links] == [(first.trace_id, first.span_id)]


def test_a_model_without_a_workflow_may_have_episodes_too() -> None:
    """Documents that are followed by their reviews alone keep that, with a trace an episode."""
    (workflow,) = in_episodes({}, ["account.move"]).values()
    assert (workflow.name, workflow.final, workflow.traces) == ("account.move", {}, "episodes")
