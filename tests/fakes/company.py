"""A small company at work in a fake Odoo, a round at a time: what a round does is decided by a seed alone."""

import random
from dataclasses import dataclass, field
from datetime import datetime

from tests.fakes import odoo_live as live
from tests.fakes.odoo_live import LiveOdoo

STEP = 30  # seconds of the server's clock a round


@dataclass(slots=True)
class Company:
    """Scheduled actions, jobs and purchases; each moves on by one state a round, so that every state is seen.

    Attributes:
        expected: what the counters must say in the end, by (metric, value of its first label, result or decision).
    """

    odoo: LiveOdoo
    seed: int
    expected: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _random: random.Random = field(init=False)
    _crons: list[int] = field(default_factory=list)
    _jobs: list[int] = field(default_factory=list)
    _orders: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Its scheduled actions exist from the beginning."""
        self._random = random.Random(self.seed)
        self._crons = [live.cron(self.odoo, f"LAB {number}") for number in range(4)]

    def round(self, *, quiet: bool = False) -> datetime:
        """Everything moves on, in one instant of the server's clock, which is returned; quiet: nothing new begins."""
        with self.odoo.transaction():
            self.odoo.step(STEP)
            if not quiet:
                self._run_crons()
            self._move_jobs()
            self._move_orders()
            if not quiet:
                jobs = self._random.randrange(2, 7)
                self._jobs += [live.job(self.odoo, channel=f"root.{n % 3}") for n in range(jobs)]
                self._orders |= {live.order(self.odoo): 0 for _ in range(self._random.randrange(1, 4))}
            return self.odoo.now

    @property
    def idle(self) -> bool:
        """Whether nothing is open."""
        return not self._jobs and not self._orders

    def _expect(self, name: str, first: str, second: str) -> None:
        key = (name, first, second)
        self.expected[key] = self.expected.get(key, 0) + 1

    def _run_crons(self) -> None:
        for one in self._crons:
            if self._random.random() < 0.8:
                failed = self._random.random() < 0.3
                live.ran(self.odoo, one, seconds=self._random.randrange(2, 20), failed=failed)
                self._expect("odoo_cron_runs_total", f"lab.cron_{one}", "failure" if failed else "success")

    def _move_jobs(self) -> None:
        for one in list(self._jobs):
            row = self.odoo.tables["queue.job"][one]
            if row["state"] == "pending":
                live.started(self.odoo, one)
                continue
            self._jobs.remove(one)
            failed = self._random.random() < 0.3
            live.failed(self.odoo, one) if failed else live.done(self.odoo, one)
            self._expect("odoo_job_runs_total", row["channel"], "failure" if failed else "success")

    def _move_orders(self) -> None:
        for one, review in list(self._orders.items()):
            if not review:
                self._orders[one] = live.submitted(self.odoo, one)
                continue
            live.approved(self.odoo, one, review)
            del self._orders[one]
            self._expect("odoo_approval_decisions_total", "purchase", "approved")
            self._expect("odoo_workflow_runs_total", "purchase", "success")
