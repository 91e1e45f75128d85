"""What a scrape shows of a store: sources and their health, open Runs, the outbox; in both formats."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from exporter.clock import StepClock
from exporter.domain.runs import Run
from exporter.domain.told import Measurement
from exporter.loops.batching import run_row
from exporter.store.encoded import Signal
from exporter.store.entries import PollReport, RunRow, TotalRow
from exporter.telemetry.instruments import INSTRUMENTS
from exporter.telemetry.metrics import CAP, Totals
from exporter.web.snapshot import OpenRun, Shown, Snapshot
from tests.fakes.exporter import Sample, openmetrics_samples, samples
from tests.worlds import T0, at

POLL = 30.0
ACME = "acme"
Reported = tuple[PollReport, datetime | None]


@dataclass(slots=True)
class Kept:
    """The Reader of a store that holds what a test says."""

    reported: dict[str, list[Reported]] = field(default_factory=dict)
    opened: list[OpenRun] = field(default_factory=list)
    findings: list[RunRow] = field(default_factory=list)
    totalled: list[TotalRow] = field(default_factory=list)
    waiting: list[tuple[Signal, int, datetime | None]] = field(default_factory=list)
    left: dict[tuple[Signal, str], int] = field(default_factory=dict)
    unfolded: tuple[int, datetime | None] = (0, None)

    def reports(self, tenant: str) -> list[Reported]:
        """See Reader."""
        return self.reported.get(tenant, [])

    def open_runs(self, tenant: str) -> list[OpenRun]:
        """See Reader."""
        return self.opened if tenant == ACME else []

    def open_findings(self, tenant: str) -> list[RunRow]:
        """See Reader."""
        return self.findings if tenant == ACME else []

    def totals(self, tenant: str) -> list[TotalRow]:
        """See Reader."""
        return self.totalled if tenant == ACME else []

    def outbox(self) -> list[tuple[Signal, int, datetime | None]]:
        """See Reader."""
        return self.waiting

    def sent(self) -> dict[tuple[Signal, str], int]:
        """See Reader."""
        return self.left

    def dropped(self, tenant: str) -> dict[str, int]:
        """See Reader."""
        return {"runs": 8} if tenant == ACME else {}

    def lag(self, _tenant: str, _consumer: str) -> tuple[int, datetime | None]:
        """See Reader."""
        return self.unfolded


def reported(source: str = "odoo/jobs", *, ok: bool = True, success: float | None = 0.0, **more: object) -> Reported:
    """How the last poll of a Source went, and when (in seconds) one last succeeded."""
    report = PollReport(source=source, began_at=T0, seconds=0.25, ok=ok, **more)  # type: ignore[arg-type]
    return report, None if success is None else at(success)


def page(
    kept: Kept,
    *,
    now: float = 0.0,
    tenants: Iterable[str] = (ACME,),
    errors: Mapping[tuple[Signal, str], int] | None = None,
    every: float = POLL,
    seldom: Mapping[str, float] | None = None,
) -> dict[Sample, float]:
    """Every sample, read by both strict parsers, which must agree."""
    shown = [
        Shown(
            name=name,
            poll_seconds=every,
            version="19.0",
            environment="test",
            decisions=frozenset({"to approve"}),
            seldom=seldom or {},
        )
        for name in tenants
    ]
    snapshot = Snapshot(
        reader=kept,  # type: ignore[arg-type]
        tenants=lambda: shown,
        errors=lambda: errors or {},
        now=StepClock(at(now)).now,
        version="0.1.0",
    )
    text, openmetrics = (snapshot.render(as_openmetrics).decode() for as_openmetrics in (False, True))
    plain, strict = samples(text), openmetrics_samples(openmetrics)
    infos = {(name.removesuffix("_info"), labels): n for (name, labels), n in plain.items()}
    assert {(name.removesuffix("_info"), labels): n for (name, labels), n in strict.items()}.items() >= infos.items()
    return plain


def value(found: Mapping[Sample, float], name: str, **labels: str) -> float | None:
    """The one sample with these labels; None if there is none."""
    mine = [n for (named, given), n in found.items() if named == name and labels.items() <= dict(given).items()]
    assert len(mine) <= 1, mine
    return mine[0] if mine else None


def every_total() -> list[TotalRow]:
    """A series of every counter and histogram of a tenant, and of what is known of scheduled actions."""
    counted = [one for one in INSTRUMENTS.values() if one.scope == "tenant" and one.kind in {"counter", "histogram"}]
    told = [one for one in INSTRUMENTS.values() if one.name.startswith("odoo_cron_") and one not in counted]
    made = [
        Measurement(name=one.name, labels=tuple((label, "x") for label in one.labels), value=1, at=T0)
        for one in (*counted, *told)
        if not one.name.startswith(("odoo_source", "odoo_otel_store"))
    ]
    return [TotalRow(name=s.name, labels=s.labels, state=s.state) for s in Totals().add(made)]


def test_every_metric_can_be_read_in_both_formats() -> None:
    """Feature 75: everything there is, of two tenants, passes the strict parsers; no series stands twice."""
    opened: Sequence[OpenRun] = [
        ("job", "root", "pending", 3, at(-60)),
        ("job", "root", "started", 1, at(-30)),
        ("record", "purchase", "to approve", 2, at(-90)),
        ("record", "purchase", "draft", 1, at(-10)),
        ("cron", "base.autovacuum", "running", 1, at(-5)),
    ]
    kept = Kept(
        reported={ACME: [reported(refused=2)], "beta": [reported(ok=False, success=None, error="gone")]},
        opened=[*opened],
        waiting=[("traces", 5, at(-9)), ("logs", 0, None)],
        left={("traces", "accepted"): 7, ("logs", "rejected"): 1},
        unfolded=(4, at(-2)),
    )
    found = page(kept, tenants=(ACME, "beta"), errors={("traces", "status_503"): 3})
    assert value(found, "odoo_otel_outbox_items", signal="traces") == 5
    assert value(found, "odoo_otel_outbox_oldest_timestamp_seconds", signal="traces") == at(-9).timestamp()
    assert value(found, "odoo_otel_outbox_oldest_timestamp_seconds", signal="logs") is None
    assert value(found, "odoo_otel_exported_total", signal="traces", outcome="accepted") == 7
    assert value(found, "odoo_otel_export_errors_total", error_type="status_503") == 3
    assert value(found, "odoo_otel_fold_lag", odoo_database=ACME) == 4
    assert value(found, "odoo_otel_store_dropped_total", odoo_database=ACME, what="runs") == 8
    assert value(found, "odoo_info", odoo_database=ACME, version="19.0") == 1
    assert value(found, "odoo_otel_build_info", version="0.1.0") == 1
    assert value(found, "odoo_source_refused_rows_total", odoo_database=ACME) == 2
    assert {dict(labels).get("odoo_database") for _, labels in found} == {ACME, "beta", None}


def test_actions_that_run_are_gauges() -> None:
    """How many runs of an action go on, and since when the longest: what design 6 calls an open-run gauge."""
    found = page(Kept(opened=[("cron", "base.autovacuum", "running", 1, at(-5))]))
    assert value(found, "odoo_cron_running", cron="base.autovacuum") == 1
    assert (
        value(found, "odoo_cron_longest_running_start_timestamp_seconds", cron="base.autovacuum") == at(-5).timestamp()
    )
    assert value(page(Kept()), "odoo_cron_running") is None


def test_an_open_finding_says_its_numbers() -> None:
    """Score, what was observed and the end of the band of a learned one; of a declared one its sentence alone (112)."""
    about = {"odoo.finding.severity": "warning", "odoo.finding.sentence": "It is.", "odoo.finding.since": "2026-11-22"}
    learned = {"odoo.finding.detector": "outlier.duration", "odoo.finding.p": 0.002}
    band = {"odoo.finding.observed": 12.5, "odoo.finding.low": 2.0, "odoo.finding.high": 4.0}
    found = page(
        Kept(findings=[finding(about | learned | band), finding(about | {"odoo.finding.detector": "result.failing"})])
    )
    assert value(found, "odoo_finding_info", detector="outlier.duration") == 1
    assert value(found, "odoo_finding_info", detector="result.failing") == 1
    assert value(found, "odoo_anomaly_score", detector="outlier.duration", subject="lab.action") == 0.998
    assert value(found, "odoo_anomaly_observed_seconds") == 12.5
    assert value(found, "odoo_anomaly_threshold_seconds") == 4.0


def finding(attributes: Mapping[str, str | float]) -> RunRow:
    """A stored Finding that is open."""
    run = Run(
        kind="finding",
        workflow="lab.action",
        subject="finding/x/lab.action",
        model="ir.cron",
        record_id="42",
        key="x",
        trace_key="x",
        title="LAB action",
        started_at=T0,
        attributes=tuple(attributes.items()),
    )
    return run_row(run, bytes(16))


def test_what_the_fold_counted_is_shown_as_it_is_stored() -> None:
    """Totals of every instrument, histograms and infos too, stand beside what is computed at the scrape."""
    found = page(Kept(totalled=every_total(), reported={ACME: [reported()]}))
    assert value(found, "odoo_job_runs_total", channel="x", result="x") == 1
    assert value(found, "odoo_job_duration_seconds_count", channel="x", result="x") == 1
    assert value(found, "odoo_up", odoo_database=ACME) == 1


def test_a_tenant_that_was_never_polled_is_down() -> None:
    """odoo_up is there and 0 from the first scrape on."""
    found = page(Kept())
    assert value(found, "odoo_up", odoo_database=ACME) == 0
    assert value(found, "odoo_source_stale") is None
    assert value(found, "odoo_info", version="19.0") == 1


@pytest.mark.parametrize(("oks", "up"), [((True, True), 1), ((True, False), 0), ((False, False), 0)])
def test_up_means_that_every_source_was_read(oks: tuple[bool, ...], up: int) -> None:
    """One Source that failed makes the database down."""
    found = page(Kept(reported={ACME: [reported(f"odoo/{n}", ok=ok) for n, ok in enumerate(oks)]}))
    assert value(found, "odoo_up") == up


@pytest.mark.parametrize(
    ("since", "stale"), [(0.0, 0), (POLL, 0), (3 * POLL, 0), (3 * POLL + 0.001, 1), (86_400.0, 1), (-86_400.0, 0)]
)
def test_a_source_is_stale_after_three_missed_polls(since: float, stale: int) -> None:
    """Three polls may be missed; a clock of ours that went back makes nothing stale (R14)."""
    found = page(Kept(reported={ACME: [reported()]}), now=since)
    assert value(found, "odoo_source_stale") == stale


def test_quick_polls_are_given_a_minute() -> None:
    """Polling each second does not call a source stale after three."""
    kept = Kept(reported={ACME: [reported()]})
    assert value(page(kept, now=60, every=1), "odoo_source_stale") == 0
    assert value(page(kept, now=60.5, every=1), "odoo_source_stale") == 1


def test_a_source_that_is_asked_seldom_is_stale_later() -> None:
    """Three of its own polls may be missed, not three of the others'."""
    kept = Kept(reported={ACME: [reported("odoo/automations", success=0.0)]})
    seldom = {"odoo/automations": 300.0}
    assert value(page(kept, now=900, seldom=seldom), "odoo_source_stale") == 0
    assert value(page(kept, now=901, seldom=seldom), "odoo_source_stale") == 1


def test_a_source_that_never_succeeded_is_stale() -> None:
    """Stale from its first failure; there is no time of a success to show."""
    found = page(Kept(reported={ACME: [reported(ok=False, success=None)]}))
    assert value(found, "odoo_source_stale") == 1
    assert value(found, "odoo_source_success") == 0
    assert value(found, "odoo_source_last_success_timestamp_seconds") is None


def test_dark_never_reads_as_resolved() -> None:
    """A Source that went dark: its last values stay where they were, with odoo_source_stale 1 beside them."""
    bright = Kept(reported={ACME: [reported()]}, opened=[("job", "root", "pending", 3, T0)], totalled=every_total())
    dark = Kept(reported={ACME: [reported(ok=False)]}, opened=bright.opened, totalled=bright.totalled)
    before, after = page(bright, now=1), page(dark, now=7200)
    changed = {name for (name, labels), n in before.items() if after[name, labels] != n}
    assert changed == {"odoo_up", "odoo_source_success", "odoo_source_stale"}
    assert before.keys() == after.keys()
    assert value(after, "odoo_source_stale") == 1
    assert value(after, "odoo_jobs", state="pending") == 3


def test_open_runs_are_gauges() -> None:
    """How many of each channel and state, since when the oldest waits and the longest runs; documents too (42)."""
    opened: list[OpenRun] = [
        ("job", "root", "pending", 3, at(-60)),
        ("job", "root", "wait_dependencies", 1, at(-80)),
        ("job", "root", "started", 2, at(-30)),
        ("job", "mail", "started", 1, at(-20)),
        ("record", "purchase", "to approve", 2, at(-90)),
        ("record", "purchase", "draft", 4, at(-500)),
    ]
    found = page(Kept(opened=opened))
    assert value(found, "odoo_jobs", channel="root", state="pending") == 3
    assert value(found, "odoo_job_oldest_pending_timestamp_seconds", channel="root") == at(-80).timestamp()
    assert value(found, "odoo_job_oldest_pending_timestamp_seconds", channel="mail") is None
    assert value(found, "odoo_job_longest_running_start_timestamp_seconds", channel="mail") == at(-20).timestamp()
    assert value(found, "odoo_approvals", workflow="purchase", state="to approve") == 2
    assert value(found, "odoo_approvals", workflow="purchase", state="draft") is None
    assert value(found, "odoo_approval_oldest_pending_timestamp_seconds") == at(-90).timestamp()
    assert value(found, "odoo_workflow_active", state="draft") == 4


def test_open_runs_of_many_channels_are_bounded() -> None:
    """R18: the page shows at most the cap of channels and says how many measurements it left out."""
    opened: list[OpenRun] = [("job", f"root.{n:03}", "pending", 2, at(-n)) for n in range(CAP + 300)]
    found = page(Kept(opened=opened))
    assert len([key for key in found if key[0] == "odoo_jobs"]) == CAP
    assert value(found, "odoo_otel_series_overflow_total", metric="odoo_jobs") == 300
