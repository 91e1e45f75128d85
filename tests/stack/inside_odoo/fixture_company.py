"""The fixture company, made once in Odoo's shell: users and keys, approvals, scheduled actions.

This file is sent to the shell as text, so it imports nothing of ours and everything starts at `build`.
"""

from collections.abc import Iterable
from typing import Any

FAR = "2099-01-01 00:00:00"
USERS = {
    "alice": ("Alice Requester", ["purchase.group_purchase_user"]),
    "bob": ("Bob Reviewer", ["purchase.group_purchase_user"]),
    "carl": ("Carl Buyer", ["purchase.group_purchase_user"]),
    "dora": ("Dora Purchase Manager", ["purchase.group_purchase_manager"]),
    "fay": ("Fay Reviewer", ["purchase.group_purchase_user"]),
    "mon": ("Monitor, read-only", []),
}
CRONS = {
    "ok": "model.cron_ok()",
    "fail": "model.cron_fail()",
    "crash": "model.cron_crash()",
    "slow": "model.cron_sleep(4)",
    "long": "model.cron_sleep(30)",
    "partial": "model.cron_partial()",
    "stalled": "model.cron_stalled()",
    "partial_fail": "model.cron_partial_fail()",
    "explode": "model.cron_explode()",
    "last": "model.cron_last()",
}
READABLE = (
    "base.automation",
    "ir.actions.server",
    "ir.cron",
    "ir.cron.progress",
    "ir.cron.trigger",
    "ir.logging",
    "ir.model",
    "ir.model.fields",
    "ir.model.fields.selection",
    "ir.module.module",
    "mail.activity",
    "mail.mail",
    "mail.message",
    "mail.message.subtype",
    "mail.tracking.value",
    "purchase.order",
    "purchase.order.line",
    "queue.job",
    "queue.job.channel",
    "queue.job.function",
    "res.company",
    "res.partner",
    "res.users",
    "sale.order",
    "tier.definition",
    "tier.review",
)
TWO_STEPS_FROM = 500
TIERS_ABOVE = 5000


def build(env: Any) -> dict[str, Any]:
    """Make everything and return what a test needs to know: ids and keys."""
    users = {login: _user(env, login, *rest) for login, rest in USERS.items()}
    _read_only_group(env).user_ids = users["mon"]
    env.ref("base.main_company").write(
        {"po_double_validation": "two_step", "po_double_validation_amount": TWO_STEPS_FROM}
    )
    tiers = [_tier(env, users["bob"], 20), _tier(env, users["fay"], 10)]
    _calm_the_others(env)
    return {
        "users": {login: user.id for login, user in users.items()},
        "keys": {login: _key(env, user) for login, user in {**users, "admin": env.ref("base.user_admin")}.items()},
        "crons": {name: _cron(env, name, code).id for name, code in CRONS.items()},
        "tiers": [tier.id for tier in tiers],
        "vendor": env["res.partner"].create({"name": "LAB vendor", "supplier_rank": 1}).id,
        "product": _product(env).id,
        "two_steps_from": TWO_STEPS_FROM,
        "tiers_above": TIERS_ABOVE,
    }


def _user(env: Any, login: str, name: str, groups: Iterable[str]) -> Any:
    """No password: hashing them took most of the time, and keys do for JSON-2 and for odoorpc."""
    members = [env.ref(group).id for group in ("base.group_user", *groups)]
    values = {"name": name, "login": login, "email": f"{login}@example.com", "group_ids": [(6, 0, members)]}
    return env["res.users"].with_context(no_reset_password=True).create(values)


def _key(env: Any, user: Any) -> str:
    """Without a date, so that a cached database never expires."""
    return str(env["res.users.apikeys"].with_user(user).sudo()._generate(None, f"lab {user.login}", None))


def _read_only_group(env: Any) -> Any:
    group = env["res.groups"].create({"name": "Observability Reader"})
    for model in READABLE:
        access = {
            "name": f"read {model}",
            "model_id": env["ir.model"]._get_id(model),
            "group_id": group.id,
            "perm_read": True,
        }
        env["ir.model.access"].create({**access, "perm_write": False, "perm_create": False, "perm_unlink": False})
    return group


def _tier(env: Any, reviewer: Any, sequence: int) -> Any:
    """The higher sequence is asked first."""
    return env["tier.definition"].create(
        {
            "name": f"LAB {reviewer.name}",
            "model_id": env["ir.model"]._get_id("purchase.order"),
            "review_type": "individual",
            "reviewer_id": reviewer.id,
            "definition_domain": f"[('amount_total', '>', {TIERS_ABOVE})]",
            "sequence": sequence,
            "approve_sequence": True,
            "notify_on_create": True,
            "notify_on_accepted": True,
            "notify_on_rejected": True,
            "notify_on_restarted": True,
        }
    )


def _product(env: Any) -> Any:
    """Without taxes, so that a test knows the amount of an order."""
    untaxed = {"supplier_taxes_id": [(6, 0, [])], "taxes_id": [(6, 0, [])]}
    return env["product.product"].create({"name": "LAB widget", "type": "consu", **untaxed})


def _cron(env: Any, name: str, code: str) -> Any:
    return env["ir.cron"].create(
        {
            "name": f"LAB {name}",
            "model_id": env["ir.model"]._get_id("otel.lab"),
            "state": "code",
            "code": code,
            "interval_number": 1,
            "interval_type": "days",
            "nextcall": FAR,
            "user_id": env.ref("base.user_root").id,
        }
    )


def _calm_the_others(env: Any) -> None:
    """Odoo's own scheduled actions stay active but are not due, so that they do not disturb what a test counts."""
    env["ir.cron"].search([]).write({"nextcall": FAR})
    env["ir.cron.trigger"].search([]).unlink()
