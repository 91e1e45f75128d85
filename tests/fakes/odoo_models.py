"""The columns of the models the fake knows, with Odoo 19's defaults, and which of them point to which model."""

from typing import Any

from exporter.sources.odoo.job_rows import FIELDS as JOB_FIELDS

NO_LOG = frozenset({"queue.job", "mail.message.subtype"})  # _log_access = False, or not asked for

DEFAULTS: dict[str, dict[str, Any]] = {
    "ir.cron": {
        "cron_name": "A cron",
        "model_name": "res.partner",
        "active": True,
        "user_id": 1,
        "interval_number": 1,
        "interval_type": "hours",
        "priority": 5,
        "lastcall": False,
        "nextcall": False,
        "failure_count": 0,
        "first_failure_date": False,
    },
    "ir.cron.progress": {"cron_id": False, "done": 0, "remaining": 0, "timed_out_counter": 0, "deactivate": False},
    "ir.cron.trigger": {"cron_id": False, "call_at": False},
    "queue.job": dict.fromkeys(JOB_FIELDS, False)
    | {"state": "pending", "priority": 10, "retry": 0, "max_retries": 5, "exec_time": 0.0, "result": False},
    "tier.review": {
        "name": "Tier",
        "status": "pending",
        "model": "purchase.order",
        "res_id": 1,
        "definition_id": 1,
        "company_id": 1,
        "sequence": 1,
        "approve_sequence": True,
        "requested_by": 5,
        "done_by": False,
        "reviewer_ids": (6, 7),
        "reviewed_date": False,
        "last_reminder_date": False,
    },
    "purchase.order": {
        "name": "P00001",
        "state": "draft",
        "amount_total": 100.0,
        "currency_id": 1,
        "company_id": 1,
        "partner_id": 3,
        "user_id": 5,
        "date_approve": False,
    },
    "mail.message": {
        "model": False,
        "res_id": False,
        "date": False,
        "author_id": False,
        "subtype_id": False,
        "body": "private words",
    },
    "mail.tracking.value": {
        "field_id": False,
        "mail_message_id": False,
        "old_value_char": "",
        "new_value_char": "",
        "old_value_integer": 0,
        "new_value_integer": 0,
    },
    "mail.message.subtype": {"name": "Note"},
    "ir.model.fields": {"model": "", "name": ""},
    "res.users": {"login": "somebody", "tz": "Europe/Brussels", "active": True},
    "res.currency": {"name": "EUR", "active": True},
    "res.lang": {"code": "en_US", "active": True},
}

LINKS: dict[str, dict[str, str]] = {
    "ir.cron": {"user_id": "res.users"},
    "ir.cron.progress": {"cron_id": "ir.cron"},
    "ir.cron.trigger": {"cron_id": "ir.cron"},
    "queue.job": {"company_id": "res.company", "user_id": "res.users"},
    "tier.review": {
        "definition_id": "tier.definition",
        "company_id": "res.company",
        "requested_by": "res.users",
        "done_by": "res.users",
    },
    "purchase.order": {
        "currency_id": "res.currency",
        "company_id": "res.company",
        "partner_id": "res.partner",
        "user_id": "res.users",
    },
    "mail.message": {"author_id": "res.partner", "subtype_id": "mail.message.subtype"},
    "mail.tracking.value": {"field_id": "ir.model.fields", "mail_message_id": "mail.message"},
}
