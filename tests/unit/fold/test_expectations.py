"""B within T after A: absent only when the Source that shows B was read past the time it had."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain import ids
from exporter.domain.events import Event
from exporter.fold import expectations
from exporter.fold.happening import Expectation, Happening
from tests.searching import searching
from tests.worlds import APPROVALS, FLOW, TENANT, World, at, event, moved, read, story, webhook

SALE, N8N = "sale.order", "n8n/executions"
PAID = Happening(what="hook", name="stripe", value="invoice.paid")
CONFIRMED = Happening(what="record", name=SALE, value="sale")
PROVISIONED = Happening(what="n8n", name="Provision")
NOTIFIED = Happening(what="hook", name="mailer")


def expecting(after: Happening = PAID, then: Happening = CONFIRMED, **about: Any) -> Any:
    """A tenant of which B is expected within a minute of A."""
    given_ = {"name": "paid", "criticality": "high", "within": timedelta(seconds=60)} | about
    one = Expectation(after=after, then=then, **given_)
    return replace(FLOW, expected=(one,), witnesses=frozenset({APPROVALS, N8N}))


def paid(when: float, record: int = 5, delivery: str = "") -> Event:
    """Stripe tells of an invoice that names a sale."""
    return webhook(delivery or f"evt_{record}_{when}", when, kind="invoice.paid", correlation=(f"{SALE},{record}",))


def confirmed(when: float, record: int = 5) -> Event:
    """Odoo shows the sale as confirmed."""
    return moved(when, "draft", "sale", record, of=(SALE, record))


def provisioned(when: float, record: int = 5, status: str = "success") -> Event:
    """n8n ran its workflow for the sale."""
    body = b.ExecutionSeen(
        execution=f"{record}{when}",
        workflow_id="w",
        workflow="Provision",
        status=status,
        started_at=at(when - 3),
        stopped_at=at(when),
        correlation=(f"{SALE},{record}",),
    )
    return event("n8n.execution.finished", when, f"0/n8n/{body.execution}", body, source=N8N)


def outcomes(world: World) -> Counter[tuple[str, str]]:
    """(expectation, outcome), how often."""
    found = [one.labels for one in world.measurements if one.name == "odoo_expectations_total"]
    return Counter((dict(labels)["expectation"], dict(labels)["outcome"]) for labels in found)


def test_what_follows_in_time_is_fulfilled() -> None:
    """One Run from A to B in the record's trace, no Finding (features 6, 98)."""
    world = World(flow=expecting()).append([paid(0), confirmed(40)]).read_until(41)
    (run,) = [one for one in world.runs() if one.kind == "expectation"]
    assert (run.result, run.started_at, run.ended_at) == ("success", at(0), at(40))
    (span,) = [one for one in world.spans if one.name == "expect paid"]
    assert span.trace_id == ids.trace_id(TENANT, SALE, "5", "")
    assert world.findings() == {}
    assert outcomes(world) == {("paid", "fulfilled"): 1}


def test_what_stays_away_is_a_finding_as_severe_as_it_is_critical() -> None:
    """Charged but not confirmed: named, with the record; counted with its criticality (features 6, 8, 72, 98)."""
    world = World(flow=expecting()).append([paid(0)]).read_until(59)
    assert world.findings() == {}
    world.read_until(60)
    finding = world.findings()["expectation.absent"]
    said = dict(finding.attributes)
    assert (finding.workflow, said["odoo.finding.severity"], finding.ended_at) == ("paid", "critical", None)
    assert said["odoo.finding.sentence"] == (
        "record:sale.order=sale of sale.order,5 did not follow hook:stripe=invoice.paid of "
        "2026-11-22 10:00:00 UTC within 60 s."
    )
    (span,) = [one for one in world.spans if one.name == "expect paid"]
    assert (span.is_error, dict(span.attributes)["odoo.integration.criticality"]) == (True, "high")
    assert [log.event_name for log in world.logs if "expectation" in log.event_name] == ["odoo.expectation.failed"]
    assert outcomes(world) == {("paid", "absent"): 1}


def test_of_what_stays_away_for_days_the_newest_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on, the memory is bounded; each absence is told and counted all the same."""
    monkeypatch.setattr(expectations, "ABSENT", 3)
    world = World(flow=expecting()).append([paid(when, when) for when in range(10)]).read_until(100)
    assert outcomes(world) == {("paid", "absent"): 10}
    assert len(world.subjects[expectations.KEY].memory.absent) == 3
    world.append([confirmed(101, 9)]).read_until(200)
    assert "sale.order,8" in str(dict(world.findings()["expectation.absent"].attributes)["odoo.finding.sentence"])


def test_another_record_does_not_count() -> None:
    """B of sale 6 says nothing of sale 5, unless any record will do."""
    facts = [paid(0, 5), confirmed(10, 6)]
    assert outcomes(World(flow=expecting()).append(facts).read_until(100)) == {("paid", "absent"): 1}
    assert outcomes(World(flow=expecting(by_record=False)).append(facts).read_until(100)) == {("paid", "fulfilled"): 1}


def test_b_before_a_does_not_count() -> None:
    """But for two seconds: Odoo shows whole ones, and clocks differ."""
    assert outcomes(World(flow=expecting()).append([confirmed(0), paid(1.9)]).read_until(100)) == {
        ("paid", "fulfilled"): 1
    }
    assert outcomes(World(flow=expecting()).append([confirmed(0), paid(3)]).read_until(100)) == {("paid", "absent"): 1}


def test_nothing_is_absent_while_its_witness_is_dark() -> None:
    """n8n is not read: nobody says that it ran nothing, however far Odoo was read."""
    world = World(flow=expecting(PAID, PROVISIONED)).append([paid(0), read(N8N, 59), read(APPROVALS, 1000)])
    assert (outcomes(world), world.findings()) == (Counter(), {})
    world.append([read(N8N, 61)])
    assert outcomes(world) == {("paid", "absent"): 1}


@pytest.mark.parametrize("status", ["error", "canceled"])
def test_an_execution_that_failed_is_none(status: str) -> None:
    """What is expected of n8n is that it succeeds; another end has to be named."""
    facts = [paid(0), provisioned(10, status=status), read(N8N, 100)]
    assert outcomes(World(flow=expecting(PAID, PROVISIONED)).append(facts).read_until(100)) == {("paid", "absent"): 1}
    named = Happening(what="n8n", name="Provision", value=status)
    assert outcomes(World(flow=expecting(PAID, named)).append(facts).read_until(100)) == {("paid", "fulfilled"): 1}


def test_a_webhook_that_fails_is_none_unless_it_is_named() -> None:
    """`hook:mailer` is a webhook that tells of no failure; `hook:mailer=bounced` one of that kind."""
    bounced = webhook("m1", 10, hook="mailer", kind="bounced", result="failure", correlation=(f"{SALE},5",))
    named = Happening(what="hook", name="mailer", value="bounced")
    for then, outcome in ((NOTIFIED, "absent"), (named, "fulfilled")):
        world = World(flow=expecting(PAID, then)).append([paid(0), bounced]).read_until(100)
        assert outcomes(world) == {("paid", outcome): 1}


def test_what_comes_after_all_heals() -> None:
    """A correction is told, and the Finding closes."""
    world = World(flow=expecting()).append([paid(0)]).read_until(61)
    world.append([confirmed(90)]).read_until(91)
    assert world.corrections() == [f"paid: it happened at {at(90).isoformat()}"]
    assert world.findings()["expectation.absent"].ended_at is not None


def test_what_came_in_time_and_is_known_late_heals() -> None:
    """A webhook that says it happened before the deadline arrives after it: corrected, and the Finding closes (R3)."""
    world = World(flow=expecting(PAID, PROVISIONED)).append([paid(0), read(N8N, 61)]).read_until(61)
    assert outcomes(world) == {("paid", "absent"): 1}
    world.append([provisioned(30), read(N8N, 70)]).read_until(70)
    assert len(world.corrections()) == 1
    assert world.findings()["expectation.absent"].ended_at is not None


def test_of_two_that_stayed_away_the_one_that_came_is_not_spoken_of() -> None:
    """The Finding goes on, with the words and the number of what is still missing."""
    world = World(flow=expecting()).append([paid(0, 5), paid(100, 6)]).read_until(200)
    world.append([confirmed(190, 6)]).read_until(300)
    finding = world.findings()["expectation.absent"]
    assert finding.ended_at is None
    sentence = str(dict(finding.attributes)["odoo.finding.sentence"])
    assert "of sale.order,5 " in sentence
    assert "times since" not in sentence


def test_an_a_of_no_record_is_followed_by_nobodys_b() -> None:
    """A payment that names no record is not fulfilled by whatever was confirmed meanwhile, and that is said."""
    nameless = webhook("evt_x", 0, kind="invoice.paid")
    world = World(flow=expecting()).append([nameless, confirmed(10, 6)]).read_until(100)
    assert outcomes(world) == {("paid", "absent"): 1}
    said = dict(world.findings()["expectation.absent"].attributes)["odoo.finding.sentence"]
    assert str(said).endswith("it names no record that could be looked for.")


def test_it_is_over_an_hour_behind_the_last() -> None:
    """Two stayed away: one Finding that counts, over an hour behind the second (feature 91)."""
    world = World(flow=expecting()).append([paid(0, 5), paid(100, 6)]).read_until(200)
    assert " 2 times since " in str(dict(world.findings()["expectation.absent"].attributes)["odoo.finding.sentence"])
    world.read_until(160 + 3599)
    assert world.findings()["expectation.absent"].ended_at is None
    world.read_until(160 + 3600)
    assert world.findings()["expectation.absent"].ended_at is not None


def test_what_was_before_our_first_start_is_not_expected() -> None:
    """History notifies nobody."""
    flow = replace(expecting(), tenant=replace(TENANT, first_start=at(50)))
    assert outcomes(World(flow=flow).append([paid(0)]).read_until(500)) == {}


def test_without_a_witness_nothing_is_expected() -> None:
    """Where n8n is not read, an expectation of it is not judged, and nothing is kept for it."""
    flow = replace(expecting(PAID, PROVISIONED), witnesses=frozenset({APPROVALS}))
    world = World(flow=flow).append([paid(0)]).read_until(500)
    assert (outcomes(world), world.subjects["expectation/all"].facts) == ({}, ())


def test_facts_are_kept_only_as_long_as_they_may_matter() -> None:
    """Ten minutes behind a B no A can come that it followed."""
    world = World(flow=expecting()).append([confirmed(0), paid(1)]).read_until(100)
    assert len(world.subjects["expectation/all"].facts) == 1  # the B, which may be that of another A
    world.append([paid(700, 9)]).read_until(701)
    assert [one.at for one in world.subjects["expectation/all"].facts] == [at(700)]


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Event], Counter[tuple[str, str]]]:
    """Payments of which some are followed in time, some too late, some never; and what is true."""
    facts: list[Event] = []
    truth: Counter[tuple[str, str]] = Counter()
    for record in range(1, draw(st.integers(1, 8)) + 1):
        when = draw(st.integers(0, 300)) + 0.5
        after = draw(st.none() | st.integers(0, 150))
        facts.append(paid(when, record))
        if after is not None:
            facts.append(confirmed(when + after, record))
        truth["paid", "fulfilled" if after is not None and after <= 60 else "absent"] += 1
    return facts, truth


@searching()
@given(chains(), st.randoms(use_true_random=True), st.sampled_from([1, 3, 100]))
def test_any_order_tells_the_same(
    played: tuple[list[Event], Counter[tuple[str, str]]], rng: Random, batch: int
) -> None:
    """Shuffled, some twice, in any batches: the same Runs, numbers and Findings, and the truth."""
    facts, truth = played
    shuffled = [*facts, *rng.sample(facts, len(facts) // 3)]
    rng.shuffle(shuffled)
    straight = World(flow=expecting()).append(facts).read_until(1000)
    assert outcomes(straight) == truth
    assert story(World(flow=expecting()).append(shuffled, batch=batch).read_until(1000)) == story(straight)


@searching()
@given(chains(), st.integers(5, 90))
def test_where_marks_lie_does_not_matter(played: tuple[list[Event], Counter[tuple[str, str]]], every: int) -> None:
    """Poll by poll: the same outcome of each."""
    facts, truth = played
    world, now = World(flow=expecting()), 0.0
    while now < 600:
        now += every
        world.append([one for one in facts if one.seen <= at(now)]).read_until(now)
    assert outcomes(world) == truth
