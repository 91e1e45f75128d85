"""A fake Odoo that has worked for long: every collection has more than a page of what is over, and nothing is open."""

from datetime import timedelta

from tests.fakes import odoo_live as live
from tests.fakes.odoo_lab import JOB_FAILED
from tests.fakes.odoo_live import LiveOdoo, live_lab

DAYS = 10
JOBS, RUNS, ORDERS = 3_300, 2_300, 1_200  # an order has one review and two tracked changes
FAILS = 11  # one job of so many fails, and one run
ACTIONS = 3


def long_past(*, running: bool = False, jobs: int = JOBS, runs: int = RUNS, orders: int = ORDERS) -> LiveOdoo:
    """It; the clock of its server stands unless it is `running`, so that whoever reads it is told the same."""
    odoo = live_lab(running=running)
    work(odoo, jobs=jobs, runs=runs, orders=orders)
    return odoo


def work(odoo: LiveOdoo, *, jobs: int = JOBS, runs: int = RUNS, orders: int = ORDERS) -> None:
    """What was done in the last days but one; the clock of its server is as before in the end."""
    now = odoo.now
    odoo.now = now - timedelta(days=DAYS)
    crons = [live.cron(odoo, f"LAB {number}") for number in range(ACTIONS)]
    most = max(jobs, runs, orders)
    each = timedelta(days=DAYS - 1) / most
    for number in range(most):
        odoo.now = now - timedelta(days=DAYS) + number * each
        if number < runs:
            live.ran(odoo, crons[number % ACTIONS], failed=number % FAILS == 0)
        if number < jobs:
            _job(odoo, failed=number % FAILS == 0)
        if number < orders:
            _order(odoo)
    odoo.now = now
    for one in crons:  # none is late: that would be said, and rightly
        odoo.raw("ir.cron", one, nextcall=now + timedelta(hours=1))


def _job(odoo: LiveOdoo, *, failed: bool) -> None:
    """One that is over: made, begun and ended within seconds."""
    stamps = {"date_created": odoo.now, "date_enqueued": odoo.now, "date_started": odoo.now + timedelta(seconds=1)}
    if failed:
        error = {"retry": 1, "exc_name": "odoo.exceptions.UserError", "exc_message": "No address."}
        one = live.job(odoo, state="failed", **stamps, **error)
        date = odoo.now + timedelta(seconds=2)
        odoo.insert("mail.message", model="queue.job", res_id=one, date=date, subtype_id=JOB_FAILED)
    else:
        live.job(odoo, state="done", **stamps, date_done=odoo.now + timedelta(seconds=3), exec_time=2.0)


def _order(odoo: LiveOdoo) -> None:
    """One that was submitted and approved."""
    one = live.order(odoo)
    odoo.step(60)
    review = live.submitted(odoo, one)
    odoo.step(60)
    live.approved(odoo, one, review)
