"""Webhooks that should have come: expected, received, executed, and where each that is missing ended."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain import ids
from exporter.domain.events import Event
from exporter.domain.sources import DOCUMENTS, EXECUTIONS, RULES
from exporter.fold import sends
from exporter.fold.send_judging import Outcome
from exporter.fold.subjects import Integration
from tests.searching import searching
from tests.worlds import FLOW, TENANT, World, at, document, event, moved, read, story

SALE = "sale.order"
RULE, ACTION = 11, 561
WITNESSES = (DOCUMENTS, RULES, EXECUTIONS)
RECONCILED = replace(
    FLOW,
    hooks={"odoo": Integration(native=True)},
    witnesses=frozenset(WITNESSES),
    grace=timedelta(seconds=60),
)
UNWATCHED = replace(RECONCILED, witnesses=frozenset({DOCUMENTS, RULES}))


def rule(when: float = -1000.0, *, number: int = RULE, **about: Any) -> Event:
    """An automation rule that tells us and n8n of confirmed sales."""
    given: dict[str, Any] = {
        "model": SALE,
        "states": ("sale",),
        "webhooks": ((ACTION, "Tell us"), (ACTION + 1, "Tell n8n")),
        "ours": (ACTION,),
        "n8n": (ACTION + 1,),
    }
    body = b.RuleCounted(rule_id=number, name="Orders", trigger="on_create_or_write", **(given | about))
    return event("odoo.automation.counted", when, f"0/rule/{number}/{when}", body, source=RULES)


def confirmed(when: float, record: int, number: int | None = None) -> Event:
    """A quotation became a sale: the tracked change of its state."""
    return moved(when, "draft", "sale", number or record, of=(SALE, record))


def version(when: float, record: int) -> Event:
    """The sale's row as it was written."""
    return document(when, "sale", of=(SALE, record))


def sent(when: float, record: int, *, written: float | None = None, action: int = ACTION, **about: Any) -> Event:
    """Odoo's webhook; it came when its transaction was over."""
    began = when - 0.3 if written is None else written
    body = b.WebhookReceived(
        hook="odoo",
        delivery=f"{SALE}/{record}/{action}/{began}",
        kind="Tell us",
        result="success",
        started_at=at(began),
        ended_at=at(when),
        correlation=(f"{SALE},{record}",),
        attributes=(
            ("odoo.action.id", action),
            ("odoo.delivery.record", f"{SALE},{record}"),
            ("odoo.record.write_date", at(began).isoformat()),
        ),
        **about,
    )
    return event("webhook.received", when, f"0/odoo/{record}/{action}/{when}", body, source="hooks/odoo")


def ran(began: float, record: int, ended: float | None = None, *, name: str = "", **about: Any) -> Event:
    """n8n ran something for a sale, or still does."""
    final = ended is not None
    body = b.ExecutionSeen(
        execution=str(about.pop("execution", f"{record}{int(began * 10)}")),
        workflow_id="w",
        workflow="Order sync",
        status="success" if final else "running",
        started_at=at(began),
        stopped_at=at(ended) if ended is not None else None,
        correlation=(name or f"{SALE},{record}",),
        **about,
    )
    word = "finished" if final else "changed"
    return event(f"n8n.execution.{word}", began, f"0/n8n/{body.execution}/{word}", body, source=EXECUTIONS)


def marks(seconds: float) -> list[Event]:
    """Every witness was read up to here."""
    return [read(source, seconds) for source in WITNESSES]


def played(record: int, outcome: str, when: float) -> list[Event]:
    """What the witnesses see of a confirmation that ends so."""
    change = [confirmed(when, record), version(when, record)]
    came = [sent(when + 0.4, record, written=when - 0.2)]
    done = [ran(when + 2, record, when + 4)]
    return {
        "complete": [*change, *came, *done, version(when + 3, record)],
        "dropped": change,
        "rolled_back": came,
        "not_executed": [*change, *came],
        "unchanged": [*change, *came, *done],
    }[outcome]


def outcomes(world: World) -> dict[str, str]:
    """Where the webhook of each record ended."""
    words = [dict(run.attributes) for run in world.runs() if run.kind == "send"]
    return {str(one["odoo.send.record"]).partition(",")[2]: str(one["odoo.send.outcome"]) for one in words}


def test_of_twenty_confirmations_each_list_names_exactly_its_own() -> None:
    """3 dropped, 2 rolled back, 1 not executed, 1 that changed nothing, 13 whole (features 1, 7, 30, 77, 107)."""
    wanted = {2: "dropped", 9: "dropped", 17: "dropped", 4: "rolled_back", 12: "rolled_back", 6: "not_executed"}
    wanted[14] = "unchanged"
    truth = {record: wanted.get(record, "complete") for record in range(1, 21)}
    facts = [one for record, outcome in truth.items() for one in played(record, outcome, record * 10.0)]
    told = {str(record): outcome for record, outcome in truth.items()}
    world = World(flow=RECONCILED).append([rule(), *facts, *marks(150)])
    assert outcomes(world).items() < told.items()  # not all is known yet, and nothing else is told
    world.append(marks(400))
    assert outcomes(world) == told
    assert world.total("odoo_sends_expected_total") == 18
    assert world.total("odoo_sends_received_total") == 17
    assert world.total("odoo_sends_executed_total") == 14
    missing = Counter(dict(one.labels)["outcome"] for one in world.measurements if "missing" in one.name)
    assert missing == Counter(wanted.values())


@pytest.mark.parametrize("lagging", WITNESSES[:2])
def test_nothing_is_missing_before_every_witness_was_read_past_it(lagging: str) -> None:
    """A webhook that did not come is told when changes and rules were read behind the grace, and not before."""
    world = World(flow=RECONCILED).append([rule(), *played(1, "dropped", 10.0)])
    for source in WITNESSES:
        world.append([read(source, 9.9 if source == lagging else 500)])
    assert outcomes(world) == {}
    world.append([read(lagging, 501)])
    assert outcomes(world) == {"1": "dropped"}


def test_a_timer_waits_for_every_source_that_is_missing() -> None:
    """Idle polls say how far they read only to those that wait (docs/decisions/0001): so sends wait by name."""
    world = World(flow=RECONCILED).append([rule(), confirmed(10, 1), sent(10.1, 1)])
    waits = {timer.source: timer.due for timer in world.timers.values() if timer.subject == "send/all"}
    assert waits == {DOCUMENTS: at(69.8), RULES: at(9.8), EXECUTIONS: at(70)}
    world.append(marks(500))
    (last,) = [timer for timer in world.timers.values() if timer.subject == "send/all"]
    assert (last.source, last.due) == (DOCUMENTS, at(10) + timedelta(hours=1))  # when the loss is over


def test_a_lost_webhook_is_told_in_the_records_trace() -> None:
    """A span that failed, and a log event that names rule and record by id (features 7, 41)."""
    world = World(flow=RECONCILED).append([rule(), *played(1, "dropped", 10.0), *marks(500)])
    (span,) = [one for one in world.spans if one.name == "expected webhook"]
    assert span.trace_id == ids.trace_id(TENANT, SALE, "1", "")
    assert (span.is_error, dict(span.attributes)["odoo.send.record"]) == (True, "sale.order,1")
    (log,) = [one for one in world.logs if one.event_name == "odoo.send.failed"]
    assert log.body == "Orders failed: Odoo changed the record and its webhook did not come."


def test_a_loss_is_one_finding_a_rule_until_it_is_an_hour_old() -> None:
    """It opens with the first, counts the others, carries the hook's criticality, closes by time (72, 91)."""
    flow = replace(RECONCILED, hooks={"odoo": Integration(native=True, criticality="critical")})
    world = World(flow=flow).append([rule(), *played(1, "dropped", 10.0), *played(2, "complete", 15.0), *marks(90)])
    found = dict(world.findings()["send.lost"].attributes)
    assert found["odoo.finding.severity"] == "critical"
    assert found["odoo.finding.sentence"] == (
        "1 webhook did not come, the last of sale.order,1 at 2026-11-22 10:00:10 UTC."
    )
    world.append([*played(3, "dropped", 100.0), *marks(200)])
    finding = world.findings()["send.lost"]
    assert finding.ended_at is None
    assert "2 webhooks did not come, the last of sale.order,3" in str(dict(finding.attributes)["odoo.finding.sentence"])
    world.append(marks(100 + 3599))
    assert world.findings()["send.lost"].ended_at is None
    world.append(marks(100 + 3600))
    assert world.findings()["send.lost"].ended_at == at(3700)


@pytest.mark.parametrize(
    "changed", [{"hooks": {"odoo": Integration()}}, {"witnesses": frozenset({DOCUMENTS})}], ids=["no hook", "no rules"]
)
def test_a_loss_ends_when_nobody_would_hear_of_webhooks_any_more(changed: dict[str, Any]) -> None:
    """After a reload that takes the hook or the rules away it closes at the next mark, and not never."""
    world = World(flow=RECONCILED).append([rule(), *played(1, "dropped", 10.0), *marks(500)])
    assert world.findings()["send.lost"].ended_at is None
    world.flow = replace(RECONCILED, **changed)
    world.append(marks(5000)).read_until(5000)
    assert world.findings()["send.lost"].ended_at is not None


def test_of_what_is_lost_for_days_the_newest_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that stays off is counted whole, though only the newest losses can still heal."""
    monkeypatch.setattr(sends, "GONE", 3)
    lost = [fact for number in range(1, 11) for fact in played(number, "dropped", 10.0 * number)]
    world = World(flow=RECONCILED).append([rule(), *lost, *marks(500)])
    assert len(world.subjects[sends.KEY].memory.gone) == 3
    assert _sentence(world).startswith("10 webhooks did not come, the last of sale.order,10")
    world.append([sent(520, 10, written=99.8), *marks(600)])
    assert _sentence(world).startswith("9 webhooks did not come, the last of sale.order,9")


def _sentence(world: World) -> str:
    return str(dict(world.findings()["send.lost"].attributes)["odoo.finding.sentence"])


def test_while_rules_are_dark_the_newest_changes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a Source that stays dark is bounded, and is judged when that is read again."""
    monkeypatch.setattr(sends, "PENDING", 3)
    lost = [fact for number in range(1, 11) for fact in played(number, "dropped", 10.0 * number)]
    world = World(flow=RECONCILED).append([rule(), read(RULES, 1), *lost, read(DOCUMENTS, 500), read(EXECUTIONS, 500)])
    assert len(world.subjects[sends.KEY].memory.changes) == 3
    world.append(marks(600))
    assert sorted(outcomes(world)) == ["10", "8", "9"]


def test_what_comes_after_all_heals_the_loss() -> None:
    """What stands between may repeat: the Run is corrected and the Finding closed (feature 30)."""
    world = World(flow=RECONCILED).append([rule(), *played(1, "dropped", 10.0), *marks(500)])
    assert world.findings()["send.lost"].ended_at is None
    world.append([sent(520, 1, written=9.8)])
    assert world.findings()["send.lost"].ended_at is not None
    assert world.corrections() == [f"Orders: its webhook came at {at(520).isoformat()}"]
    world.append(marks(900))
    assert outcomes(world) == {"1": "dropped"}  # and it is not rolled back


def test_of_two_that_were_dropped_the_one_that_came_is_not_spoken_of() -> None:
    """The Finding goes on with the number, the record and the time of what is still missing, and ends an hour on."""
    facts = [*played(1, "dropped", 10.0), *played(3, "dropped", 100.0)]
    world = World(flow=RECONCILED).append([rule(), *facts, *marks(500), sent(520, 3, written=99.8), *marks(600)])
    finding = world.findings()["send.lost"]
    assert dict(finding.attributes)["odoo.finding.sentence"] == (
        "1 webhook did not come, the last of sale.order,1 at 2026-11-22 10:00:10 UTC."
    )
    assert finding.ended_at is None
    assert world.append(marks(10 + 3600)).findings()["send.lost"].ended_at == at(3610)


@pytest.mark.parametrize(
    "about",
    [
        {"active": False},
        {"unevaluable": "Its condition asks for more than the state."},
        {"states": ("cancel",)},
        {"model": "purchase.order"},
        {"webhooks": (), "ours": (), "n8n": ()},
        {"from_states": ("sent",)},
        {"except_from": ("draft",)},
    ],
)
def test_what_does_not_make_the_rule_send_is_not_expected(about: dict[str, Any]) -> None:
    """Rules that are off, cannot be judged, or ask for another state."""
    world = World(flow=RECONCILED).append([rule(**about), *played(1, "dropped", 10.0), *marks(500)])
    assert outcomes(world) == {}


def test_the_version_of_the_rule_at_that_time_counts() -> None:
    """Changed, or gone: what happened before is judged by what it was, what happened since by what it is."""
    off = rule(50, active=False)
    world = World(flow=RECONCILED).append([rule(), off, confirmed(40, 1), confirmed(60, 2), *marks(500)])
    assert outcomes(world) == {"1": "dropped"}
    vanished = b.RecordVanished(model="base.automation", record_id=RULE)
    gone = event("odoo.record.vanished", 600, "0/rule/gone", vanished, source=RULES)
    other = World(flow=RECONCILED).append([rule(), *marks(100), confirmed(90, 1), confirmed(300, 2), gone, *marks(700)])
    assert outcomes(other) == {"1": "dropped"}  # since 100 nobody knows when it went


def test_a_new_record_is_expected_where_the_rule_says_so() -> None:
    """Once, by when it was made, however many versions of it are read."""
    made = document(5, "draft", of=(SALE, 1))
    created = rule(states=(), on_create=True)
    world = World(flow=RECONCILED).append([created, made, *marks(500), version(600, 1), *marks(900)])
    assert outcomes(world) == {"1": "dropped"}
    assert len(world.runs()) == 1


def test_only_what_is_addressed_to_us_can_be_missed_by_us() -> None:
    """A rule that tells n8n alone is judged by what n8n ran; one that tells us alone never by that."""
    for_n8n = World(flow=RECONCILED).append([rule(ours=()), *played(1, "not_executed", 10.0)[:2], *marks(500)])
    assert outcomes(for_n8n) == {"1": "not_executed"}
    for_us = World(flow=RECONCILED).append([rule(n8n=()), *played(1, "not_executed", 10.0), *marks(500)])
    assert outcomes(for_us) == {"1": "complete"}
    no_n8n = World(flow=UNWATCHED).append([rule(), *played(1, "not_executed", 10.0), *marks(500)])
    assert outcomes(no_n8n) == {"1": "complete"}


def test_an_execution_may_name_the_record_and_take_its_time() -> None:
    """By a name that becomes known later; while it goes on it counts as executed; a retry is nobody's."""
    named = [*played(17, "not_executed", 10.0), ran(12, 17, 13, name=":P00017"), version(14, 17)]
    world = World(flow=RECONCILED).append([rule(), *named, *marks(500)])
    assert outcomes(world) == {"17": "complete"}
    running = World(flow=RECONCILED).append([rule(), *played(1, "not_executed", 10.0), ran(12, 1), *marks(500)])
    assert outcomes(running) == {"1": "complete"}
    retried = [ran(12, 1, 13, retry_of="4"), ran(12.5, 1, 13, parent="4"), *marks(500)]
    again = World(flow=RECONCILED).append([rule(), *played(1, "not_executed", 10.0), *retried])
    assert outcomes(again) == {"1": "not_executed"}


@pytest.mark.parametrize(("seen", "wanted"), [((), {}), ((version(9, 1),), {"1": "rolled_back"})])
def test_a_rollback_needs_a_model_that_is_read(seen: Sequence[Event], wanted: dict[str, str]) -> None:
    """Of a model whose records nobody reads nobody can say that a change is missing."""
    world = World(flow=RECONCILED).append([rule(), *seen, sent(20, 1), *marks(500)])
    assert outcomes(world) == wanted


def test_a_change_that_is_not_tracked_is_no_rollback() -> None:
    """An import may write without tracking: the version of that second is there."""
    world = World(flow=RECONCILED).append([rule(), version(19, 1), sent(20, 1, written=19.5), *marks(500)])
    assert outcomes(world) == {}


def test_of_a_rule_that_cannot_be_judged_a_later_version_says_nothing() -> None:
    """Its webhook is rolled back only where the record was never written since."""
    vague = rule(unevaluable="It fires at a time.")
    world = World(flow=RECONCILED).append([vague, version(9, 1), sent(20, 1), version(9, 2), sent(20, 2)])
    world.append([version(30, 2), *marks(500)])
    assert outcomes(world) == {"1": "rolled_back"}


def test_the_past_and_databases_without_hooks_expect_nothing() -> None:
    """Before the first start nothing could reach us; where nobody posts and no n8n is read nothing is even kept."""
    late = replace(RECONCILED, tenant=replace(TENANT, first_start=at(15)))
    assert outcomes(World(flow=late).append([rule(), *played(1, "dropped", 10.0), *marks(500)])) == {}
    idle = World().append([rule(), *played(1, "dropped", 10.0), *marks(500)])
    assert outcomes(idle) == {}
    assert idle.subjects["send/all"].memory.changes == {}
    assert idle.subjects["send/all"].memory.marks == {}


def test_what_is_over_is_forgotten() -> None:
    """After the hour and the time facts are kept, only the rule and how far was read are left."""
    facts = [one for n, outcome in enumerate(get_args(Outcome), 1) for one in played(n, outcome, n * 10.0)]
    world = World(flow=RECONCILED).append([rule(), *facts, *marks(500), *marks(5000)])
    memory = world.subjects["send/all"].memory
    kept = (memory.changes, memory.received, memory.executions, memory.versions, memory.losses, memory.gone)
    assert kept == ({}, {}, {}, {}, {}, {})
    assert list(memory.rules) == [str(RULE)]


@st.composite
def worlds(draw: st.DrawFn) -> dict[int, tuple[str, float]]:
    """How the webhook of each record ends, and when it was confirmed."""
    ends = st.sampled_from(get_args(Outcome))
    number = draw(st.integers(1, 8))
    return {n: (draw(ends), draw(st.floats(1, 300).map(lambda t: round(t, 1)))) for n in range(1, number + 1)}


def _facts(truth: dict[int, tuple[str, float]]) -> list[Event]:
    return [rule(), version(-5, 99), *(one for n, (outcome, when) in truth.items() for one in played(n, outcome, when))]


def _thrown(facts: Iterable[Event], rng: Random) -> list[Event]:
    thrown = [*facts]
    thrown += rng.sample(thrown, len(thrown) // 3)
    rng.shuffle(thrown)
    return thrown


@searching()
@given(worlds(), st.randoms(use_true_random=True), st.sampled_from([1, 3, 1000]))
def test_any_order_tells_the_same_and_each_ends_where_it_ended(
    truth: dict[int, tuple[str, float]], rng: Random, batch: int
) -> None:
    """Shuffled, some twice, in any batches: every record has its outcome, and everything told is the same."""
    facts = _facts(truth)
    straight = World(flow=RECONCILED).append([*facts, *marks(500), *marks(600)])
    shuffled = World(flow=RECONCILED).append(_thrown(facts, rng), batch=batch).append([*marks(500), *marks(600)])
    assert outcomes(straight) == {str(n): outcome for n, (outcome, _) in truth.items()}
    assert story(shuffled) == story(straight)
    assert not shuffled.quarantined


@searching()
@given(worlds(), st.randoms(use_true_random=True), st.floats(1, 40))
def test_polls_of_any_rhythm_conclude_the_same(truth: dict[int, tuple[str, float]], rng: Random, every: float) -> None:
    """Poll by poll, each witness with its own mark: every send ends where it ends when all is read at once."""
    facts = sorted(_facts(truth), key=lambda one: one.seen)
    world = World(flow=RECONCILED)
    now = 0.0
    while now < 600:
        due, facts = [f for f in facts if f.seen <= at(now)], [f for f in facts if f.seen > at(now)]
        world.append([*_thrown(due, rng), *(read(source, now) for source in rng.sample(WITNESSES, 3))])
        now += every
    world.append(marks(700))
    assert outcomes(world) == {str(n): outcome for n, (outcome, _) in truth.items()}
