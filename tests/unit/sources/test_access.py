"""What `odoo-otel odoo-access` prints: the same rights as text, as a program and as XML, and what takes them back."""

import ast
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest

from exporter.sources.odoo import access
from exporter.sources.odoo.door import READS
from exporter.sources.odoo.options import Approval
from exporter.sources.odoo.registry import COLLECTIONS
from exporter.sources.odoo.sight import Need, needs

LOGIN = "o'brien@example.com"  # a quote, so that nothing printed can be broken by one


def every(*models: str) -> Sequence[Need]:
    """What all collections need, and these documents."""
    return needs([Approval(model=model) for model in models], COLLECTIONS)


@pytest.fixture(name="grant")
def _grant() -> access.Grant:
    return access.Grant(needs=every("purchase.order", "sale.order"), login=LOGIN)


def records(grant: access.Grant, model: str) -> list[dict[str, str]]:
    """Records of one model in the data file, their fields as text."""
    found = ET.fromstring(access.xml(grant)).findall(f"record[@model='{model}']")  # noqa: S314 - ours
    return [{f.attrib["name"]: "".join([f.text or "", *f.attrib.values()]) for f in one} for one in found]


def settings(script: str) -> dict[str, object]:
    """What the printed program begins with."""
    found = (one for one in ast.parse(script).body if isinstance(one, ast.Assign))
    plain = [one for one in found if isinstance(one.value, ast.Constant | ast.List)]
    return {ast.unparse(one.targets[0]): ast.literal_eval(one.value) for one in plain}


def test_all_forms_grant_the_same(grant: access.Grant) -> None:
    """Text, program and data file name the same models: what every internal user may not read (feature 63)."""
    named = {re.findall(r"'([a-z.]+)'\)\]", one["model_id"])[0] for one in records(grant, "ir.model.access")}
    given = settings(access.script(grant))
    assert named == set(grant.models) == set(given["MODELS"])  # type: ignore[call-overload]
    assert {"ir.cron", "queue.job", "sale.order"} <= named
    assert "mail.message" not in named
    assert given["LOGIN"] == LOGIN
    assert all(f"  {model} " in access.text(grant) for model in named)


def test_a_right_is_one_to_read(grant: access.Grant) -> None:
    """No right and no rule says more than reading, and a rule only shows rows (feature 52)."""
    for one in [*records(grant, "ir.model.access"), *records(grant, "ir.rule")]:
        assert {name: "True" in one[name] for name in access.PERMISSIONS} == {
            name: name == "perm_read" for name in access.PERMISSIONS
        }
    assert len(records(grant, "ir.rule")) == len(grant.ruled) == 3


def test_what_is_granted_can_be_taken_back(grant: access.Grant) -> None:
    """The undo names the three kinds of records that were made, rights before their group."""
    gone = [one.attrib for one in ET.fromstring(access.undo_xml(grant)).findall("delete")]  # noqa: S314 - ours
    assert [one["model"] for one in gone] == ["ir.model.access", "ir.rule", "res.groups"]
    assert all(access.GROUP in one["search"] for one in gone)


@pytest.mark.parametrize(("hosting", "words"), [("self", "Community"), ("odoo.sh", "one seat"), ("online", "Custom")])
def test_what_the_user_costs_is_said(hosting: access.Hosting, words: str) -> None:
    """A seat where Odoo counts users, and what a user without one does not see (feature 63)."""
    said = " ".join(access.text(access.Grant(needs=every(), login=LOGIN, hosting=hosting)).split())
    assert words in said
    assert "Without Internal User it is no seat" in said


def test_only_the_program_can_write() -> None:
    """What is printed writes, for whoever runs it; our own doors know no method that does (feature 52)."""
    assert READS.isdisjoint({"create", "write", "unlink"})
    called = set(re.findall(r'call\("?[a-z._]+"?, "(\w+)"', access.script(access.Grant(needs=every(), login=LOGIN))))
    assert called & {"create", "write", "unlink"}
