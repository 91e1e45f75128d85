"""The folding loop: what is set aside, when it stops, what a restart changes (nothing), and when Timers fire."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from exporter.clock import StepClock
from exporter.domain.events import Event
from exporter.errors import Fenced, StoreFull
from exporter.fold import jobs
from exporter.fold.advance import KINDS
from exporter.fold.subjects import Flow
from exporter.loops.folding import Folding, FoldingOptions, TooManyRefused
from exporter.store.entries import PollReport, Stored, Unreadable
from exporter.store.protocols import FOLD
from exporter.telemetry.exposition import text
from tests.fakes.exporter import Sample, samples
from tests.fakes.ledger import MemoryLedger
from tests.worlds import FLOW, JOBS, T0, at, job, posted, read

NAME = FLOW.tenant.name
LABELS, LABEL_CAP, LABELS_MIB = 100_000, 200, 4  # what 100,000 labels may cost; kept, they are 7 MiB


def fold_of(ledger: MemoryLedger, *, flow: Flow = FLOW, **options: object) -> Folding:
    """The loop of one tenant, freshly started."""
    given = {"host_id": "test"} | options
    return Folding(ledger=ledger, flow=flow, clock=StepClock(T0), options=FoldingOptions(**given))  # type: ignore[arg-type]


def polled(ledger: MemoryLedger, events: Sequence[Event], until: float, *, tenant: str = NAME) -> None:
    """What a poll of the jobs appends: what it saw, its mark, its report."""
    report = PollReport(source=JOBS, began_at=at(until), seconds=0.1, ok=True, read_until=at(until))
    ledger.append(tenant, [*events, read(JOBS, until)], None, report)


def run_down(folding: Folding) -> None:
    """Until nothing is left."""
    while folding.step():
        pass


def spans(ledger: MemoryLedger) -> list[Span]:
    """What was told, in order."""
    return [Span.FromString(row.body) for row in ledger.outbox if row.signal == "traces"]


def logs(ledger: MemoryLedger) -> list[LogRecord]:
    """What was told, in order."""
    return [LogRecord.FromString(row.body) for row in ledger.outbox if row.signal == "logs"]


def shown(ledger: MemoryLedger, tenant: str = NAME) -> dict[Sample, float]:
    """The totals as a scrape shows them."""
    return samples(text([((("odoo_database", tenant),), ledger.totals(tenant))]).decode())


def total(ledger: MemoryLedger, name: str, tenant: str = NAME) -> float:
    """The sum of one counter."""
    return sum(n for (named, _), n in shown(ledger, tenant).items() if named == name)


def done(number: int, when: float = 0.0, **changes: object) -> Event:
    """A job that ended well."""
    event = job(when + 1, "done", number=number, created=when, started=when, done=when + 1)
    return replace(event, body=replace(event.body, **changes)) if changes else event  # type: ignore[type-var]


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold that cannot stand jobs with an odd id."""
    _poison(monkeypatch)


def _poison(monkeypatch: pytest.MonkeyPatch) -> None:
    real = jobs.KIND.cut

    def cut(facts: Sequence[Event], *others: object) -> object:
        if any(getattr(event.body, "job_id", 0) % 2 for event in facts):
            raise ValueError("odd: somebody@example.com")
        return real(facts, *others)  # type: ignore[arg-type]

    monkeypatch.setitem(KINDS, "job", replace(jobs.KIND, cut=cut))  # type: ignore[arg-type]


@pytest.mark.usefixtures("poisoned")
def test_an_event_that_breaks_the_fold_is_set_aside() -> None:
    """Quarantine: the one Event is set aside and counted, its neighbours in the batch are told, the offset moves on."""
    ledger = MemoryLedger()
    polled(ledger, [done(2), done(3), done(4)], 10)
    run_down(fold_of(ledger))
    assert {span.name for span in spans(ledger) if not span.parent_span_id} == {"process root.lab"}
    assert total(ledger, "odoo_job_runs_total") == 2
    assert total(ledger, "odoo_otel_quarantined_total") == 1
    (aside,) = ledger.quarantine
    assert aside.key == done(3).key
    assert aside.reason.startswith("ValueError")
    assert "Send" not in aside.head  # no more of a fact than its kind: it may be personal
    assert ledger.offset(NAME, FOLD) == 4


@pytest.mark.usefixtures("poisoned")
def test_too_many_refusals_stop_the_tenant_and_nothing_is_lost() -> None:
    """The limit: over a fifth of the Events, and 100 of them, are refused: nothing is written, nothing is lost."""
    ledger = MemoryLedger()
    polled(ledger, [done(number) for number in range(1, 401)], 10)
    folding = fold_of(ledger)
    with pytest.raises(TooManyRefused, match="refused 200 of 401"):
        folding.step()
    assert ledger.offset(NAME, FOLD) == 0
    assert not ledger.commits
    assert not ledger.quarantine


def test_a_few_refusals_never_stop_it() -> None:
    """Below 100 refused Events the facts are wrong, not the program: also when they are all of a batch."""
    ledger = MemoryLedger()
    ledger.events[NAME] = [Unreadable(seq=n, name="odoo.job.changed", reason="no such field") for n in range(1, 100)]
    run_down(fold_of(ledger))
    assert len(ledger.quarantine) == 99
    assert total(ledger, "odoo_otel_quarantined_total") == 99
    assert ledger.offset(NAME, FOLD) == 99


def test_what_cannot_be_decoded_is_set_aside_too() -> None:
    """A stored body of a newer program: quarantined with its place, never skipped in silence; the rest goes on."""
    ledger = MemoryLedger()
    polled(ledger, [done(2)], 10)
    ledger.events[NAME].insert(0, Unreadable(seq=0, name="odoo.job.changed", reason="unknown field"))
    ledger.events[NAME] = [
        Stored(seq=n, event=one.event)
        if isinstance(one, Stored)
        else Unreadable(seq=n, name=one.name, reason=one.reason)
        for n, one in enumerate(ledger.events[NAME], 1)
    ]
    run_down(fold_of(ledger))
    assert [(one.origin, one.key, one.head) for one in ledger.quarantine] == [("events", "1", "odoo.job.changed")]
    assert total(ledger, "odoo_job_runs_total") == 1


@pytest.mark.parametrize("refusal", [Fenced("somebody else moved it"), StoreFull("no room")])
def test_after_a_commit_that_was_not_written_everything_is_read_again(refusal: Fenced | StoreFull) -> None:
    """A refused Commit: what was in memory is dropped and read again, and told exactly once (R3)."""
    ledger = MemoryLedger()
    folding = fold_of(ledger)
    polled(ledger, [job(0, "started", number=2, created=0, started=0)], 1)
    run_down(folding)
    polled(ledger, [done(2), done(4)], 10)
    ledger.refusals = [refusal]
    with pytest.raises(type(refusal)):
        folding.step()
    before = ledger.reads.copy()
    run_down(folding)
    assert all(ledger.reads[what] > before[what] for what in ("offset", "subjects", "totals"))
    assert total(ledger, "odoo_job_runs_total") == 2
    ids = [span.span_id for span in spans(ledger)]
    assert len(ids) == len(set(ids)) == 6


def test_a_tenant_that_was_moved_by_somebody_else_goes_on_from_there() -> None:
    """Fenced by a real second fold: what the other one did is not told again."""
    ledger = MemoryLedger()
    mine, other = fold_of(ledger), fold_of(ledger)
    polled(ledger, [done(2)], 10)
    run_down(mine)
    polled(ledger, [done(4)], 20)
    run_down(other)
    polled(ledger, [done(6)], 30)
    with pytest.raises(Fenced):
        mine.step()
    run_down(mine)
    assert total(ledger, "odoo_job_runs_total") == 3
    assert len({span.span_id for span in spans(ledger)}) == len(spans(ledger)) == 9


def _story() -> Iterator[tuple[list[Event], float]]:
    """Polls of twelve jobs in all their states, a failure with a late message among them."""
    yield [job(0, "pending", number=n, created=0) for n in range(1, 13)], 1
    yield [job(5, "started", number=n, created=0, enqueued=2, started=3) for n in range(1, 13)], 6
    yield [], 70
    yield [done(n, 71) for n in range(1, 7)], 80
    yield [job(90, "failed", 1, number=n, created=0, started=3) for n in range(7, 13)], 91
    yield [posted(88, n) for n in range(7, 12)], 95
    yield [], 130
    yield [posted(89, 12)], 140
    yield [], 200


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_a_restart_after_every_commit_changes_nothing(batch: int) -> None:
    """R1, R3: a fold built anew from the stored Subjects before each Commit tells what one that lives on tells."""
    living, restarted = MemoryLedger(), MemoryLedger()
    folding = fold_of(living, batch=batch)
    for events, until in _story():
        polled(living, events, until)
        run_down(folding)
        polled(restarted, events, until)
        while fold_of(restarted, batch=batch).step():
            pass
    assert restarted.outbox == living.outbox
    assert restarted.total_rows == living.total_rows
    assert restarted.saved == living.saved
    assert restarted.timers == living.timers
    assert restarted.runs == living.runs
    assert restarted.commits == living.commits
    assert len(living.runs) == 12
    assert not living.quarantine


@pytest.mark.parametrize("timers", [1, 2, 3, 12, 13])
def test_a_mark_is_passed_when_all_that_is_due_has_fired(timers: int) -> None:
    """However few Timers fire at once, one mark behind a backlog closes all of it; one Commit alone does not."""
    whole, few = MemoryLedger(), MemoryLedger()
    for ledger, options in ((whole, {}), (few, {"timers": timers})):
        for events, until in _story():
            ledger.append(NAME, events)
            run_down(fold_of(ledger, **options))
            if until in (80, 200):  # else it is a backlog: nobody knows how far it was read
                polled(ledger, [], until)
        assert fold_of(ledger, **options).step()
        assert (_closed(ledger) < 12) == (timers < 12 and ledger is few)
        run_down(fold_of(ledger, **options))
    assert sorted(few.outbox, key=lambda row: row.body) == sorted(whole.outbox, key=lambda row: row.body)
    assert few.total_rows == whole.total_rows
    assert few.saved == whole.saved
    assert few.timers == whole.timers
    assert few.runs == whole.runs
    assert _closed(few) == 12
    assert few.offset(NAME, FOLD) == whole.offset(NAME, FOLD)


def _closed(ledger: MemoryLedger) -> int:
    return sum(run.ended_at is not None for run in ledger.runs.values())


def test_a_mark_is_passed_though_what_is_due_cannot_be_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers that raise whenever they fire do not hold the fold at their mark for ever, and stop none that do not."""
    ledger = MemoryLedger()
    ledger.append(NAME, [done(n) for n in range(2, 8)])
    run_down(fold_of(ledger))
    _poison(monkeypatch)  # three of six, by a newer program
    polled(ledger, [], 100)
    run_down(fold_of(ledger, timers=4))
    assert ledger.offset(NAME, FOLD) == 7
    assert sorted(subject for _, subject in ledger.runs) == ["job/2#1", "job/4#1", "job/6#1"]
    assert {(one.origin, one.key) for one in ledger.quarantine} == {("timers", f"job/{n}") for n in (3, 5, 7)}


@pytest.mark.parametrize("heard", [True, False])
def test_what_waits_for_a_source_that_is_read_no_more_waits_for_the_others(*, heard: bool) -> None:
    """After a reload that leaves the jobs out their Timers go by the other marks; while they are read, by no other."""
    ledger = MemoryLedger()
    ledger.append(NAME, [done(2)])
    run_down(fold_of(ledger))
    witnesses = frozenset({"odoo/crons", JOBS} if heard else {"odoo/crons"})
    folding = fold_of(ledger, flow=replace(FLOW, witnesses=witnesses))
    ledger.append(NAME, [read("odoo/crons", 3600)], None, _report("odoo/crons", at(3600)))
    run_down(folding)
    assert _closed(ledger) == (0 if heard else 1)


def test_timers_fire_behind_the_mark_of_their_source_only() -> None:
    """R14: nothing closes before its witness was read; control: by wall time the failure would close an hour early."""
    ledger = MemoryLedger()
    folding = fold_of(ledger)
    polled(ledger, [job(3, "failed", 1, number=8, created=0, started=1)], 4)
    run_down(folding)
    (timer,) = [timer for timer in ledger.timers.values() if timer.name == "settle"]
    hour = T0 + timedelta(hours=1)
    folding.clock = StepClock(hour)
    assert timer.due < hour, "by wall time it would be due: the test is blind"
    ledger.append(NAME, [read("odoo/crons", 3600)], None, _report("odoo/crons", hour))
    run_down(folding)
    assert spans(ledger) == []
    polled(ledger, [posted(3, 8)], 3600)  # the outage is over: its message was there all the time
    run_down(folding)
    (root,) = [span for span in spans(ledger) if not span.parent_span_id]
    assert root.end_time_unix_nano == int(at(3).timestamp()) * 10**9


def _report(source: str, until: datetime) -> PollReport:
    return PollReport(source=source, began_at=until, seconds=0.1, ok=True, read_until=until)


def test_a_late_fact_becomes_a_correction() -> None:
    """A message that comes after its failure was told: a log linked to the span and a counter; the span stays."""
    ledger = MemoryLedger()
    folding = fold_of(ledger)
    polled(ledger, [job(3, "failed", 1, number=8, created=0, started=1)], 4)
    polled(ledger, [], 60)
    run_down(folding)
    before = spans(ledger)
    assert total(ledger, "odoo_job_runs_total") == 1
    polled(ledger, [posted(20, 8, seen=70)], 80)
    polled(ledger, [], 200)
    run_down(folding)
    assert spans(ledger) == before
    (correction,) = [log for log in logs(ledger) if log.event_name == "odoo.run.corrected"]
    root = next(span for span in before if not span.parent_span_id)
    assert (correction.trace_id, correction.span_id) == (root.trace_id, root.span_id)
    assert total(ledger, "odoo_otel_corrections_total") == 1
    assert total(ledger, "odoo_job_runs_total") == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_history_is_observed_and_never_counted(*, wanted: bool) -> None:
    """Decision 6: Runs that ended before the first start are spans only if wanted, and never totals or logs."""
    ledger = MemoryLedger()
    flow = Flow(tenant=replace(FLOW.tenant, first_start=at(100)), workflows=FLOW.workflows)
    polled(ledger, [done(2), job(3, "failed", 1, number=4, created=0, started=1), posted(3, 4), done(6, 150)], 300)
    run_down(fold_of(ledger, flow=flow, history_spans=wanted))
    roots = [span for span in spans(ledger) if not span.parent_span_id]
    assert len(roots) == (3 if wanted else 1)
    assert total(ledger, "odoo_job_runs_total") == 1
    assert logs(ledger) == []
    assert len({one.run for one in ledger.observations}) == 3
    assert len(ledger.runs) == 3


def test_counters_that_the_past_names_begin_at_zero() -> None:
    """Prometheus' `increase` misses what a series begins with: the first live failure of a known job is seen (37)."""
    ledger = MemoryLedger()
    flow = Flow(tenant=replace(FLOW.tenant, first_start=at(100)), workflows=FLOW.workflows)
    polled(ledger, [done(2), job(3, "failed", 1, number=4, created=0, started=1), posted(3, 4)], 300)
    run_down(fold_of(ledger, flow=flow))
    begun = {
        name: n for (name, _), n in shown(ledger).items() if name.startswith("odoo_job") and name.endswith("total")
    }
    assert begun == {"odoo_job_runs_total": 0, "odoo_job_errors_total": 0}
    polled(ledger, [done(6, 350)], 400)
    run_down(fold_of(ledger, flow=flow))
    assert total(ledger, "odoo_job_runs_total") == 1


def test_labels_are_bounded() -> None:
    """R18: channels beyond the cap are counted under #other#, the overflow is counted, nothing is lost from the sum."""
    ledger = MemoryLedger()
    events = [done(number, channel=f"root.{number:05}") for number in range(2, 3002)]
    polled(ledger, events, 10)
    run_down(fold_of(ledger, label_cap=20))
    runs = {key: n for key, n in shown(ledger).items() if key[0] == "odoo_job_runs_total"}
    channels = {dict(labels)["channel"] for _, labels in runs}
    assert len(channels) == 21
    assert "#other#" in channels
    assert sum(runs.values()) == 3000
    overflow = {dict(k[1])["metric"]: n for k, n in shown(ledger).items() if k[0] == "odoo_otel_series_overflow_total"}
    assert overflow["odoo_job_runs_total"] == 2980


def _cost_of_labels(*words: str) -> dict[str, float]:
    """What unit/loops/many_labels.py says, in a process of its own: nothing that ran before changes it."""
    program = [sys.executable, "-m", "tests.unit.loops.many_labels", *words]
    said = subprocess.run(program, cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(said.stdout)
    return found


@pytest.mark.parametrize("work", ["totals", "fold"])
def test_a_hundred_thousand_labels_cost_no_memory(work: str) -> None:
    """R18: 100,000 channels, through the whole fold too: cap + 1 values a label, all counted, RSS flat."""
    cost = _cost_of_labels(work)
    assert cost["grown"] <= LABELS_MIB
    assert cost["values"] == LABEL_CAP + 1
    assert cost["series"] == 3 * (LABEL_CAP + 1)  # the three results a job may have stand there from the start
    assert cost["runs"] > 0.99 * LABELS
    assert cost["overflow"] == cost["runs"] - LABEL_CAP


def test_labels_that_somebody_keeps_are_seen() -> None:
    """The measure of the test above can fail: 100,000 channels that are kept cost more than it allows (R18)."""
    assert _cost_of_labels("totals", "leak")["grown"] > 1.5 * LABELS_MIB


def test_a_commit_ends_with_the_last_mark_it_read() -> None:
    """Facts behind the last mark are read once and folded with their own mark; without any mark nothing waits."""
    ledger = MemoryLedger()
    for poll in range(3):
        polled(ledger, [job(poll, "pending", number=10 * poll + n) for n in range(4)], poll + 0.5)
    folding = fold_of(ledger, batch=4)
    offsets = []
    while folding.step():
        offsets.append(ledger.offset(NAME, FOLD))
    assert offsets == [5, 10, 15]
    ledger.append(NAME, [job(9, "pending", number=99)])
    assert folding.step()
    assert ledger.offset(NAME, FOLD) == 16
