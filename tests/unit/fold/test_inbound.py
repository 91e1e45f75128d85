"""Webhooks that Odoo receives: one Run a call, whatever of its three lines is there."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain.events import Event
from exporter.fold import inbound_lines
from exporter.fold.inbound import WAITS
from tests.searching import searching
from tests.worlds import FLOW, World, event, story

LOGGED = replace(FLOW, witnesses=frozenset({"odoo/log", "odoo/crons"}))
FAR = 1000


def line(when: float, says: str, *, source: str = "odoo/log", **about: Any) -> Event:
    """What a line, or a row, says of an inbound webhook."""
    body = b.LogWritten(says=f"inbound.{says}", **about)  # type: ignore[arg-type]
    return event("odoo.log.written", when, f"0/{says}{when}{source}{about}", body, source=source)


def row(when: float, says: str, **about: Any) -> Event:
    """What a rule that logs its calls writes into ir.logging: cut to its second."""
    return line(float(int(when)), says, source="odoo/logging", **about)


def failed(when: float, rule: int = 11, pid: int = 7) -> Event:
    """The rule raised."""
    return line(when, "failed", rule=rule, pid=pid, error_type="odoo.exceptions.UserError", error="No stock")


def answered(when: float, status: int, pid: int = 7) -> Event:
    """A line of the access log."""
    return line(when, "answered", status=status, pid=pid)


def told(world: World) -> Counter[tuple[str, str]]:
    """How often which rule was called with which result."""
    runs = [run for run in world.runs() if run.kind == "inbound"]
    return Counter((str(dict(run.attributes).get("odoo.automation.rule.id", "?")), str(run.result)) for run in runs)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([answered(10, 200)], ("?", "success")),
        ([answered(10, 404)], ("?", "failure")),
        ([failed(9.9), answered(10, 500)], ("11", "failure")),
        ([failed(9.9)], ("11", "failure")),
        ([row(9, "triggered", rule=11)], ("11", "success")),
        ([row(9, "triggered", rule=11), answered(9.5, 200)], ("11", "success")),
        ([row(9, "triggered", rule=11), row(9, "failed", rule=11), failed(9.4), answered(9.5, 500)], ("11", "failure")),
    ],
)
def test_whatever_lines_there_are_they_are_one_call(lines: list[Event], wanted: tuple[str, str]) -> None:
    """Accepted or failed, and by which rule, where a line says it (features 5, 35, 60)."""
    world = World(flow=LOGGED).append(lines).read_until(FAR)
    assert told(world) == {wanted: 1}
    assert world.total("odoo_webhook_received_total") == 1
    assert world.total("odoo_webhook_calls_total") == 1
    assert [span.name for span in world.spans] == ["webhook received by Odoo"]
    assert [log.event_name for log in world.logs] == ["odoo.inbound.failed"] * (wanted[1] == "failure")


def test_why_a_rule_failed_is_said() -> None:
    """Its exception, and the cause (features 10, 11)."""
    (run,) = World(flow=LOGGED).append([failed(9.9), answered(10, 500)]).read_until(FAR).runs()
    assert run.failure is not None
    assert (run.failure.type, run.failure.failure_class) == ("odoo.exceptions.UserError", "business")
    assert dict(run.attributes)["http.response.status_code"] == 500


def test_a_call_waits_for_what_may_belong_to_it() -> None:
    """It is told when everything was read that could be part of it."""
    world = World(flow=LOGGED).append([answered(10, 200)])
    wait = WAITS["inbound.answered"].total_seconds() + 30
    assert world.read_until(10 + wait - 1).runs() == []
    assert len(world.read_until(10 + wait).runs()) == 1


def test_without_the_log_the_rows_tell_of_failures() -> None:
    """Where only ir.logging is read, its failures count; where both are, they are one."""
    rows = [row(9, "triggered", rule=11), row(9, "failed", rule=11, error_type="ValueError")]
    assert told(World().append(rows).read_until(FAR)) == {("11", "failure"): 1}


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[Event], Counter[tuple[str, str]]]:
    """Calls of two rules, some at once, that go well or fail: their lines, and what is true."""
    lines: list[Event] = []
    truth: Counter[tuple[str, str]] = Counter()
    for number in range(draw(st.integers(1, 6))):
        when = number * 10.0 + draw(st.floats(0.1, 15).map(lambda t: round(t, 2)))
        rule, fails = draw(st.sampled_from([11, 12])), draw(st.booleans())
        lines += [row(when, "triggered", rule=rule, done=number), answered(when + 0.5, 500 if fails else 200, number)]
        lines += [failed(when + 0.4, rule, number), row(when, "failed", rule=rule, done=number)] if fails else []
        truth[str(rule), "failure" if fails else "success"] += 1
    return lines, truth


@searching()
@given(calls(), st.randoms(use_true_random=True), st.sampled_from([1, 3, 100]))
def test_any_order_tells_the_same(
    played: tuple[list[Event], Counter[tuple[str, str]]], rng: Random, batch: int
) -> None:
    """Shuffled and some twice: as many calls as there were, each with its result; failures always with their rule."""
    lines, truth = played
    shuffled = [*lines, *rng.sample(lines, len(lines) // 3)]
    rng.shuffle(shuffled)
    straight = World(flow=LOGGED).append(lines).read_until(FAR)
    assert story(World(flow=LOGGED).append(shuffled, batch=batch).read_until(FAR)) == story(straight)
    assert {key: n for key, n in told(straight).items() if key[1] == "failure"} == {
        key: n for key, n in truth.items() if key[1] == "failure"
    }
    assert sum(told(straight).values()) == sum(truth.values())


@searching()
@given(calls(), st.floats(3, 60))
def test_where_marks_lie_does_not_matter(played: tuple[list[Event], Counter[tuple[str, str]]], every: float) -> None:
    """Poll by poll, or all at once: the same calls."""
    lines = sorted(played[0], key=lambda one: one.at)
    world, now = World(flow=LOGGED), 0.0
    while now < 500:
        now += every
        due = [
            one
            for one in lines
            if (one.at - event("odoo.log.written", 0, "0", lines[0].body).at).total_seconds() <= now
        ]
        world.append(due).read_until(now)
    assert told(world.read_until(FAR)) == told(World(flow=LOGGED).append(lines).read_until(FAR))


def test_where_actions_are_not_read_no_line_waits_for_them() -> None:
    """Nothing would ever tell the lines: left out to save cost, `odoo/crons` leaves no heap of them behind."""
    lines = [failed(9.9), answered(10, 500)]
    for witnesses, kept, runs in (({"odoo/log", "odoo/crons"}, 2, 1), ({"odoo/log", "odoo/jobs"}, 0, 0)):
        world = World(flow=replace(FLOW, witnesses=frozenset(witnesses))).append(lines)
        assert len(world.subjects["inbound/all"].facts) == kept
        assert len(world.read_until(FAR).runs()) == runs


def test_a_thousand_lines_are_not_looked_through_for_each_of_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that tries again and again costs a look a call: what is older than a minute is not looked at at all."""
    looks = Counter[str]()
    is_before = inbound_lines._is_before

    def counted(one: Event, other: Event) -> bool:
        looks["all"] += 1
        return is_before(one, other)

    monkeypatch.setattr(inbound_lines, "_is_before", counted)
    moments = [10 + number / 20 for number in range(1000)]
    facts = [row(when, "triggered", rule=11, pid=number) for number, when in enumerate(moments)]
    facts += [answered(when + 0.01, 200) for when in moments]
    facts += [answered(when + 120.01, 200) for when in moments]  # of rules that log no calls
    facts += [row(when + 240, "triggered", rule=12, pid=number) for number, when in enumerate(moments)]
    facts += [answered(when + 360.01, 200) for when in moments]  # a minute too late for them
    world = World(flow=LOGGED).append(facts, batch=len(facts)).read_until(FAR)
    assert told(world) == {("11", "success"): 1000, ("12", "success"): 1000, ("?", "success"): 2000}
    assert looks["all"] < 3 * len(facts)
