"""What the fake hides to be another version of Odoo: from the facts pages, by hand, not from the exporter's own table.

facts/odoo.md 1.1 (ir.cron 14 -> 20) and the branches 14.0 ... 19.0 of odoo/odoo; only 19.0 was run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.odoo import FakeOdoo


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One version: models and columns that it lacks, whether search_read takes `load`, how a tracked field is named.

    Attributes:
        ended: `lastcall` is when a run was over, not when it began.
        json2: /json/2 is served.
    """

    absent: frozenset[str] = frozenset()
    lacks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    loads: bool = True
    ended: bool = False
    json2: bool = False


_COUNTS = frozenset({"failure_count", "first_failure_date"})
_RULE = frozenset({"base_automation_id", "webhook_url"})
_OLD = {"ir.cron": _COUNTS, "ir.actions.server": _RULE, "mail.tracking.value": frozenset({"field_id"})}
_17 = {"ir.cron": _COUNTS, "mail.tracking.value": frozenset({"field"})}
_NEW = {"mail.tracking.value": frozenset({"field"})}
_PROGRESS = frozenset({"ir.cron.progress"})
PROFILES: Mapping[int, Profile] = {
    14: Profile(
        absent=_PROGRESS | {"ir.cron.trigger"},
        lacks={**_OLD, "mail.mail": frozenset({"failure_type"})},
        loads=False,
    ),
    15: Profile(absent=_PROGRESS, lacks=_OLD),
    16: Profile(absent=_PROGRESS, lacks=_OLD),
    17: Profile(absent=_PROGRESS, lacks=_17),
    18: Profile(lacks=_NEW, ended=True),
    19: Profile(lacks=_NEW, json2=True),
    20: Profile(lacks=_NEW, json2=True),
    21: Profile(lacks=_NEW, json2=True),
}


def become(odoo: FakeOdoo, major: int) -> Profile:
    """Make a fake Odoo one of another version."""
    profile = PROFILES[major]
    odoo.absent |= profile.absent
    odoo.lacks = profile.lacks
    odoo.loads = profile.loads
    return profile
