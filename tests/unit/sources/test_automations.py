"""Automation rules as they are read: what makes them fire, which webhooks they send, and nothing that is secret."""

from datetime import timedelta
from typing import Any

import pytest

from exporter.domain.bodies import RecordVanished, RuleCounted
from exporter.domain.events import Event, encode_body
from exporter.sources.odoo import automations
from exporter.sources.odoo.options import Approval, OdooOptions
from exporter.sources.odoo.registry import OdooSource, odoo_sources
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_http import KEY, OdooServer
from tests.fakes.odoo_lab import company, lab

SOLD = "[('state', '=', 'purchase')]"
OURS = "https://otel.example/hooks/odoo/canary-token"
NEVER = ("webhook_url", "webhook_uuid", "url", "code", "webhook_sample_payload", "record_getter")


def _source(
    odoo: FakeOdoo, *hooks: str, approvals: tuple[Approval, ...] = (Approval(),), page: int = 1000
) -> OdooSource:
    options = OdooOptions(approvals=approvals, hooks=hooks, page=page)
    return OdooSource(name="odoo/automations", door=FakeDoor(odoo), options=options)


def _poll(source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in drained(source, marks) for event in poll.events]


def _rules(events: list[Event]) -> list[RuleCounted]:
    return [event.body for event in events if isinstance(event.body, RuleCounted)]


def rule(odoo: FakeOdoo, *urls: str, **values: Any) -> int:
    """A rule on confirmed purchases that sends one webhook an address."""
    given = {"filter_domain": SOLD, "trigger_field_ids": (1,)} | values
    one = odoo.insert("base.automation", **given)
    for url in urls:
        odoo.insert("ir.actions.server", name=f"Send {url[-3:]}", base_automation_id=one, webhook_url=url)
    return one


def test_a_rule_is_told_with_what_makes_it_fire() -> None:
    """The trigger, the states, the webhooks by id; it is so since the newest of rule and actions (feature 107)."""
    odoo = lab()
    one = rule(odoo, OURS, "https://n8n.example/webhook/abc", name="Tell n8n of orders")
    odoo.step(60)
    odoo.write("ir.actions.server", 2, name="Send to n8n")
    (event,) = _poll(_source(odoo, "odoo", "second"), {})
    assert (event.name, event.at) == ("odoo.automation.counted", odoo.now)
    assert event.body == RuleCounted(
        rule_id=one,
        name="Tell n8n of orders",
        model="purchase.order",
        trigger="on_state_set",
        states=("purchase",),
        webhooks=((1, "Send ken"), (2, "Send to n8n")),
        ours=(1,),
    )


def test_more_actions_than_a_page_that_post_to_us_are_all_known() -> None:
    """Which actions are ours is asked page by page: a send of one that is not known as ours is never expected."""
    odoo = lab()
    rule(odoo, *[OURS] * 5)
    (body,) = _rules(_poll(_source(odoo, "odoo", page=2), {}))
    assert body.ours == (1, 2, 3, 4, 5)


def test_it_is_told_again_when_it_or_its_actions_change() -> None:
    """Each version once, also back to an old one; a deleted rule vanishes; that a rule ran says nothing."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo, "odoo")
    one = rule(odoo, OURS)
    told = _poll(source, marks)
    odoo.step(20)
    odoo.raw("base.automation", one, last_run=odoo.now)
    assert _poll(source, marks) == []
    for active in (False, True):
        odoo.step(20)
        odoo.write("base.automation", one, active=active)
        told += _poll(source, marks)
    assert [found.active for found in _rules(told)] == [True, False, True]
    assert len({event.key for event in told}) == len(told) == 3
    odoo.unlink("ir.actions.server", 1)
    odoo.unlink("base.automation", one)
    odoo.step(20)
    (gone,) = _poll(source, marks)
    assert gone.body == RecordVanished(model="base.automation", record_id=one)
    assert not [mark for mark in marks if mark.startswith("rule/")]


def test_what_is_secret_is_never_asked_for() -> None:
    """No address, no uuid, no code, no sample: not as a field, and not in any Event or mark (R15)."""
    odoo, marks = company(), dict[str, str]()
    rule(odoo, OURS)
    with OdooServer(odoo) as server:
        from exporter.sources.odoo.json2 import Json2Door  # noqa: PLC0415 - the door that is watched here

        for source in odoo_sources(Json2Door(server.access()), OdooOptions(hooks=("odoo",))):
            found = _poll(source, marks)  # type: ignore[arg-type]
            assert not [event for event in found if b"canary" in encode_body(event.body)]
        models = tuple(f"/json/2/{model}/" for model in (automations.RULE, automations.ACTION))
        bodies = [body or {} for path, _, body in server.requests if path.startswith(models)]
        asked = [name for body in bodies for name in (*body.get("fields", []), *body.get("allfields", []))]
    assert not set(NEVER) & {*asked, *automations.FIELDS, *automations.ACTION_FIELDS}
    assert {"name", "trigger"} <= set(asked)
    assert "canary" not in str(marks).replace(KEY, "")


@pytest.mark.parametrize("model", ["base.automation", "ir.actions.server", "ir.model.fields"])
@pytest.mark.parametrize("how", ["absent", "forbidden"])
def test_what_is_missing_is_said(model: str, how: str) -> None:
    """A model that is not there or may not be read is a sentence, and the poll goes well (rule 5)."""
    odoo, marks = lab(), dict[str, str]()
    rule(odoo, OURS)
    getattr(odoo, how).add(model)
    poll = _source(odoo, "odoo").poll(marks)
    assert any(model in sentence for sentence in poll.missing)
    assert poll.read_until is not None
    if model == "ir.model.fields":
        assert all(found.unevaluable for found in _rules([*poll.events]))
    if model == "ir.actions.server":
        assert [found.webhooks for found in _rules([*poll.events])] == [()]


def test_a_rule_on_a_model_that_is_not_followed_says_so() -> None:
    """What would have to be configured stands in the sentence."""
    odoo = lab()
    rule(odoo, OURS, model_name="sale.order")
    (found,) = _rules(_poll(_source(odoo), {}))
    assert found.unevaluable == "The states of sale.order are not read: name it under `approvals`."


def test_actions_of_several_parts_are_not_looked_into() -> None:
    """A rule that runs an action made of others may send webhooks that nobody sees."""
    odoo = lab()
    one = rule(odoo, OURS)
    odoo.insert("ir.actions.server", base_automation_id=one, state="multi", webhook_url=False)
    odoo.insert("ir.actions.server", base_automation_id=one, state="code", webhook_url=False)
    (found,) = _rules(_poll(_source(odoo, "odoo"), {}))
    assert "several others" in found.unevaluable
    assert found.webhooks == ((1, "Send ken"),)


def test_an_idle_cycle_stays_cheap() -> None:
    """All collections together: at most 12 calls when nothing happened, the seldom ones included (R24)."""
    odoo = company()
    rule(odoo, OURS)
    sources = odoo_sources(FakeDoor(odoo), OdooOptions(hooks=("odoo",)))
    marks: dict[str, dict[str, str]] = {source.name: {} for source in sources}
    for _ in range(2):
        odoo.step(15)
        for source in sources:
            list(drained(source, marks[source.name]))
    odoo.calls.clear()
    odoo.step(15)
    for source in sources:
        assert next(iter(drained(source, marks[source.name]))).events == ()
    assert len(odoo.calls) <= 12, odoo.calls


def test_a_rule_is_since_it_was_written() -> None:
    """At the first poll a rule counts from its write_date, not from when we looked."""
    odoo = lab()
    rule(odoo, OURS)
    written = odoo.now
    odoo.step(timedelta(days=3).total_seconds())
    (event,) = _poll(_source(odoo, "odoo"), {})
    assert (event.at, event.seen) == (written, odoo.now)
