"""Findings held against the incidents the simulated company was given: found, missed, and false alarms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.domain.runs import Run
from exporter.sources.simulator import Incident

# Which detectors are meant to find which incident, and how long after its beginning that may take at most: a missed
# action is missed an hour after it was due, a hung one is stuck after an hour, and each must have been due first.
EXPECTED: dict[str, tuple[frozenset[str], timedelta]] = {
    "cron_failing": (frozenset({"result.failing"}), timedelta(minutes=65)),
    "cron_hung": (frozenset({"limit.stuck"}), timedelta(minutes=125)),
    "cron_missed": (frozenset({"schedule.late", "schedule.missed"}), timedelta(minutes=125)),
    "cron_slow": (frozenset({"outlier.duration", "limit.stuck"}), timedelta(minutes=95)),
}
# A failure and a delay are facts, whether an incident caused them or the ordinary course of the company.
FACTS = frozenset({"result.failing", "schedule.late", "outlier.delay"})
AFTERMATH = timedelta(hours=2)  # what an incident sets off may be found a while after it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many Findings there were, and what they are worth."""

    findings: int
    found: int
    missed: int
    false_alarms: int


def score(findings: Sequence[Run], incidents: Iterable[Incident], since: datetime, now: datetime) -> Score:
    """Judge what was live: incidents of a kind somebody looks for that had begun by `now` and ended behind `since`.

    Args:
        findings: Runs of kind "finding".
        incidents: the company's labels.
        since: when the company went live; before that nobody looks.
        now: the simulated time up to which facts were read.
    """
    live = [one for one in incidents if one.kind in EXPECTED and one.began <= now and (one.ended or now) > since]
    found = [one for one in live if any(_explains(one, finding) for finding in findings)]
    late = [one for one in live if one not in found and now > max(one.began, since) + EXPECTED[one.kind][1]]
    alarms = [run for run in findings if detector(run) not in FACTS]
    false = [run for run in alarms if not any(_concerns(one, run) for one in live)]
    return Score(findings=len(findings), found=len(found), missed=len(late), false_alarms=len(false))


def detector(run: Run) -> str:
    """Which detector made a Finding."""
    return str(dict(run.attributes)["odoo.finding.detector"])


def _explains(incident: Incident, run: Run) -> bool:
    return detector(run) in EXPECTED[incident.kind][0] and _concerns(incident, run)


def _concerns(incident: Incident, run: Run) -> bool:
    after = incident.ended is None or run.started_at <= incident.ended + AFTERMATH
    return run.workflow == incident.label and after and run.started_at >= incident.began
