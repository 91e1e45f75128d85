"""What each version of Odoo shows to a program that only reads: one table; what differs is asked of it.

Read in the source of each version, not run but for 19.0 (facts/odoo.md 1.1; files and branches stand behind the
lines). Where a version shows less we say less: a run whose end nobody can see is told without one, its result is
`unknown`, and `missing` says so in a sentence. A version between (`saas~18.2` is 18.2) is taken for the one it grew
from, but asked for what the next one has: which half of it is there, its answers say.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Version = tuple[int, int]
DoorName = Literal["json2", "jsonrpc"]
VERIFIED: frozenset[Version] = frozenset({(19, 0)})  # what the stack tests run, through both doors
OLDEST = 14
EXPENSE, SHEET = "hr.expense", "hr.expense.sheet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """What one version shows.

    Attributes:
        doors: ways in, the one to take first.
        loads: search_read takes `load`, so that rows come with bare ids; else search and read are two calls.
        progress: ir.cron.progress exists: when a run began and ended; and ir.cron counts failures.
        called: what `ir.cron.lastcall` is of a run that the scheduler made: when it began or when it was over.
        triggers: ir.cron.trigger exists: a run that was wanted before its schedule.
        webhooks: automation rules have server actions of their own, which may send webhooks.
        mail_failures: mail.mail says of which kind its failure is.
        expenses: the document that is approved before an employee is paid back.
        tracked: the column of mail.tracking.value that names the field.
    """

    doors: tuple[DoorName, ...] = ("json2", "jsonrpc")
    loads: bool = True
    progress: bool = True
    called: Literal["began", "ended"] = "began"
    triggers: bool = True
    webhooks: bool = True
    mail_failures: bool = True
    expenses: str = EXPENSE
    tracked: str = "field_id"


_RPC: tuple[DoorName, ...] = ("jsonrpc",)
# Files below are of odoo/odoo at the branch of that version (14.0 ... 19.0), and master (20) at 002f8f84.
VERSIONS: Mapping[int, Shows] = {
    # odoo/models.py: search_read has no **read_kwargs; odoo/addons/base/models/ir_cron.py: no class ir_cron_trigger;
    # addons/mail/models/mail_mail.py: no failure_type (it is on mail.notification);
    # addons/base_automation/models/base_automation.py: a rule _is_ a server action.
    14: Shows(
        doors=_RPC,
        loads=False,
        progress=False,
        triggers=False,
        webhooks=False,
        mail_failures=False,
        expenses=SHEET,
        tracked="field",
    ),
    # ir_cron.py: class ir_cron_trigger; mail_mail.py: failure_type; models.py: **read_kwargs.
    15: Shows(doors=_RPC, progress=False, webhooks=False, expenses=SHEET, tracked="field"),
    16: Shows(doors=_RPC, progress=False, webhooks=False, expenses=SHEET, tracked="field"),
    # base_automation/models/ir_actions_server.py: base_automation_id; mail_tracking_value.py: `field` is `field_id`.
    17: Shows(doors=_RPC, progress=False, expenses=SHEET),
    # ir_cron.py: class ir_cron_progress, failure_count; _reschedule_later writes lastcall = utcnow(), after the run.
    18: Shows(doors=_RPC, called="ended", expenses=SHEET),
    # ir_cron.py: lastcall = cr.now(), the transaction's begin; addons/rpc: JSON-2; hr_expense has no sheets any more.
    19: Shows(),
    # ir_cron.py: interval_type `never`; addons/rpc: /jsonrpc is still served, deprecated since 19, to go in 22
    # (documentation, content/developer/reference/external_rpc_api.rst).
    20: Shows(),
    21: Shows(),
    22: Shows(doors=("json2",)),
}


def shows(version: Version) -> Shows:
    """What a version shows: its own line, or that of the newest one before it."""
    major, minor = version
    found = VERSIONS[max((known for known in VERSIONS if known <= major), default=OLDEST)]
    if not minor:
        return found
    ahead = shows((major + 1, 0))
    return replace(
        found,
        progress=ahead.progress,
        triggers=ahead.triggers,
        webhooks=ahead.webhooks,
        mail_failures=ahead.mail_failures,
        tracked=ahead.tracked,
    )


def documents(models: Iterable[str], version: Version) -> tuple[str, ...]:
    """The models named in `approvals` as a version has them, each once: expenses are approved alone, or as sheets."""
    expenses = shows(version).expenses
    return tuple(dict.fromkeys(expenses if model in {EXPENSE, SHEET} else model for model in models))


def verified(version: Version) -> bool:
    """Whether the tests run against this very version, and not only against what its source says."""
    return version in VERIFIED


def unseen(version: Version) -> tuple[str, ...]:
    """What cannot be seen on a version, or is not tested there: one sentence each, none for a verified one."""
    sentences = tuple(sentence for sentence, holds in _UNSEEN if holds(shows(version)))
    if verified(version):
        return sentences
    return (f"Odoo {named(version)} is unverified: it is known from its source, only Odoo 19.0 is tested.", *sentences)


def named(version: Version) -> str:
    """`19.0`."""
    return ".".join(str(part) for part in version)


NO_RESULTS = (
    "This Odoo does not tell when a scheduled action ended and how: its runs are told without an end, as unknown, "
    "unless Odoo's log reaches us (docs/logs.md)."
)
_UNSEEN: tuple[tuple[str, Callable[[Shows], bool]], ...] = (
    (NO_RESULTS, lambda found: not found.progress),
    ("This Odoo has no triggers: a run before its time has no reason.", lambda found: not found.triggers),
    ("Automation rules of this Odoo send no webhooks: none is expected.", lambda found: not found.webhooks),
    ("This Odoo does not say of which kind the failure of a mail is.", lambda found: not found.mail_failures),
)
