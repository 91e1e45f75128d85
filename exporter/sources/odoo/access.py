"""The least-privilege group of the user that reads, as text an administrator applies: nothing here calls Odoo.

One group of data only, no addon: a right to read for each model, and for models whose rows are hidden from others a
rule that shows them for reading (measured: a user with this group and Internal User reads everything, and writes
nothing that not every internal user may, tests/stack/test_access.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from exporter.sources.odoo.access_script import SCRIPT
from exporter.sources.odoo.sight import Need

Hosting = Literal["self", "odoo.sh", "online"]
GROUP = "Observability reader (odoo-otel)"
XMLID = "odoo_otel_reader"
WIDTH = 100
PERMISSIONS = ("perm_read", "perm_write", "perm_create", "perm_unlink")
EVERY_ROW = "[(1, '=', 1)]"
COSTS: Mapping[Hosting, str] = {
    "self": "A user of Odoo Community costs nothing. Odoo Enterprise counts each active internal user: it is one seat.",
    "odoo.sh": "Odoo.sh runs Odoo Enterprise, which counts each active internal user: it is one seat.",
    "online": "Odoo Online counts each active internal user: it is one seat. Its external API is of the Custom plan.",
}
WITHOUT_A_SEAT = (
    "Without Internal User it is no seat, but Odoo then hides internal notes from it: who changed a document, and when "
    "a job failed, is partly not seen."
)
WRITES = (
    "The group may change nothing. Internal User itself may change a few things, whoever has it (tier reviews, where "
    "base_tier_validation is installed): odoo-otel has no call that writes."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What is to be given, and to whom."""

    needs: Sequence[Need]
    login: str
    hosting: Hosting = "self"

    @property
    def models(self) -> list[str]:
        """Models that need a right: every internal user may read the others."""
        return sorted({need.model for need in self.needs if not need.given})

    @property
    def ruled(self) -> list[str]:
        """Models whose rows are hidden from others than their owners."""
        return sorted({need.model for need in self.needs if need.ruled})


def text(grant: Grant) -> str:
    """What it is, what it costs, and how it is applied and undone."""
    shown = {need.model: need.shows for need in grant.needs if not need.given}
    models = "\n".join(f"  {model:<22}{shown[model]}" for model in grant.models)
    admin = "  ODOO_URL=... ODOO_DB=... ODOO_ADMIN=admin ODOO_ADMIN_KEY=... python3 access.py"
    calls = f"  odoo-otel odoo-access --format rpc > access.py\n{admin} grant\n{admin} undo"
    parts = (
        f"{grant.login} needs Internal User and a group that may read these models, and nothing else:",
        models,
        fill(WRITES, WIDTH),
        fill(
            f"Rows of {', '.join(grant.ruled)} may be hidden by record rules: its own rule shows "
            f"them for reading. Companies still part them: give the user those it should see. {_caveat(grant)}",
            WIDTH,
        ),
        fill(f"Cost: {COSTS[grant.hosting]} {WITHOUT_A_SEAT}", WIDTH),
        "Apply it with an administrator's API key, and undo it (the program needs Python and nothing else):",
        calls,
        "or as a data file of a module of yours: --format xml, and --format xml --undo takes it back.",
        fill(
            "Then set the user's password, log in as it once, and make an API key (Preferences, Account Security). "
            "`odoo-otel check` says whether everything is seen.",
            WIDTH,
        ),
    )
    return "\n\n".join(parts) + "\n"


def _caveat(grant: Grant) -> str:
    if "ir.actions.server" not in grant.models:
        return ""
    return "Whoever has the group can read the addresses of webhooks in server actions: odoo-otel never asks for them."


def script(grant: Grant) -> str:
    """A program of its own that grants and undoes, by RPC."""
    given = {"GROUP": GROUP, "LOGIN": grant.login, "MODELS": grant.models, "RULED": grant.ruled, "RULE": EVERY_ROW}
    return SCRIPT.replace("# SETTINGS", "\n".join(f"{name} = {value!r}" for name, value in given.items()))


def xml(grant: Grant) -> str:
    """Records of a data file: the group, its rights and its rules."""
    return "\n".join(["<odoo>", *_records(grant), "</odoo>", ""])


def undo_xml() -> str:
    """A data file that deletes them, whoever they were given to, in the order that Odoo wants."""
    of_group = f"[('group_id.name', '=', {GROUP!r})]"
    ruled = f"[('groups.name', '=', {GROUP!r})]"
    return (
        "<odoo>\n"
        f'  <delete model="ir.model.access" search={quoteattr(of_group)}/>\n'
        f'  <delete model="ir.rule" search={quoteattr(ruled)}/>\n'
        f"  <delete model=\"res.groups\" search={quoteattr(f'''[('name', '=', {GROUP!r})]''')}/>\n"
        "</odoo>\n"
    )


def _records(grant: Grant) -> Iterator[str]:
    yield _record("res.groups", XMLID, [_field("name", escape(GROUP))])
    read = [f'    <field name="{name}" eval="{name == PERMISSIONS[0]}"/>' for name in PERMISSIONS]
    for model in grant.models:
        of = [_field("name", f"read {model}"), _model(model), f'    <field name="group_id" ref="{XMLID}"/>']
        yield _record("ir.model.access", f"{XMLID}_{_tail(model)}", [*of, *read])
    for model in grant.ruled:
        groups = f'    <field name="groups" eval="[(6, 0, [ref(\'{XMLID}\')])]"/>'
        of = [_field("name", f"read every {model}"), _field("domain_force", EVERY_ROW), _model(model), groups]
        yield _record("ir.rule", f"{XMLID}_rule_{_tail(model)}", [*of, *read])


def _record(model: str, xmlid: str, fields: Sequence[str]) -> str:
    return "\n".join([f'  <record id="{xmlid}" model="{model}">', *fields, "  </record>"])


def _field(name: str, value: str) -> str:
    return f'    <field name="{name}">{value}</field>'


def _model(model: str) -> str:
    """By its name: the XML id of a model has its module in front, which not everybody knows."""
    return f"    <field name=\"model_id\" search=\"[('model', '=', '{model}')]\"/>"


def _tail(model: str) -> str:
    return model.replace(".", "_")


FORMATS: Mapping[str, Callable[[Grant], str]] = {"text": text, "rpc": script, "xml": xml}
