"""The numbers that an execution of n8n says."""

from collections.abc import Iterable
from datetime import datetime

from exporter.domain.bodies import NodeRun
from exporter.domain.runs import Run, Step
from exporter.domain.times import MICRO
from exporter.domain.told import Exemplar, Labels, Measurement
from exporter.fold.call_numbers import slow


def run(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """How it ended, how long it took, how long it waited for whom, what failed in it."""
    at = run.ended_at or run.started_at
    workflow = ("workflow", run.workflow)
    outcome = (workflow, ("result", run.result or "unknown"))

    def one(name: str, labels: Labels, value: int = 1) -> Measurement:
        return Measurement(name=name, labels=labels, value=value, at=at, exemplar=exemplar)

    found = [
        one("odoo_n8n_executions_total", outcome),
        one("odoo_n8n_execution_duration_seconds", outcome, _took(run.started_at, run.ended_at)),
    ]
    found += slow(run, "n8n")
    for step in run.steps:
        if step.wait is not None:
            labels: Labels = (workflow, ("wait", step.wait))
            found.append(one("odoo_n8n_wait_duration_seconds", labels, _took(step.started_at, step.ended_at)))
        elif step.failure is not None:
            goes_on = "true" if ("n8n.node.continued", True) in step.attributes else "false"
            labels = (workflow, ("error_type", step.failure.type), ("continued", goes_on))
            found.append(one("odoo_n8n_node_errors_total", labels))
    return found


def worked(run: Run) -> int:
    """Microseconds in which it did not wait for anybody."""
    return working(run.started_at, run.ended_at, [step for step in run.steps if step.wait is not None])


def working(began: datetime, ended: datetime | None, waits: Iterable[Step | NodeRun]) -> int:
    """Microseconds from one time to another without the waits between them."""
    return max(_took(began, ended) - sum(_took(one.started_at, one.ended_at) for one in waits), 0)


def _took(began: datetime, ended: datetime | None) -> int:
    return max((ended - began) // MICRO, 0) if ended else 0
