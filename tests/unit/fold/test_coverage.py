"""Whether what was told of a Run is whole: which part is missing of those that are not (features 61, 114)."""

import pytest
from msgspec.structs import replace

from exporter.domain.runs import Failure, Run, Step
from exporter.domain.told import Exemplar
from exporter.fold import coverage, measure
from exporter.telemetry.instruments import GAPS
from tests.worlds import at

SEEN = (("odoo.job.attempts", 2), ("odoo.job.attempts.unseen", 0))
UNSEEN = (("odoo.job.attempts", 2), ("odoo.job.attempts.unseen", 1))
MADE = (Step(role="state/0", name="state draft", started_at=at(0), ended_at=at(1)),)
LATER = (Step(role="state/77", name="state sent", started_at=at(0), ended_at=at(1)),)
REVIEWED = (Step(role="review/3", name="review Tier", started_at=at(0), ended_at=at(1)),)


def run(kind: str, **given: object) -> Run:
    """A finished Run of that kind."""
    fixed = {"workflow": "w", "subject": f"{kind}/1", "model": "m", "record_id": "1", "key": "1", "trace_key": "1"}
    times = {"title": "One", "started_at": at(0), "ended_at": at(9), "result": "success"}
    return Run(**{**fixed, **times, "kind": kind, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "gap"),
    [
        (run("cron"), "none"),
        (run("cron", result="unknown"), "result"),
        (run("cron", result="failure", failure=Failure(type="_OTHER")), "reason"),
        (run("cron", result="failure", failure=Failure(type="odoo.exceptions.UserError")), "none"),
        (run("job", attributes=SEEN), "none"),
        (run("job", attributes=UNSEEN), "attempts"),
        (run("record", steps=MADE), "none"),
        (run("record", steps=REVIEWED), "none"),
        (run("record", steps=LATER), "beginning"),
        (run("record", steps=LATER, key="0/odoo/approvals/tracking/9"), "none"),
        (run("execution", steps=MADE), "none"),
        (run("execution"), "nodes"),
        (run("execution", teller="them"), "none"),
        (run("execution", teller="us, as theirs"), "nodes"),
        (run("execution", teller="us, as theirs", steps=MADE), "none"),
        (run("execution", teller="us, as theirs", result="error"), "none"),
        (run("execution", steps=MADE, attributes=(("n8n.execution.nodes_left_out", 3),)), "nodes"),
        (run("execution", result="unknown"), "result"),
    ],
)
def test_what_is_missing_is_named(told: Run, gap: str) -> None:
    """By the facts of the Run alone; every gap is one that starts at zero."""
    (found,) = coverage.told(told)
    assert found.labels == (("kind", told.kind), ("gap", gap))
    assert gap in GAPS


def test_the_share_is_of_all_that_is_told() -> None:
    """Each finished Run is counted once, whole or not; of a webhook there is nothing to miss."""
    cron = run("cron")
    found = [
        one
        for each in (cron, replace(cron, result="unknown"))
        for one in measure.run(each, Exemplar(trace_id="", span_id=""))
    ]
    assert sum(one.value for one in found if one.name == "odoo_coverage_runs_total") == 2
    assert coverage.told(run("delivery")) == ()
