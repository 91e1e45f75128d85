"""Cost control: what is left out by model, company, signal and chance, what never is, and that it is counted."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from exporter.domain.events import Event
from exporter.fold.choosing import Choice, is_sampled
from tests.fakes.ledger import MemoryLedger
from tests.searching import searching
from tests.unit.loops.test_folding import done, fold_of, logs, polled, run_down, shown, spans, total
from tests.worlds import APPROVALS, FLOW, JOBS, PO, Review, World, at, document, job, moved, posted, read

FAILED = [job(3, "failed", 1, number=900, created=0, started=1), posted(3, 900)]
LEFT = "odoo_otel_left_out_total"


def told(choice: Choice, events: list[Event], until: float = 100) -> MemoryLedger:
    """What a tenant with this choice is told of jobs."""
    ledger = MemoryLedger()
    polled(ledger, events, until)
    run_down(fold_of(ledger, flow=replace(FLOW, choice=choice)))
    return ledger


def left(ledger: MemoryLedger) -> dict[tuple[str, str], float]:
    """What was left out, by signal and reason."""
    found = {(dict(at)["signal"], dict(at)["reason"]): n for (name, at), n in shown(ledger).items() if name == LEFT}
    return {place: n for place, n in found.items() if n}


def traces(found: list[Span]) -> Counter[bytes]:
    """Spans by trace."""
    return Counter(span.trace_id for span in found)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.9])
def test_chance_keeps_whole_traces_and_every_failure(ratio: float) -> None:
    """Cost control: a trace of a success leaves whole or not at all; the failure leaves; metrics count them all."""
    events = [*(done(number) for number in range(1, 301)), *FAILED]
    everything, some = told(Choice(), events), told(Choice(ratio=ratio), events)
    whole = traces(spans(everything))
    kept = traces(spans(some))
    assert kept.items() <= whole.items()
    failed = next(span for span in spans(everything) if span.status.code == Span().status.STATUS_CODE_ERROR)
    assert failed.trace_id in kept
    assert abs((len(kept) - 1) / 300 - ratio) < 0.09
    assert total(some, "odoo_job_runs_total") == total(everything, "odoo_job_runs_total") == 301
    assert left(some)["traces", "sampled"] == whole.total() - kept.total()
    assert len(logs(some)) == len(logs(everything)) == 1


def test_a_kept_success_says_for_how_many_it_stands() -> None:
    """The root of a success kept by chance carries its ratio, a failure and a full telling do not."""
    events = [*(done(number) for number in range(1, 30)), *FAILED]

    def ratios(choice: Choice) -> set[float]:
        found = [
            a.value.double_value
            for s in spans(told(choice, events))
            for a in s.attributes
            if a.key == "odoo.sample.ratio"
        ]
        return set(found)

    assert ratios(Choice(ratio=0.5)) == {0.5}
    assert ratios(Choice()) == set()


def test_steps_held_back_leave_with_a_document_that_fails() -> None:
    """Spans of a document that chance does not keep wait for its end: refused, all of them leave; approved, none."""
    flow = replace(FLOW, choice=Choice(ratio=0.0))
    for last, expected in (("cancel", {"workflow purchase", "state draft", "state to approve"}), ("purchase", set())):
        world = World(flow=flow)
        facts = [document(0, "draft"), moved(10, "draft", "to approve", 1), moved(20, "to approve", last, 2)]
        for event in (*facts, document(20, last)):
            world.append([event, read(APPROVALS, (event.at - at(0)).total_seconds())])
            if last == "cancel" and event is facts[1]:
                assert not world.spans  # held back
        world.append([read(APPROVALS, 4000)])
        assert {span.name for span in world.spans} == expected


def test_what_is_excluded_is_not_told_at_all() -> None:
    """Cost control: an excluded company or model leaves no span, log, count or Run; it is counted as left out."""
    other = [done(number, company=2) for number in range(1, 6)]
    events = [*other, done(7, company=1), done(8), *FAILED]
    for choice in (Choice(no_companies=frozenset({2})), Choice(companies=frozenset({1}))):
        ledger = told(choice, events)
        assert total(ledger, "odoo_job_runs_total") == 3, "company 1, and those that name none"
        assert left(ledger) == {("traces", "excluded"): 15}, "three spans a job"
        assert len(ledger.runs) == 3
    for choice in (Choice(no_models=frozenset({"queue.job"})), Choice(models=frozenset({"sale.order"}))):
        ledger = told(choice, events)
        assert not spans(ledger)
        assert not logs(ledger)
        assert total(ledger, "odoo_job_runs_total") == 0
        assert left(ledger)["logs", "excluded"] == 1


def test_a_model_is_included_by_its_jobs() -> None:
    """A queue job belongs to its own model: including that keeps it."""
    events = [done(1, model="sale.order"), done(2, model="res.partner")]
    assert total(told(Choice(models=frozenset({"sale.order"})), events), "odoo_job_runs_total") == 1


def test_a_signal_that_is_switched_off_does_not_leave() -> None:
    """Switches per signal: the others are untouched, what we say of ourselves stays, what was dropped is counted."""
    events = [done(1), *FAILED]
    whole = told(Choice(), events)
    no_traces = told(Choice(signals=frozenset({"metrics", "logs"})), events)
    assert not spans(no_traces)
    assert left(no_traces) == {("traces", "switched_off"): len(spans(whole))}
    assert len(logs(no_traces)) == len(logs(whole))
    no_logs = told(Choice(signals=frozenset({"metrics", "traces"})), events)
    assert not logs(no_logs)
    assert [span.span_id for span in spans(no_logs)] == [span.span_id for span in spans(whole)]
    assert left(no_logs) == {("logs", "switched_off"): 1}
    no_metrics = told(Choice(signals=frozenset({"traces", "logs"})), events)
    assert not {name for name, _ in shown(no_metrics) if not name.startswith("odoo_otel_")}
    assert len(spans(no_metrics)) == len(spans(whole))


@searching()
@given(order=st.permutations(range(12)), batch=st.integers(1, 12), ratio=st.floats(0, 1))
def test_the_choice_does_not_depend_on_the_order(order: list[int], batch: int, ratio: float) -> None:
    """Property: any order and any batches of the same facts leave the same spans and the same counts."""
    facts = [
        *(done(number, when=number) for number in range(1, 9)),
        *FAILED,
        document(0, "draft"),
        document(9, "purchase"),
    ]
    flow = replace(FLOW, choice=Choice(ratio=ratio, no_companies=frozenset({3})))

    def told_in(events: list[Event], size: int) -> tuple[list[bytes], Counter[tuple[str, str]]]:
        world = World(flow=flow).append(events, size)
        world.append([read(JOBS, 500), read(APPROVALS, 500)])
        counts: Counter[tuple[str, str]] = Counter()
        for one in world.measurements:
            counts[one.name, str(one.labels)] += one.value
        return sorted(span.span_id for span in world.spans), counts

    assert told_in([facts[n] for n in order], batch) == told_in(facts, 100)


def test_chance_agrees_with_opentelemetry() -> None:
    """Consistent probability sampling: the threshold is compared with the last 56 bits of the trace id."""
    half = bytes(9) + (1 << 55).to_bytes(7, "big")
    below = bytes(9) + ((1 << 55) - 1).to_bytes(7, "big")
    assert is_sampled(half, 0.5)
    assert not is_sampled(below, 0.5)
    assert is_sampled(bytes(16), 1.0)
    assert not is_sampled(b"\xff" * 16, 0.0)


def test_reviews_of_an_excluded_model_are_not_told() -> None:
    """A tier review belongs to its document: excluding the document's model leaves the review out, too."""
    review = Review(number=1, asked=5)
    world = World(flow=replace(FLOW, choice=Choice(no_models=frozenset({PO[0]}))))
    world.append([document(0, "draft"), review.requested(), review.decided(9), moved(10, "draft", "purchase", 1)])
    world.append([document(10, "purchase"), read(APPROVALS, 4000)])
    assert not world.spans
    assert not world.logs
    assert {one.name for one in world.measurements} == {LEFT}
