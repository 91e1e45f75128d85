"""Who asks and who approves in the fixture company, for expenses and time off, made once in Odoo's shell.

This file is sent to the shell as text, so it imports nothing of ours and everything starts at `build`.
"""

from typing import Any

FAR = "2099-01-01 00:00:00"
APPROVES = ("hr_expense.group_hr_expense_manager", "hr_holidays.group_hr_holidays_manager")


def build(env: Any) -> dict[str, Any]:
    """Make everything and return what a test needs to know: ids and keys."""
    hana = _user(env, "hana", "Hana Approver", APPROVES)
    ivo = _user(env, "ivo", "Ivo Team Lead", ())
    erin = _user(env, "erin", "Erin Employee", ())
    erin.employee_id.write({"expense_manager_id": hana.id, "leave_manager_id": ivo.id})
    _calm_the_others(env)
    return {
        "keys": {user.login: _key(env, user) for user in (erin, hana, ivo)},
        "employee": erin.employee_id.id,
        "product": _product(env).id,
        "once": _kind_of_leave(env, "hr").id,
        "twice": _kind_of_leave(env, "both").id,
    }


def _user(env: Any, login: str, name: str, groups: Any) -> Any:
    """No password, a key does; an employee, who asks for expenses and days off."""
    members = [env.ref(group).id for group in ("base.group_user", *groups)]
    values = {"name": name, "login": login, "email": f"{login}@example.com", "group_ids": [(6, 0, members)]}
    user = env["res.users"].with_context(no_reset_password=True).create(values)
    env["hr.employee"].create({"name": name, "user_id": user.id})
    return user


def _key(env: Any, user: Any) -> str:
    """Without a date, so that a cached database never expires."""
    return str(env["res.users.apikeys"].with_user(user).sudo()._generate(None, f"lab {user.login}", None))


def _product(env: Any) -> Any:
    """What an expense is for."""
    untaxed = {"supplier_taxes_id": [(6, 0, [])], "taxes_id": [(6, 0, [])]}
    about = {"name": "LAB meals", "type": "service", "can_be_expensed": True, "standard_price": 0}
    return env["product.product"].create({**about, **untaxed})


def _kind_of_leave(env: Any, validation: str) -> Any:
    """Approved once, or twice; of no allocation."""
    about = {"name": f"LAB {validation}", "requires_allocation": False, "leave_validation_type": validation}
    return env["hr.leave.type"].create(about)


def _calm_the_others(env: Any) -> None:
    """Scheduled actions of the modules stay active but are not due, so that they do not disturb what a test counts."""
    env["ir.cron"].search([]).write({"nextcall": FAR})
    env["ir.cron.trigger"].search([]).unlink()
