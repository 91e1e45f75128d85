"""Automation rules: when each fires, as far as that can be judged from outside, and which webhooks it then sends.

Odoo keeps no history of what a rule did (facts/odoo.md section 3), so what should have been sent is concluded from the
rule and the record. Addresses of webhooks, their secrets, code and sample payloads are never asked for: whether a
webhook is addressed to us is a question to Odoo, answered with ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from exporter.domain.bodies import RecordVanished, RuleCounted
from exporter.domain.events import encode_body
from exporter.domain.redact import mask
from exporter.sources.odoo.door import JSON, Domain, Row
from exporter.sources.odoo.firing import Condition, firing
from exporter.sources.odoo.known import forget_absent, new_version
from exporter.sources.odoo.reading import Reading, digest
from exporter.sources.odoo.rows import instant, link, links, required_instant, required_text, row_id, stamp, text, yes

RULE, ACTION, FIELD = "base.automation", "ir.actions.server", "ir.model.fields"
FIELDS = (
    "name",
    "model_name",
    "active",
    "trigger",
    "filter_domain",
    "filter_pre_domain",
    "trigger_field_ids",
    "last_run",
    "write_date",
)
ACTION_FIELDS = ("name", "state", "base_automation_id", "write_date")
ALSO_INACTIVE: Domain = (["active", "in", [True, False]],)
WEBHOOK, SEVERAL = "webhook", "multi"
NAME = 64  # characters of a name that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One server action of a rule that sends a webhook, or runs others that may."""

    number: int
    name: str
    rule: int
    several: bool
    written: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known beside the rules: their actions, which post to us or to n8n, the tracked fields by model."""

    actions: Sequence[Action]
    ours: frozenset[int]
    n8n: frozenset[int]
    tracked: dict[str, int]


def read_automations(reading: Reading) -> None:
    """One poll of `odoo/automations`: every rule, each version told once."""
    reading.part(RULE, lambda: _read(reading))


def _read(reading: Reading) -> None:
    rows = list(reading.pages(RULE, ALSO_INACTIVE, FIELDS))
    around = _around(reading) if rows else Around(actions=(), ours=frozenset(), n8n=frozenset(), tracked={})
    for rule, written in reading.parsed(RULE, rows, lambda row: _rule(reading, row, around)):
        content = encode_body(replace(rule, last_run=None))  # a rule that waits for times runs every few minutes
        version = new_version(reading, "rule", rule.rule_id, content)
        if version is not None:
            reading.emit("odoo.automation.counted", f"rule/{rule.rule_id}/{version}", written, rule)
    for one, version_ in list(forget_absent(reading, "rule", {row_id(row) for row in rows})):
        gone = RecordVanished(model=RULE, record_id=one)
        reading.emit("odoo.record.vanished", f"rule/{one}/{version_.number}/vanished", reading.began_at, gone)
        reading.note(f"rule/{one}", None)


def _around(reading: Reading) -> Around:
    actions: list[Action] = []
    ours: set[int] = set()
    n8n: set[int] = set()
    tracked: dict[str, int] = {}
    if reading.options.shows.webhooks:
        reading.part(ACTION, lambda: actions.extend(_actions(reading)))
    posted = [f"/hooks/{name}" for name in reading.options.hooks]
    if actions and posted:
        reading.part(ACTION, lambda: ours.update(_posting(reading, "ours", actions, posted)))
    if actions and reading.options.n8n:
        reading.part(ACTION, lambda: n8n.update(_posting(reading, "n8n", actions, [f"//{reading.options.n8n}/"])))
    reading.part(FIELD, lambda: tracked.update(_tracked(reading)))
    return Around(actions=actions, ours=frozenset(ours), n8n=frozenset(n8n), tracked=tracked)


def _actions(reading: Reading) -> list[Action]:
    wanted: Domain = [["base_automation_id", "!=", False], ["state", "in", [WEBHOOK, SEVERAL]]]
    return reading.parsed(ACTION, reading.pages(ACTION, wanted, ACTION_FIELDS), _action)


def _posting(reading: Reading, kind: str, actions: Sequence[Action], parts: Sequence[str]) -> Sequence[int]:
    """Which of the actions post to an address that holds one of some parts; asked again when an action changed."""
    known = [f"{action.number} {stamp(action.written)}" for action in actions]
    now = digest(" ".join([*parts, *known]).encode())
    before, _, ids = reading.marks.get(f"posting/{kind}", "").partition(" ")
    if before != now:
        ids = " ".join(map(str, sorted(_asked(reading, actions, parts))))
        reading.note(f"posting/{kind}", f"{now} {ids}")
    return [int(one) for one in ids.split()]


def _asked(reading: Reading, actions: Sequence[Action], parts: Sequence[str]) -> set[int]:
    """Their addresses stay in Odoo, they are secret."""
    hooks: list[JSON] = [["webhook_url", "ilike", part] for part in parts]
    ids: JSON = sorted(action.number for action in actions if not action.several)
    either: list[JSON] = ["|"] * (len(hooks) - 1)
    return {row_id(row) for row in reading.pages(ACTION, [["id", "in", ids], *either, *hooks], ACTION_FIELDS)}


def _tracked(reading: Reading) -> dict[str, int]:
    """The id of the state field of every model whose states are read; known once, it is not asked for again."""
    found: dict[str, int] = {}
    for approval in reading.options.approvals:
        mark = f"field/{approval.model}/{approval.state_field}"
        if mark not in reading.marks:
            wanted: Domain = [["model", "=", approval.model], ["name", "=", approval.state_field]]
            for row in reading.page(FIELD, wanted, ("name",), limit=1):
                reading.note(mark, str(row_id(row)))
        if mark in reading.marks:
            found[approval.model] = int(reading.marks[mark])
    return found


def _action(row: Row) -> Action:
    return Action(
        number=row_id(row),
        name=mask(text(row, "name") or "", NAME),
        rule=link(row, "base_automation_id") or 0,
        several=text(row, "state") == SEVERAL,
        written=required_instant(row, "write_date"),
    )


def _rule(reading: Reading, row: Row, around: Around) -> tuple[RuleCounted, datetime]:
    """The rule, and since when it and its actions are so."""
    number, model = row_id(row), text(row, "model_name") or ""
    mine = [action for action in around.actions if action.rule == number]
    sends = [action for action in mine if not action.several]
    state = next((one.state_field for one in reading.options.approvals if one.model == model), "")
    condition = Condition(
        model=model,
        trigger=required_text(row, "trigger"),
        before=_literal(row, "filter_pre_domain"),
        after=_literal(row, "filter_domain"),
        watched=links(row, "trigger_field_ids"),
        state=state,
        state_id=around.tracked.get(model, 0),
    )
    found = firing(condition)
    several = "It runs an action made of several others, whose webhooks are not seen." if len(mine) > len(sends) else ""
    rule = RuleCounted(
        rule_id=number,
        name=mask(required_text(row, "name"), NAME),
        model=model,
        trigger=condition.trigger,
        active=yes(row, "active"),
        states=found.states,
        from_states=found.from_states,
        except_from=found.except_from,
        on_create=found.on_create,
        webhooks=tuple((action.number, action.name) for action in sends),
        ours=tuple(action.number for action in sends if action.number in around.ours),
        n8n=tuple(action.number for action in sends if action.number in around.n8n),
        unevaluable=several or found.unevaluable,
        last_run=instant(row, "last_run"),
    )
    return rule, max([required_instant(row, "write_date"), *(action.written for action in mine)])


def _literal(row: Row, field: str) -> str:
    """A condition as Odoo keeps it, whole: clipped it would be another one."""
    value = row.get(field, False)
    return value if isinstance(value, str) else ""
