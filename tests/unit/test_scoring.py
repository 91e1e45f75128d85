"""What Findings are worth, held against labelled incidents."""

from datetime import UTC, datetime, timedelta

from exporter.domain.runs import Run
from exporter.scoring import score
from exporter.sources.simulator import Incident

LIVE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def incident(kind: str, label: str, began: float, ended: float | None = None) -> Incident:
    """An incident some minutes after the company went live."""
    over = None if ended is None else LIVE + timedelta(minutes=ended)
    return Incident(kind=kind, subject="cron/1", label=label, began=LIVE + timedelta(minutes=began), ended=over)  # type: ignore[arg-type]


def finding(detector: str, label: str, at: float) -> Run:
    """A Finding opened some minutes after that."""
    opened = LIVE + timedelta(minutes=at)
    return Run(
        kind="finding",
        workflow=label,
        subject=f"finding/{detector}/{label}",
        model="ir.cron",
        record_id="1",
        key="k",
        trace_key="k",
        title=label,
        started_at=opened,
        attributes=(("odoo.finding.detector", detector),),
    )


def judged(findings: list[Run], incidents: list[Incident], minutes: float) -> tuple[int, int, int]:
    """(found, missed, false alarms) some minutes after the company went live."""
    one = score(findings, incidents, LIVE, LIVE + timedelta(minutes=minutes))
    return one.found, one.missed, one.false_alarms


def test_an_incident_is_found_by_a_detector_that_is_meant_to() -> None:
    """The right detector on the right subject after it began finds it; another one or an earlier one does not."""
    failing = [incident("cron_failing", "a", 5)]
    assert judged([finding("result.failing", "a", 6)], failing, 10) == (1, 0, 0)
    assert judged([finding("result.failing", "b", 6)], failing, 10) == (0, 0, 0)
    assert judged([finding("result.failing", "a", 4)], failing, 10) == (0, 0, 0)


def test_an_incident_is_missed_only_when_there_was_time_to_find_it() -> None:
    """A hung action is stuck after an hour: until then nobody missed it."""
    hung = [incident("cron_hung", "a", 10)]
    assert judged([], hung, 30) == (0, 0, 0)
    assert judged([], hung, 10 + 126) == (0, 1, 0)


def test_a_claim_no_incident_explains_is_a_false_alarm() -> None:
    """An outlier where nothing was wrong counts; a failure is a fact and does not."""
    assert judged([finding("outlier.duration", "a", 6)], [], 10) == (0, 0, 1)
    assert judged([finding("result.failing", "a", 6)], [], 10) == (0, 0, 0)
    assert judged([finding("outlier.duration", "a", 9)], [incident("cron_slow", "a", 8)], 10) == (1, 0, 0)
