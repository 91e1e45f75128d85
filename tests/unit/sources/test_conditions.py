"""Conditions of rules as sets of states: what is concluded is what Odoo would find, and what cannot be said is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.odoo.conditions import ALL, Values, values
from exporter.sources.odoo.firing import EVERY, Condition, Firing, firing
from tests.searching import searching

STATES = ("draft", "sent", "sale", "done", "cancel")
State = st.sampled_from(STATES)
Leaf = st.one_of(
    st.tuples(st.just("state"), st.sampled_from(["=", "!="]), State),
    st.tuples(st.just("state"), st.sampled_from(["in", "not in"]), st.lists(State, max_size=3)),
)
STATE_ID = 7


def terms() -> st.SearchStrategy[list[Any]]:
    """One term in Polish notation, as a list of tokens."""
    return st.recursive(
        Leaf.map(lambda leaf: [leaf]),
        lambda inner: st.one_of(
            inner.map(lambda one: ["!", *one]),
            st.tuples(st.sampled_from(["&", "|"]), inner, inner).map(lambda t: [t[0], *t[1], *t[2]]),
        ),
        max_leaves=6,
    )


Domain = st.lists(terms(), max_size=3).map(lambda found: [token for term in found for token in term])


def holds(domain: list[Any], state: str) -> bool:
    """As Odoo evaluates it on a record in that state."""
    rest = list(domain)
    found = True
    while rest:
        found = _term(rest, state) and found
    return found


def _term(rest: list[Any], state: str) -> bool:
    token = rest.pop(0)
    if token == "!":
        return not _term(rest, state)
    if token in ("&", "|"):
        left, right = _term(rest, state), _term(rest, state)
        return (left and right) if token == "&" else (left or right)
    _, operator, wanted = token
    return {"=": state == wanted, "!=": state != wanted, "in": state in wanted, "not in": state not in wanted}[operator]


def inside(found: Values, state: str) -> bool:
    """Whether a set holds a state."""
    return (state in found.of) != found.but


@searching(200)
@given(Domain)
def test_the_set_is_what_odoo_would_find(domain: list[Any]) -> None:
    """Whatever is written about the state: for every state there is, the set says what the domain says."""
    found = values(repr(domain), "state")
    assert found is not None
    assert [inside(found, state) for state in STATES] == [holds(domain, state) for state in STATES]


@pytest.mark.parametrize("condition", [None, "", "  ", "[]"])
def test_no_condition_is_every_state(condition: str | None) -> None:
    """An empty condition excludes nothing."""
    assert values(condition, "state") == ALL


@pytest.mark.parametrize(
    "condition",
    [
        "[('amount_total', '>', 1000)]",
        "[('state', '=', 'sale'), ('user_id', '=', uid)]",
        "[('state', '=', 'sale'), ('date_order', '<', context_today())]",
        "[('state', 'ilike', 'sale')]",
        "[('state', '=', False)]",
        "[('state', 'in', [1])]",
        "[('state.name', '=', 'sale')]",
        "['|', ('state', '=', 'sale')]",
        "['&']",
        "'sale'",
        "{'state': 'sale'}",
        "[('state', '=')]",
        "__import__('os').system('true')",
        "[" * 300,
        "['!', " * 300,
        "[('state', '=', '" + "x" * 3000 + "')]",
    ],
)
def test_what_only_odoo_can_say_is_not_said(condition: str) -> None:
    """Other fields, computed values, broken text: never a guess, never an error, nothing is run."""
    assert values(condition, "state") is None


def rule(trigger: str = "on_state_set", **about: Any) -> Firing:
    """When such a rule of a sale order fires."""
    given_ = {"model": "sale.order", "state": "state", "state_id": STATE_ID, "watched": (STATE_ID,)} | about
    return firing(Condition(trigger=trigger, **given_))


def test_a_state_that_is_set_fires_when_a_record_gets_there() -> None:
    """The rule one makes in the form: State is set to Sales Order (feature 107)."""
    assert rule(after="[('state', '=', 'sale')]") == Firing(states=("sale",))
    assert rule(after="[('state', 'in', ['sale', 'done'])]", before="[('state', '=', 'sent')]") == Firing(
        states=("done", "sale"), from_states=("sent",)
    )
    assert rule("on_write") == Firing(states=(EVERY,))
    assert rule("on_create_or_write") == Firing(states=(EVERY,), on_create=True)


def test_two_conditions_that_exclude_each_other_are_a_change() -> None:
    """Before not confirmed, afterwards confirmed: it fires once, though no field is watched."""
    sold = "[('state', '=', 'sale')]"
    assert rule("on_write", watched=(), after=sold, before="[('state', '!=', 'sale')]") == Firing(
        states=("sale",), except_from=("sale",)
    )
    assert "every change of a record" in rule("on_write", watched=(), after=sold).unevaluable
    assert "every change of a record" in rule("on_write", watched=(), after=sold, before="[]").unevaluable


def test_a_new_record_fires() -> None:
    """On create, without a condition; with one it depends on what nobody sees."""
    assert rule("on_create", watched=()) == Firing(on_create=True)
    assert "record is made" in rule("on_create", after="[('state', '=', 'draft')]").unevaluable


@pytest.mark.parametrize(
    ("trigger", "about", "words"),
    [
        ("on_time", {}, "at a time"),
        ("on_webhook", {}, "when somebody calls it"),
        ("on_unlink", {}, "deleted"),
        ("on_stage_set", {}, "other than the state"),
        ("on_something_of_odoo_30", {}, "other than the state"),
        ("on_state_set", {"state": ""}, "name it under `approvals`"),
        ("on_state_set", {"after": "[('amount_total', '>', 5)]"}, "more than the state"),
        ("on_state_set", {"watched": (STATE_ID, 9)}, "fields other than the state"),
        ("on_state_set", {"watched": (STATE_ID,), "state_id": 0}, "fields other than the state"),
        ("on_state_set", {"after": "[('state', '!=', 'draft')]"}, "do not count"),
        ("on_state_set", {"after": "[('state', 'in', [])]"}, "never fulfilled"),
        ("on_state_set", {"before": "[('state', '=', 'a'), ('state', '=', 'b')]"}, "never fulfilled"),
    ],
)
def test_what_cannot_be_judged_says_why(trigger: str, about: dict[str, Any], words: str) -> None:
    """One sentence for every rule that is left out of the reconciliation (feature 107)."""
    found = rule(trigger, **about)
    assert words in found.unevaluable
    assert (found.states, found.on_create) == ((), False)


@searching(200)
@given(Domain, Domain, st.sampled_from([(), (STATE_ID,)]), State, State)
def test_what_is_concluded_fires_as_odoo_does(
    before: list[Any], after: list[Any], watched: tuple[int, ...], old: str, new: str
) -> None:
    """A change that is said to fire fulfils both conditions, and one that is said not to does not."""
    found = rule("on_write", before=repr(before), after=repr(after), watched=watched)
    if found.unevaluable or old == new:
        return
    said = (new in found.states or EVERY in found.states) and old not in found.except_from
    said = said and (not found.from_states or old in found.from_states)
    assert said == (holds(before, old) and holds(after, new))
