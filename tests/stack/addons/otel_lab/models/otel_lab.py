"""Scheduled actions and queue jobs that end in every way there is, and doors to private methods for JSON-2."""

import time
from typing import Any

from odoo import api, fields, models
from odoo.addons.queue_job.delay import chain, group
from odoo.addons.queue_job.exception import JobError, RetryableJobError
from odoo.exceptions import UserError


class OtelLab(models.Model):
    """One row for each scheduled action of the lab: how often it was called, and in which run."""

    _name = "otel.lab"
    _description = "Fixtures of the stack tests"

    name = fields.Char(required=True)
    calls = fields.Integer()
    run_mark = fields.Char()

    # Doors for JSON-2, which reaches public methods only.

    @api.model
    def trigger(self, cron_id: int) -> bool:
        """Run a scheduled action now: `_trigger` wakes the scheduler, a written `nextcall` would wait a minute."""
        self.env["ir.cron"].browse(cron_id)._trigger()
        return True

    @api.model
    def enqueue(self, method: str, arguments: dict[str, Any], options: dict[str, Any]) -> str:
        """Delay `job_<method>` with the options of queue_job's `with_delay`, and return the job's uuid."""
        job = self._delayed(method, arguments, options)
        job.delay()
        return job._generated_job.uuid

    @api.model
    def enqueue_graph(self, methods: list[str]) -> list[str]:
        """All but the last in parallel, then the last, in one graph; the uuids in the order of `methods`."""
        jobs = [self._delayed(method, {}, {"description": f"graph {method}"}) for method in methods]
        chain(group(*jobs[:-1]), jobs[-1]).delay()
        return [job._generated_job.uuid for job in jobs]

    @api.model
    def confirm_and_fail(self, order_id: int) -> None:
        """Confirm a sale, send its webhooks, and then fail: as code does that sends before its transaction is over."""
        self.env["sale.order"].browse(order_id).action_confirm()
        self.env.flush_all()
        self.env.cr.postcommit.run()
        raise UserError("LAB failed behind its webhook")

    def _delayed(self, method: str, arguments: dict[str, Any], options: dict[str, Any]) -> Any:
        return getattr(self.delayable(**options), f"job_{method}")(**arguments)

    # Queue jobs.

    def job_succeed(self, seconds: float = 0, *, commit: bool = False) -> str:
        """Work for some seconds; `commit` breaks queue_job's rule and fails."""
        time.sleep(seconds)
        if commit:
            self.env.cr.commit()
        return f"worked {seconds} s"

    def job_fail(self, text: str = "LAB job failed", seconds: float = 0) -> None:
        """Fail at once, for good."""
        time.sleep(seconds)
        raise JobError(text)

    def job_retry(self, times: int = 1, seconds: int = 1) -> str:
        """Ask for a retry on the first `times` attempts, then succeed."""
        job = self.env["queue.job"].sudo().search([("uuid", "=", self.env.context["job_uuid"])])
        if job.retry < times:
            raise RetryableJobError(f"LAB attempt {job.retry + 1} must be repeated", seconds=seconds)
        return f"worked at attempt {job.retry + 1}"

    # Scheduled actions.

    @api.model
    def cron_ok(self) -> None:
        """Succeed."""
        self._call("ok")

    @api.model
    def cron_fail(self) -> None:
        """Be refused by a rule of the business."""
        raise UserError("LAB boom: upstream ERP connector refused")

    @api.model
    def cron_crash(self) -> float:
        """Fail by a fault in the code."""
        return 1 / 0

    @api.model
    def cron_sleep(self, seconds: float) -> None:
        """Take `seconds`."""
        self._call(f"sleep {seconds}")
        time.sleep(seconds)

    @api.model
    def cron_partial(self) -> None:
        """First run: 5 and 5 of 20 done, then none (partially done). Second run: the rest (fully done)."""
        self._step("partial", [(5, 15), (5, 10), (0, 10), (5, 5), (5, 0)])

    @api.model
    def cron_stalled(self) -> None:
        """First run: none of 9 done (`processed no record`). Second run: all."""
        self._step("stalled", [(0, 9), (9, 0)])

    @api.model
    def cron_partial_fail(self) -> None:
        """First run: twice 3 done and then raised, then nothing (partially done). Second run: the rest."""
        call = self._step("partial_fail", [(3, 7), (3, 4), (0, 4), (4, 0)])
        if call in {0, 1}:
            raise UserError("LAB failed after committed progress")

    @api.model
    def cron_explode(self) -> None:
        """First run: commit progress and raise until Odoo's 10 s are over (partially done). Second run: the rest."""
        mark = str(self.env.context.get("cron_end_time"))
        row = self._row("explode")
        if row.run_mark and row.run_mark != mark:
            row.write({"run_mark": False})
            self.env["ir.cron"]._commit_progress(4, remaining=0)
            return
        row.write({"run_mark": mark})
        self.env["ir.cron"]._commit_progress(3, remaining=4)
        time.sleep(0.5)
        raise UserError("LAB fails again and again after committed progress")

    @api.model
    def cron_last(self) -> None:
        """Succeed and ask not to be run again."""
        self.env["ir.cron"]._commit_progress(1, remaining=0, deactivate=True)

    def _row(self, name: str) -> Any:
        return self.search([("name", "=", name)], limit=1) or self.create({"name": name})

    def _call(self, name: str) -> int:
        row = self._row(name)
        row.calls += 1
        return row.calls - 1

    def _step(self, name: str, progress: list[tuple[int, int]]) -> int:
        """Report the next (done, remaining) of `progress`, from the first again after the last."""
        call = self._call(name) % len(progress)
        done, remaining = progress[call]
        self.env["ir.cron"]._commit_progress(done, remaining=remaining)
        return call
