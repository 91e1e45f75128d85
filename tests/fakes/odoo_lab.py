"""A small company in the fake Odoo: two actions, three jobs, an order on its way to approval."""

from datetime import timedelta

from tests.fakes.odoo import FakeOdoo

JOB_FAILED, RFQ_APPROVED = 1, 2


def lab() -> FakeOdoo:
    """The names every poll looks up, in two languages."""
    odoo = FakeOdoo()
    odoo.insert("res.users")
    odoo.insert("res.currency")
    for code in ("en_US", "fr_FR"):
        odoo.insert("res.lang", code=code)
    for name in ("Job failed", "RFQ Approved"):
        odoo.insert("mail.message.subtype", name=name)
    odoo.xmlids["mail.message.subtype", JOB_FAILED] = "queue_job.mt_job_failed"
    odoo.xmlids["mail.message.subtype", RFQ_APPROVED] = "purchase.mt_rfq_approved"
    odoo.insert("ir.model.fields", model="purchase.order", name="state")
    english = [["draft", "RFQ"], ["to approve", "To Approve"], ["purchase", "Purchase Order"], ["cancel", "Cancelled"]]
    french = [
        ["draft", "Demande"],
        ["to approve", "À approuver"],
        ["purchase", "Bon de commande"],
        ["cancel", "Annulé"],
    ]
    odoo.selections["purchase.order", "state", "en_US"] = english
    odoo.selections["purchase.order", "state", "fr_FR"] = french
    return odoo


def company() -> FakeOdoo:
    """The lab with something of everything."""
    odoo = lab()
    odoo.xmlids["ir.cron", 1] = "mail.ir_cron_mail_scheduler_action"
    odoo.insert("ir.cron", cron_name="LAB ok", lastcall=odoo.now, nextcall=odoo.now + timedelta(hours=1))
    odoo.insert("ir.cron", cron_name="LAB off", active=False)
    odoo.insert("ir.cron.progress", cron_id=1)
    odoo.insert("ir.cron.trigger", cron_id=1, call_at=odoo.now + timedelta(hours=2))
    job = {"uuid": "7b5ab49f-cd09-40d4-aa57-e34e2dcecc42", "name": "LAB", "date_created": odoo.now, "channel": "root"}
    odoo.insert("queue.job", **job)
    odoo.insert("queue.job", **job | {"state": "done", "date_done": odoo.now, "date_started": odoo.now})
    failed = odoo.insert("queue.job", **job | {"state": "failed", "date_started": odoo.now, "retry": 1})
    odoo.insert("mail.message", model="queue.job", res_id=failed, date=odoo.now, subtype_id=JOB_FAILED)
    order = odoo.insert("purchase.order", state="to approve")
    odoo.insert("tier.review", res_id=order)
    tracked(odoo, order, "RFQ", "To Approve")
    return odoo


def tracked(odoo: FakeOdoo, record: int, old: str, new: str, *, model: str = "purchase.order") -> int:
    """A tracked change of an order's state, as the chatter keeps it."""
    message = odoo.insert(
        "mail.message", model=model, res_id=record, date=odoo.now, subtype_id=RFQ_APPROVED, author_id=7
    )
    labels = {"old_value_char": old, "new_value_char": new}
    return odoo.insert("mail.tracking.value", field_id=1, field=1, mail_message_id=message, **labels)
