"""Deliveries and executions that take longer than their operator tolerates."""

from dataclasses import replace
from datetime import UTC, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain.events import Event
from exporter.domain.runs import WaitKind
from exporter.fold.limits import Limits
from exporter.fold.quiet import Window
from exporter.fold.subjects import Integration
from tests.searching import searching
from tests.worlds import FLOW, TENANT, World, at, event, story, webhook

FIVE = Integration(criticality="critical", tolerance=timedelta(seconds=5))
STRICT = replace(
    FLOW, hooks={"stripe": FIVE, "slow": Integration()}, engine=Integration(criticality="low", tolerance=FIVE.tolerance)
)
N8N = "n8n/executions"


def came(when: float, after: float, hook: str = "stripe") -> Event:
    """A webhook that reached us so many seconds after what it tells of."""
    one = webhook(f"evt_{when}", when, hook=hook, kind="invoice.paid")
    return replace(one, seen=at(when + after))


def ran(when: float, seconds: float, *, waited: float = 0.0, wait: WaitKind = "human") -> Event:
    """n8n ran something for so many seconds, of which it waited some."""
    began = when - seconds
    first = b.NodeRun(name="Webhook", started_at=at(began), ended_at=at(began))
    parked = b.NodeRun(name="Approve", started_at=at(began), ended_at=at(began + waited), wait=wait)
    body = b.ExecutionSeen(
        execution=f"{when}",
        workflow_id="w",
        workflow="Provision",
        status="success",
        started_at=at(began),
        stopped_at=at(when),
        nodes=(first, parked) if waited else (first,),
    )
    return event("n8n.execution.finished", when, f"0/n8n/{when}", body, source=N8N)


def slow(world: World) -> list[tuple[str, str]]:
    """(integration, criticality) of everything that counts as slow."""
    found = [dict(one.labels) for one in world.measurements if one.name == "odoo_integration_slow_total"]
    return [(labels["integration"], labels["criticality"]) for labels in found]


def test_a_delivery_that_comes_late_is_a_finding() -> None:
    """As severe as the integration is critical; the number, the limit and the delivery are named (features 41, 72)."""
    world = World(flow=STRICT).append([came(0, 42)]).read_until(50)
    finding = world.findings()["integration.slow"]
    said = dict(finding.attributes)
    assert (finding.workflow, said["odoo.finding.severity"], finding.ended_at) == ("hook/stripe", "critical", None)
    assert (said["odoo.finding.observed"], said["odoo.finding.high"]) == (42.0, 5.0)
    assert said["odoo.finding.sentence"] == (
        "invoice.paid evt_0 came 42 s after it happened, 5 s are tolerated (criticality critical)."
    )
    assert slow(world) == [("hook/stripe", "critical")]
    (span,) = [one for one in world.spans if one.name == "POST /hooks/stripe"]
    assert dict(span.attributes)["odoo.integration.slow"] is True


@pytest.mark.parametrize("fact", [came(0, 5), came(0, 42, "slow"), came(0, 42, "unknown"), ran(10, 5)])
def test_what_is_tolerated_is_none(fact: Event) -> None:
    """Exactly the tolerance is no more than that; of an integration without one nothing is said."""
    world = World(flow=STRICT).append([fact]).read_until(50)
    assert (world.findings(), slow(world)) == ({}, [])


def test_an_execution_that_works_for_long_is_a_finding() -> None:
    """Its waits left out: a person who takes a day is no slow integration (features 41, 72)."""
    world = World(flow=STRICT).append([ran(100, 90, waited=86), ran(200, 9)]).read_until(210)
    finding = world.findings()["integration.slow"]
    said = dict(finding.attributes)
    assert (finding.workflow, said["odoo.finding.severity"]) == ("n8n", "info")
    assert str(said["odoo.finding.sentence"]).startswith("execution 200 of Provision took 9 s, 5 s are tolerated")
    assert slow(world) == [("n8n", "low")]


def test_an_execution_without_its_nodes_is_judged_by_nobody() -> None:
    """Of one that n8n did not keep nobody knows for how long a person let it wait (feature 41)."""
    one = ran(100, 90)
    assert isinstance(one.body, b.ExecutionSeen)
    world = World(flow=STRICT).append([replace(one, body=replace(one.body, nodes=()))]).read_until(110)
    assert (world.findings(), slow(world)) == ({}, [])
    assert slow(World(flow=STRICT).append([one]).read_until(110)) == [("n8n", "low")]


def test_it_counts_and_is_over_an_hour_behind_the_last() -> None:
    """One Finding an integration, updated; it closes by time."""
    world = World(flow=STRICT).append([came(0, 42), came(100, 10)]).read_until(120)
    said = dict(world.findings()["integration.slow"].attributes)
    assert str(said["odoo.finding.sentence"]).endswith("(criticality critical). 2 times since 2026-11-22 10:00:42 UTC.")
    assert said["odoo.finding.observed"] == 42.0
    world.read_until(110 + 3599)
    assert world.findings()["integration.slow"].ended_at is None
    world.read_until(110 + 3600)
    assert world.findings()["integration.slow"].ended_at is not None


def test_a_quiet_window_holds_it_back_until_its_end() -> None:
    """What is still so at the end of the window is opened then (feature 83)."""
    ten = timedelta(hours=10)  # when the World begins
    calm = Window(days=frozenset(range(7)), begin=ten, end=ten + timedelta(minutes=10), zone=UTC)
    flow = replace(STRICT, usual=Limits(quiet=(calm,)))
    world = World(flow=flow).append([came(0, 42)]).read_until(50)
    assert world.findings() == {}
    world.read_until(601)
    assert world.findings()["integration.slow"].ended_at is None


def test_what_was_before_our_first_start_notifies_nobody() -> None:
    """Executions of the past are read, and judged by nobody."""
    flow = replace(STRICT, tenant=replace(TENANT, first_start=at(500)))
    assert World(flow=flow).append([ran(100, 90)]).read_until(600).findings() == {}


@searching()
@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.integers(0, 20)), min_size=1, max_size=12, unique_by=lambda one: one[0]
    ),
    st.randoms(use_true_random=True),
    st.sampled_from([1, 3, 100]),
)
def test_any_order_tells_the_same(found: list[tuple[int, int]], rng: Random, batch: int) -> None:
    """Shuffled and some twice: the same claim, the same numbers; as many as took too long."""
    facts = [came(when, after) for when, after in found]
    shuffled = [*facts, *rng.sample(facts, len(facts) // 3)]
    rng.shuffle(shuffled)
    straight = World(flow=STRICT).append(facts).read_until(3100)
    other = World(flow=STRICT).append(shuffled, batch=batch).read_until(3100)
    assert story(other) == story(straight)
    assert other.findings() == straight.findings()
    assert len(slow(straight)) == sum(after > 5 for _, after in found)
