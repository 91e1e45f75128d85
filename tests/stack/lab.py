"""The fixture company as a test uses it: a fresh copy of its database, an Odoo on it, and what its people do there."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.stack.installs.databases import DUMP, FACTS, LAB, Template
from tests.stack.servers.odoo import Odoo
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import wait_until

TEMPLATE = "lab_template"
FINAL_JOB_STATES = ("done", "failed", "cancelled")
Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Ids and keys of what is in the lab's database."""

    users: dict[str, int]
    keys: dict[str, str]
    crons: dict[str, int]
    tiers: list[int]
    vendor: int
    product: int
    two_steps_from: float
    tiers_above: float


@cache
def company() -> Company:
    """The fixture company as it was made."""
    return Company(**json.loads((LAB.place / FACTS).read_text()))


def prepare(postgres: Postgres) -> None:
    """Put the lab's database into `postgres`, once, to be copied from."""
    if not postgres.sql("postgres", "SELECT 1 FROM pg_database WHERE datname = :'name'", name=TEMPLATE):
        postgres.restore(TEMPLATE, LAB.place / DUMP)


def new_odoo(postgres: Postgres, folder: Path, options: OdooOptions | None = None) -> Odoo:
    """An Odoo, not started, on a fresh copy of the lab's database; names never repeat within a cluster."""
    db = f"lab_{uuid4().hex[:12]}"
    postgres.createdb(db, TEMPLATE)
    odoo = Odoo(postgres, folder, db, options)
    Template(LAB.place).unpack_files(odoo.program)
    return odoo


@contextmanager
def running(postgres: Postgres, folder: Path, options: OdooOptions | None = None) -> "Iterator[Lab]":
    """A lab of one's own on a fresh copy, started, and dropped at the end."""
    odoo = new_odoo(postgres, folder, options)
    try:
        with odoo:
            yield Lab(odoo)
    finally:
        postgres.dropdb(odoo.db)


@dataclass(frozen=True, slots=True)
class Lab:
    """What people and machines do in the fixture company; `user` is a login of `company().users`, or `admin`."""

    odoo: Odoo

    def call(self, user: str, model: str, method: str, /, **arguments: Any) -> Any:
        """A JSON-2 call as `user`."""
        return self.odoo.json2(model, method, company().keys[user], **arguments)

    def sql(self, statement: str, /, **values: str | float) -> list[Row]:
        """Rows of the lab's database, with the microseconds JSON-2 cuts off; `:'name'` stands for a value."""
        return self.odoo.postgres.sql(self.odoo.db, statement, **values)

    # Scheduled actions, by their name in `company().crons`.

    def run_cron(self, name: str) -> None:
        """Have the scheduler run an action now; returns before it ran."""
        self.call("admin", "otel.lab", "trigger", cron_id=company().crons[name])

    def run_cron_here(self, name: str) -> Any:
        """Run an action within the call, as the button Run Manually does."""
        return self.call("admin", "ir.cron", "method_direct_trigger", ids=[company().crons[name]])

    def cron(self, name: str) -> Row:
        """The row of an action in ir_cron."""
        return self.sql("SELECT * FROM ir_cron WHERE id = :'cron'", cron=company().crons[name])[0]

    def progress(self, name: str) -> list[Row]:
        """All progress rows of an action, oldest first."""
        return self.sql(
            "SELECT * FROM ir_cron_progress WHERE cron_id = :'cron' ORDER BY id", cron=company().crons[name]
        )

    def triggers(self, name: str) -> list[Row]:
        """The triggers of an action that wait."""
        return self.sql("SELECT * FROM ir_cron_trigger WHERE cron_id = :'cron' ORDER BY id", cron=company().crons[name])

    def cron_lines(self, name: str) -> list[str]:
        """What Odoo's log says about an action."""
        return [line for line in self.odoo.log.read_text().splitlines() if f"Job 'LAB {name}' (" in line]

    def finished_cron(self, name: str, *, runs: int = 1, within: float = 30) -> list[Row]:
        """Wait until `runs` runs of an action were counted or given up in all; return its progress rows."""
        marks = (" fully done (", " partially done (", " failed (", " timed out")
        wait_until(
            lambda: sum(any(mark in line for mark in marks) for line in self.cron_lines(name)) >= runs,
            f"{runs} runs of {name}",
            within=within,
        )
        wait_until(lambda: not self._locked(name), f"{name} released", within=within)
        return self.progress(name)

    def _locked(self, name: str) -> bool:
        """The row stays locked until the result of the run is committed."""
        row = "SELECT id FROM ir_cron WHERE id = :'cron' FOR NO KEY UPDATE SKIP LOCKED"
        return not self.sql(row, cron=company().crons[name])

    # Queue jobs.

    def enqueue_job(self, method: str, /, *, options: dict[str, Any] | None = None, **arguments: Any) -> str:
        """Delay `succeed`, `fail` or `retry` of the test addon; `options` are those of `with_delay`; the uuid."""
        given = {"description": f"LAB {method}", **(options or {})}
        return str(self.call("admin", "otel.lab", "enqueue", method=method, arguments=arguments, options=given))

    def enqueue_graph(self, methods: Sequence[str] = ("succeed", "succeed", "succeed")) -> list[str]:
        """All but the last in parallel, then the last; the uuids in this order."""
        return list(self.call("admin", "otel.lab", "enqueue_graph", methods=list(methods)))

    def job(self, uuid: str) -> Row:
        """The row of a job in queue_job."""
        return self.sql("SELECT * FROM queue_job WHERE uuid = :'uuid'", uuid=uuid)[0]

    def finished_job(self, uuid: str, *, states: Sequence[str] = FINAL_JOB_STATES, within: float = 30) -> Row:
        """Wait until a job is in one of `states`, and return its row."""
        wait_until(lambda: self.job(uuid)["state"] in states, f"job {uuid} in {states}", within=within)
        return self.job(uuid)

    def requeue_job(self, uuid: str) -> None:
        """As the button does."""
        self.call("admin", "queue.job", "requeue", ids=[int(self.job(uuid)["id"])])

    def cancel_job(self, uuid: str) -> None:
        """As the button does."""
        self.call("admin", "queue.job", "button_cancelled", ids=[int(self.job(uuid)["id"])])

    def set_job_done(self, uuid: str) -> None:
        """As the button does."""
        self.call("admin", "queue.job", "button_done", ids=[int(self.job(uuid)["id"])])

    # Purchases. Below `two_steps_from` a buyer's confirmation suffices, from there a manager approves; above
    # `tiers_above` bob and then fay review besides.

    def create_purchase(self, user: str, amount: float) -> int:
        """A request for quotation over `amount`; its id."""
        line = {"product_id": company().product, "product_qty": 1, "price_unit": amount}
        order = {"partner_id": company().vendor, "order_line": [[0, 0, line]]}
        return int(self.call(user, "purchase.order", "create", vals_list=[order])[0])

    def purchase(self, order: int) -> Row:
        """The row of an order."""
        return self.sql("SELECT * FROM purchase_order WHERE id = :'order'", order=order)[0]

    def confirm(self, user: str, order: int) -> None:
        """Confirm; from `two_steps_from` on, a buyer's order then waits `to approve`."""
        self.call(user, "purchase.order", "button_confirm", ids=[order])

    def approve(self, user: str, order: int) -> None:
        """Approve what waits; by anybody but a manager this silently does nothing."""
        self.call(user, "purchase.order", "button_approve", ids=[order])

    def cancel(self, user: str, order: int) -> None:
        """Refuse or cancel; Odoo knows no difference. Reviews are deleted."""
        self.call(user, "purchase.order", "button_cancel", ids=[order])

    def draft(self, user: str, order: int) -> None:
        """Open a cancelled order again."""
        self.call(user, "purchase.order", "button_draft", ids=[order])

    # Sales, whose confirmation rules may send webhooks.

    def create_sale(self, amount: float = 100) -> int:
        """A quotation of the admin's over `amount`; its id."""
        line = {"product_id": company().product, "product_uom_qty": 1, "price_unit": amount}
        order = {"partner_id": company().vendor, "order_line": [[0, 0, line]]}
        return int(self.call("admin", "sale.order", "create", vals_list=[order])[0])

    def confirm_sale(self, order: int) -> None:
        """As the button does."""
        self.call("admin", "sale.order", "action_confirm", ids=[order])

    def sale(self, order: int) -> Row:
        """The row of a sale."""
        return self.sql("SELECT * FROM sale_order WHERE id = :'order'", order=order)[0]

    def reviews(self, order: int) -> list[Row]:
        """The reviews of an order in the order in which they are asked for."""
        reviews = "SELECT * FROM tier_review WHERE model = 'purchase.order' AND res_id = :'order' ORDER BY sequence, id"
        return self.sql(reviews, order=order)

    def request_validation(self, user: str, order: int) -> None:
        """Ask the reviewers."""
        self.call(user, "purchase.order", "request_validation", ids=[order])

    def validate_tier(self, user: str, order: int) -> None:
        """A reviewer accepts."""
        self.call(user, "purchase.order", "validate_tier", ids=[order])

    def reject_tier(self, user: str, order: int) -> None:
        """A reviewer refuses."""
        self.call(user, "purchase.order", "reject_tier", ids=[order])

    def restart_validation(self, user: str, order: int) -> None:
        """Delete all reviews, to be asked for again."""
        self.call(user, "purchase.order", "restart_validation", ids=[order])
