"""The numbers a Run says: measurements for the instruments of telemetry/metrics, observations for the detectors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from exporter.domain.bodies import (
    CronCounted,
    DetectorsBeat,
    KeyCounted,
    Learned,
    RecordVanished,
    RuleCounted,
    SightChanged,
)
from exporter.domain.events import Event
from exporter.domain.runs import ENDLESS, Run, Step
from exporter.domain.times import micros
from exporter.domain.told import Exemplar, Labels, Measurement, Observation
from exporter.fold import call_numbers, coverage, execution_numbers
from exporter.fold.call_numbers import NONE

_PROGRESS = {"odoo.cron.done": "odoo_cron_done_total", "odoo.cron.remaining": "odoo_cron_remaining"}
RULE = "base.automation"
# They last as long as a delivery's latency, until nobody waits any more, or as long as two records lie apart.
UNMEASURED = frozenset({"send", "double"})


def run(run: Run, exemplar: Exemplar) -> list[Measurement]:
    """What a closed Run adds to the totals; histograms carry its root span as exemplar."""
    return [*_BY_KIND[run.kind](run, exemplar), *_failure(run, exemplar), *coverage.told(run)]


def zeros(past: Run, exemplar: Exemplar) -> list[Measurement]:
    """The counters that a Run of the past would have added to, opened at zero.

    Prometheus' `increase` does not see the value with which a series begins: the first run of an action would be lost.
    """
    counted = (*steps(past, past.steps), *run(past, exemplar))
    return [replace(one, value=0, exemplar=None) for one in counted if one.name.endswith("_total")]


def _failure(run: Run, exemplar: Exemplar) -> Iterator[Measurement]:
    """Why it failed, in the words that spans and alerts use, too."""
    why = run.failure
    if why is not None:
        transient = "true" if why.transient else "false"
        labels = (("kind", run.kind), ("class", why.failure_class), ("cause", why.cause), ("transient", transient))
        yield Measurement(name="odoo_failures_total", labels=labels, value=1, at=_at(run), exemplar=exemplar)


def _at(run: Run) -> datetime:
    return run.ended_at or run.started_at


def _span(began: datetime | None, ended: datetime | None) -> int:
    """Microseconds from one time to another; never negative."""
    return max(micros(ended) - micros(began), 0) if began and ended else 0


def _cron(run: Run, exemplar: Exemplar) -> list[Measurement]:
    at, result = _at(run), run.result or "unknown"
    outcome = (("cron", run.workflow), ("result", result))
    found = [Measurement(name="odoo_cron_runs_total", labels=outcome, value=1, at=at, exemplar=exemplar)]
    if ENDLESS[0] not in run.attributes:
        took = _span(run.started_at, run.ended_at)
        found.append(
            Measurement(name="odoo_cron_run_duration_seconds", labels=outcome, value=took, at=at, exemplar=exemplar)
        )
    cron = (("cron", run.workflow),)
    if run.scheduled_at is not None:
        delay = _span(run.scheduled_at, run.started_at)
        found.append(
            Measurement(name="odoo_cron_start_delay_seconds", labels=cron, value=delay, at=at, exemplar=exemplar)
        )
    names = ["odoo_cron_last_run_timestamp_seconds"]
    if result == "success":
        names.append("odoo_cron_last_success_timestamp_seconds")
    found += _progress(run, cron)
    when = micros(at)
    return found + [Measurement(name=name, labels=cron, value=when, at=at) for name in names]


def _progress(run: Run, cron: Labels) -> list[Measurement]:
    """What the run did and left, where its action tells its progress."""
    at = _at(run)
    return [
        Measurement(name=_PROGRESS[name], labels=cron, value=int(value), at=at)
        for name, value in run.attributes
        if name in _PROGRESS
    ]


def _job(run: Run, exemplar: Exemplar) -> list[Measurement]:
    at, attributes = _at(run), dict(run.attributes)
    channel = ("channel", run.workflow)
    what = (channel, ("function", str(attributes.get("odoo.job.function", NONE))))
    result = (*what, ("result", run.result or "unknown"))
    attempts, unseen = int(attributes["odoo.job.attempts"]), int(attributes["odoo.job.attempts.unseen"])
    last = max((s.started_at for s in run.steps if s.role.startswith("attempt/")), default=run.started_at)
    found = [
        Measurement(name="odoo_job_runs_total", labels=result, value=1, at=at, exemplar=exemplar),
        Measurement(
            name="odoo_job_duration_seconds", labels=result, value=_span(last, run.ended_at), at=at, exemplar=exemplar
        ),
    ]
    if run.scheduled_at is not None:
        wait = _span(run.scheduled_at, run.started_at)
        found.append(
            Measurement(name="odoo_job_wait_duration_seconds", labels=(channel,), value=wait, at=at, exemplar=exemplar)
        )
    if attempts > 1:
        found.append(Measurement(name="odoo_job_retries_total", labels=what, value=attempts - 1, at=at))
    if unseen:
        found.append(Measurement(name="odoo_job_unseen_attempts_total", labels=what, value=unseen, at=at))
    if run.failure is not None:
        why = (*what, ("error_type", run.failure.type))
        found.append(Measurement(name="odoo_job_errors_total", labels=why, value=1, at=at, exemplar=exemplar))
    return found


def _record(run: Run, exemplar: Exemplar) -> list[Measurement]:
    at = _at(run)
    result = (("workflow", run.workflow), ("result", run.result or "unknown"))
    found = [
        Measurement(name="odoo_workflow_runs_total", labels=result, value=1, at=at, exemplar=exemplar),
        Measurement(
            name="odoo_workflow_duration_seconds",
            labels=result,
            value=_span(run.started_at, run.ended_at),
            at=at,
            exemplar=exemplar,
        ),
    ]
    decision = dict(run.attributes).get("odoo.approval.decision")
    reviewed = any(step.role.startswith("review/") for step in run.steps)
    if decision and not reviewed:  # a decision counts once, on the review if there is one
        found.append(_decision(run.workflow, str(decision), at))
    return found


def _decision(workflow: str, decision: str, at: datetime) -> Measurement:
    labels = (("workflow", workflow), ("decision", decision))
    return Measurement(name="odoo_approval_decisions_total", labels=labels, value=1, at=at)


def steps(run: Run, over: Iterable[Step]) -> tuple[Measurement, ...]:
    """What Steps of a document add when they are over: how long each took, and its decision."""
    if run.kind != "record":
        return ()
    found: list[Measurement] = []
    for step in over:
        at = step.ended_at or step.started_at
        labels = (("workflow", run.workflow), ("step", step.name))
        duration = _span(step.started_at, step.ended_at)
        found.append(Measurement(name="odoo_approval_step_duration_seconds", labels=labels, value=duration, at=at))
        decision = dict(step.attributes).get("odoo.approval.decision")
        if decision and step.role.startswith("review/"):
            found.append(_decision(run.workflow, str(decision), at))
    return tuple(found)


def correction(run: Run, at: datetime) -> Measurement:
    """One late fact that changed something told."""
    return Measurement(name="odoo_otel_corrections_total", labels=(("workflow", run.workflow),), value=1, at=at)


def finding(run: Run) -> tuple[Measurement, ...]:
    """Whether a Finding is open, and, when it opens, one more of its kind."""
    attributes = dict(run.attributes)
    detector, severity = str(attributes["odoo.finding.detector"]), str(attributes["odoo.finding.severity"])
    labels = (("detector", detector), ("subject", run.workflow), ("severity", severity))
    at, opens = _at(run), run.ended_at is None
    active = Measurement(name="odoo_anomaly_active", labels=labels, value=int(opens), at=at)
    kinds = (("detector", detector), ("severity", severity))
    counted = Measurement(name="odoo_anomalies_total", labels=kinds, value=1, at=at)
    return (active, counted) if opens else (active,)


def beat(event: Event) -> tuple[Measurement, ...]:
    """The detectors' heartbeat."""
    body = event.body
    if not isinstance(body, DetectorsBeat):
        return ()
    values = {
        "odoo_detectors_last_run_timestamp_seconds": micros(event.at),
        "odoo_detectors_series": body.series,
        "odoo_detectors_judged": body.judged,
    }
    own = [Measurement(name=name, labels=(), value=value, at=event.at) for name, value in values.items()]
    return (*own, *[one for learned in body.learned for one in _learned(learned, event.at)])


def _learned(learned: Learned, at: datetime) -> Iterator[Measurement]:
    """What one detector has learned from."""
    detector: Labels = (("detector", learned.detector),)
    yield Measurement(name="odoo_detector_training_samples", labels=detector, value=learned.samples, at=at)
    newest = micros(learned.newest)
    yield Measurement(name="odoo_detector_last_fit_timestamp_seconds", labels=detector, value=newest, at=at)


def _rule(rule: RuleCounted, at: datetime) -> tuple[Measurement, ...]:
    """An automation rule as it is, and why it cannot be judged from outside, if so."""
    sends = "yes" if rule.active and rule.webhooks else "no"
    labels = (
        ("rule", str(rule.rule_id)),
        ("name", rule.name),
        ("model", rule.model or NONE),
        ("trigger", rule.trigger),
        ("sends", sends),
        ("unevaluable", rule.unevaluable or NONE),
    )
    return (Measurement(name="odoo_automation_info", labels=labels, value=1, at=at),)


def gauges(event: Event) -> tuple[Measurement, ...]:
    """What a fact says by itself, before any Run: a rule, a key that reads, a scheduled action as Odoo shows it."""
    row = event.body
    if isinstance(row, RuleCounted):
        return _rule(row, event.at)
    if isinstance(row, RecordVanished) and row.model == RULE:
        gone = RuleCounted(rule_id=row.record_id, name="deleted", model="", trigger=NONE)
        return _rule(gone, event.at)
    if isinstance(row, KeyCounted):
        end = micros(row.expires_at) if row.expires_at else 0
        return (Measurement(name="odoo_api_key_expiry_timestamp_seconds", labels=(), value=end, at=event.at),)
    if isinstance(row, SightChanged):
        return (coverage.sight(event, row),)
    if not isinstance(row, CronCounted):
        return ()
    name = row.xmlid or str(row.cron_id)
    cron = (("cron", name),)
    values = {
        "odoo_cron_active": int(row.active),
        "odoo_cron_consecutive_failures": row.failure_count if row.counts else None,
        "odoo_cron_next_run_timestamp_seconds": micros(row.nextcall) if row.nextcall else None,
    }
    interval = f"{row.interval_number} {row.interval_type}"
    described = (*cron, ("name", row.name), ("model", row.model or NONE), ("interval", interval))
    return (
        Measurement(name="odoo_cron_info", labels=described, value=1, at=event.at),
        *(
            Measurement(name=name, labels=cron, value=value, at=event.at)
            for name, value in values.items()
            if value is not None
        ),
    )


def observations(run: Run) -> tuple[Observation, ...]:
    """A Run's own duration and its wait, in seconds, for the detectors."""
    if run.kind in UNMEASURED or (run.result == "timeout" and run.kind == "expectation"):
        return ()
    at = _at(run)
    name = f"{run.subject}#{run.key}"
    found: list[Observation] = []
    if ENDLESS[0] not in run.attributes:
        duration = execution_numbers.worked(run) if run.kind == "execution" else _span(run.started_at, run.ended_at)
        found.append(_observation(run, "duration", duration, (name, at)))
    if run.scheduled_at is not None:
        found.append(_observation(run, "delay", _span(run.scheduled_at, run.started_at), (name, at)))
    return tuple(found)


def _observation(run: Run, what: str, us: int, where: tuple[str, datetime]) -> Observation:
    return Observation(series=f"{run.kind}.{what}/{run.workflow}", run=where[0], at=where[1], value=us / 1_000_000)


_BY_KIND: Mapping[str, Callable[[Run, Exemplar], list[Measurement]]] = {
    "cron": _cron,
    "job": _job,
    "record": _record,
    "delivery": call_numbers.delivery,
    "call": call_numbers.call,
    "inbound": call_numbers.inbound,
    "mail": call_numbers.delivery,
    "send": call_numbers.send,
    "execution": execution_numbers.run,
    "expectation": call_numbers.expectation,
    "double": call_numbers.double,
}
