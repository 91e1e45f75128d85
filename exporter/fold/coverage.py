"""How whole what is told is: of each finished Run whether its trace lacks something, and of Odoo what cannot be seen.

What has no Run at all counts nowhere here (documents whose state is not tracked, runs behind a missing right): that is
a blind spot, named by the Source that has it.
"""

from collections.abc import Callable, Mapping

from exporter.domain.bodies import SightChanged
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.domain.told import Measurement

WHOLE = "none"
UNNAMED = "_OTHER"  # the type of a failure of which only the result was seen
FIRST = "1"  # the key of a document's first episode


def gap(run: Run) -> str:
    """What the trace of a finished Run lacks, the gravest first; "none" where it is whole."""
    return _GAPS[run.kind](run)


def told(run: Run) -> tuple[Measurement, ...]:
    """That a Run was told, whole or not; of kinds of which nothing can be missing, nothing."""
    if run.kind not in _GAPS:
        return ()
    labels = (("kind", run.kind), ("gap", gap(run)))
    at = run.ended_at or run.started_at
    return (Measurement(name="odoo_coverage_runs_total", labels=labels, value=1, at=at),)


def sight(event: Event, spot: SightChanged) -> Measurement:
    """Whether a Source is blind in one spot."""
    labels = (("source", event.source), ("spot", spot.spot), ("why", spot.why))
    return Measurement(name="odoo_blind_spot", labels=labels, value=int(spot.blind), at=event.at)


def _cron(run: Run) -> str:
    if run.result == "unknown":
        return "result"  # it ran, and was over before anybody read how
    return "reason" if run.failure is not None and run.failure.type == UNNAMED else WHOLE


def _job(run: Run) -> str:
    return "attempts" if dict(run.attributes).get("odoo.job.attempts.unseen") else WHOLE


def _record(run: Run) -> str:
    """The first episode of a document whose states are tracked begins with the state in which it was made."""
    states = {step.role for step in run.steps if step.role.startswith("state/")}
    return "beginning" if run.key == FIRST and states and "state/0" not in states else WHOLE


def _execution(run: Run) -> str:
    """n8n forgets its executions' details, and whole executions; what it tells of nodes itself is not missed here.

    Those that it sampled out it does not tell; of one that crashed its spans of nodes had left by then.
    """
    if run.result == "unknown":
        return "result"  # it went on when it was seen last, and n8n did not keep it
    by_them = run.teller == "them" or (run.teller == "us, as theirs" and run.result == "error")
    is_short = "n8n.execution.nodes_left_out" in dict(run.attributes)
    return "nodes" if is_short or not (run.steps or by_them) else WHOLE


_GAPS: Mapping[str, Callable[[Run], str]] = {"cron": _cron, "job": _job, "record": _record, "execution": _execution}
