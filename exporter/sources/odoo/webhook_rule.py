"""The automation rule that an administrator makes in Odoo, so that it sends us its webhook: as text, XML or code.

Nothing here is sent to Odoo: it is printed, to be read and applied by a person. The rule fires when a record gets into
a state, and only then, so that what should have come can be judged from outside (sources/odoo/firing.py). It sends the
state and `write_date`, which tells one change from another, and nothing personal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

PLACE = "TOKEN"  # stands for the secret where it is not shown
SENT = ("state", "write_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the rule is about, and the address it posts to (whole, with the token or PLACE)."""

    model: str
    state: str
    field: str
    url: str

    @property
    def name(self) -> str:
        """What it is called in Odoo; its webhook's name becomes the label `kind`."""
        return f"odoo-otel: {self.model} {self.state}"

    @property
    def before(self) -> str:
        """The condition on the record before it is written."""
        return f"[('{self.field}', '!=', '{self.state}')]"

    @property
    def after(self) -> str:
        """The condition behind it."""
        return f"[('{self.field}', '=', '{self.state}')]"

    @property
    def sent(self) -> tuple[str, ...]:
        """The fields of the payload."""
        return tuple(dict.fromkeys((self.field, *SENT)))


def text(rule: Rule) -> str:
    """What a person clicks, in developer mode."""
    return f"""\
In Odoo, with the developer mode on: Settings > Technical > Automation > Automation Rules > New

  Name                  {rule.name}
  Model                 {rule.model}
  Trigger               On create and edit
  Before Update Domain  {rule.before}
  Apply on              {rule.after}
  When updating         {rule.field}

  Action To Do > Add an action > Send Webhook Notification
    Name                {rule.name}
    URL                 {rule.url}
    Fields              {", ".join(rule.sent)}
"""


def xml(rule: Rule) -> str:
    """A data file of an Odoo module: the rule and its action."""
    number = f"otel_{rule.model.replace('.', '_')}_{rule.state.replace(' ', '_')}"
    of_model = f"[('model', '=', '{rule.model}')]"
    return f"""\
<?xml version="1.0" encoding="utf-8"?>
<odoo>
  <record id="{number}" model="base.automation">
    <field name="name">{escape(rule.name)}</field>
    <field name="model_id" model="ir.model" search="{of_model}"/>
    <field name="trigger">on_create_or_write</field>
    <field name="filter_pre_domain">{escape(rule.before)}</field>
    <field name="filter_domain">{escape(rule.after)}</field>
    <field name="trigger_field_ids" search="{_fields(rule, (rule.field,))}"/>
  </record>
  <record id="{number}_webhook" model="ir.actions.server">
    <field name="name">{escape(rule.name)}</field>
    <field name="model_id" model="ir.model" search="{of_model}"/>
    <field name="base_automation_id" ref="{number}"/>
    <field name="usage">base_automation</field>
    <field name="state">webhook</field>
    <field name="webhook_url">{escape(rule.url)}</field>
    <field name="webhook_field_ids" search="{_fields(rule, rule.sent)}"/>
  </record>
</odoo>
"""


def shell(rule: Rule) -> str:
    """Code for `odoo-bin shell`, or for whatever calls the same methods over RPC."""
    return f"""\
model = env["ir.model"]._get({rule.model!r})
fields = env["ir.model.fields"]
rule = env["base.automation"].create({{
    "name": {rule.name!r},
    "model_id": model.id,
    "trigger": "on_create_or_write",
    "filter_pre_domain": {rule.before!r},
    "filter_domain": {rule.after!r},
    "trigger_field_ids": fields.search({_fields(rule, (rule.field,))}).ids,
}})
env["ir.actions.server"].create({{
    "name": {rule.name!r},
    "model_id": model.id,
    "base_automation_id": rule.id,
    "usage": "base_automation",
    "state": "webhook",
    "webhook_url": {rule.url!r},
    "webhook_field_ids": fields.search({_fields(rule, rule.sent)}).ids,
}})
env.cr.commit()
"""


def _fields(rule: Rule, names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"[('model', '=', '{rule.model}'), ('name', 'in', [{listed}])]"


FORMATS: Mapping[str, Callable[[Rule], str]] = {"text": text, "xml": xml, "shell": shell}
