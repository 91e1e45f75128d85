"""What every store must do: checks that take a Place, so that a store on something else runs the same ones."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from msgspec import structs

from exporter.clock import StepClock
from exporter.domain.bodies import CronProgress
from exporter.domain.counted import Counted
from exporter.domain.events import Event
from exporter.domain.runs import Open, Timer
from exporter.domain.tenants import Tenant
from exporter.errors import Fenced, StoreError
from exporter.loops.tenants import remember
from exporter.store.entries import (
    Appended,
    Commit,
    ObservationRow,
    OutboxRow,
    OwedRead,
    PollReport,
    Quarantined,
    RunRow,
    Stored,
    SubjectRow,
    TotalRow,
)
from exporter.store.protocols import Inbox, Ledger, Outbox, Reader

T0 = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
A, B = "acme", "beta"
FOLD = "fold"


class Store(Inbox, Ledger, Outbox, Protocol):
    """The three writing faces, which one object has."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one store lives: opened for writing as often as wanted (one at a time), and read."""

    open: Callable[[], Store]
    read: Callable[[], Reader]


Check = Callable[[Place], None]


def later(seconds: float) -> datetime:
    """Some seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def progress(number: int, source: str = "odoo/crons") -> Event:
    """The end of the n-th loop of a scheduled action."""
    at = later(number)
    body = CronProgress(
        progress_id=number, cron_id=7, done=1, remaining=0, timed_out_counter=0, create_date=at, write_date=at
    )
    return Event(source=source, key=f"0/{number}/1", name="odoo.progress.ended", at=at, seen=at, body=body)


def run(number: int, **changes: Any) -> RunRow:
    """The n-th Run of a scheduled action."""
    row = RunRow(
        id=f"cron/7#{number}",
        kind="cron",
        workflow="base.autovacuum",
        subject="cron/7",
        trace_id=number.to_bytes(16, "big"),
        started_at=later(number),
        ended_at=later(number + 1),
        result="success",
        origin="live",
        body=b"whole",
    )
    return structs.replace(row, **changes)


def full(tenant: str, expected: int, offset: int, **changes: Any) -> Commit:
    """A Commit with a row in every table."""
    commit = Commit(
        tenant=tenant,
        consumer=FOLD,
        expected_offset=expected,
        offset=offset,
        subjects=(
            SubjectRow(key="job/1", kind="job", state=b"j"),
            SubjectRow(
                key="cron/7",
                kind="cron",
                state=b"c",
                open=Open(workflow="base.autovacuum", state="running", since=T0),
            ),
        ),
        runs=(run(1),),
        links={"sale.order:S00005": "record/sale.order/5"},
        parked=(("cron:Nightly", 1),),
        timers=(Timer(subject="cron/7", name="late", due=later(60), source="odoo/crons"),),
        totals=(TotalRow(name="odoo_cron_runs_total", labels=(("odoo_database", tenant),), state=b"1"),),
        observations=(ObservationRow(series="cron.duration/7", run="cron/7#1", at=T0, value=1.5),),
        outbox=(
            OutboxRow(signal="traces", context=tenant.encode(), body=b"span", at=T0),
            OutboxRow(signal="logs", context=tenant.encode(), body=b"log", at=T0),
        ),
        owed=(OwedRead(source="odoo/jobs", key="5"),),
        quarantine=(Quarantined(origin="fold", key="0/1/1", reason="why", head="***"),),
    )
    return replace(commit, **changes)


def keys(store: Ledger, tenant: str, after: int = 0) -> list[str]:
    """The keys of the tenant's Events behind an offset."""
    return [found.event.key for found in store.read(tenant, after, 10_000) if isinstance(found, Stored)]


def appending_twice_is_appending_once(place: Place) -> None:
    """A repeat of (tenant, source, key) is a no-op, in one call and across calls; other tenants do not matter."""
    store = place.open()
    assert store.append(A, [progress(1), progress(1), progress(2)]) == Appended(appended=2, repeated=1)
    assert store.append(B, [progress(2)]) == Appended(appended=1, repeated=0)
    assert store.append(A, [progress(2), progress(3)]) == Appended(appended=1, repeated=1)
    assert store.append(A, [progress(2, source="odoo/other")]) == Appended(appended=1, repeated=0)
    assert keys(store, A) == ["0/1/1", "0/2/1", "0/3/1", "0/2/1"]
    assert keys(store, B) == ["0/2/1"]
    store.close()


def events_come_back_as_they_were_in_order(place: Place) -> None:
    """read() gives whole Events behind the offset, in order, of one tenant, as many as asked for."""
    store = place.open()
    for number in range(5):
        store.append(A, [progress(number)])
        store.append(B, [progress(number + 100)])
    found = [row for row in store.read(A, 0, 3) if isinstance(row, Stored)]
    rest = [row for row in store.read(A, found[-1].seq, 100) if isinstance(row, Stored)]
    assert [row.event for row in found + rest] == [progress(number) for number in range(5)]
    assert [row.seq for row in found + rest] == sorted({row.seq for row in found + rest})
    store.close()


def a_poll_is_one_transaction(place: Place) -> None:
    """Events, marks and report of a poll are durable together, also across a restart; None deletes a mark (R1)."""
    store = place.open()
    report = PollReport(source="odoo/crons", began_at=T0, seconds=0.25, ok=True, events=1)
    store.append(A, [progress(1)], {("odoo/crons", "low"): "5", ("odoo/crons", "high"): "9"}, report)
    store.append(B, [], {("odoo/crons", "low"): "1"})
    store.append(A, [], {("odoo/crons", "low"): None, ("odoo/jobs", "low"): "3"})
    store.close()
    store = place.open()
    assert store.marks(A, "odoo/crons") == {"high": "9"}
    assert store.marks(A, "odoo/jobs") == {"low": "3"}
    assert store.marks(B, "odoo/crons") == {"low": "1"}
    assert place.read().reports(A) == [(report, T0)]
    store.close()


def a_poll_with_one_wrong_mark_is_not_stored(place: Place) -> None:
    """If a mark cannot be stored, its Events are not either."""
    store = place.open()
    wrong: Any = {("odoo/crons", "low"): b"not text"}
    with pytest.raises(StoreError, match="nothing"):
        store.append(A, [progress(1)], wrong)
    assert keys(store, A) == []
    assert place.read().counts()["events"] == 0
    store.close()


def reports_keep_the_last_success(place: Place) -> None:
    """A failed poll is reported beside the last success; the mark stays, refused rows add up (feature 78)."""
    store = place.open()
    good = PollReport(
        source="odoo/crons",
        began_at=T0,
        seconds=1.0,
        ok=True,
        events=3,
        read_until=later(-2),
        refused=2,
        missing=("no queue_job",),
    )
    bad = PollReport(source="odoo/crons", began_at=later(15), seconds=10.0, ok=False, error="no answer", refused=1)
    new = PollReport(source="odoo/jobs", began_at=later(15), seconds=10.0, ok=False, error="no answer")
    for report in (good, bad, new):
        store.append(A, [], None, report)
    kept = replace(bad, read_until=good.read_until, refused=3)
    assert place.read().reports(A) == [(kept, T0), (new, None)]
    assert place.read().reports(B) == []
    store.close()


def _everything(place: Place, store: Store, tenant: str) -> tuple[Any, ...]:
    """What a Commit changes, as far as the faces show it."""
    reader = place.read()
    return (
        store.offset(tenant, FOLD),
        store.subjects(tenant, ["cron/7", "job/1"]),
        store.run(tenant, "cron/7#1"),
        store.links(tenant, ["sale.order:S00005"]),
        store.totals(tenant),
        store.pending("traces", 10),
        store.pending("logs", 10),
        reader.counts(),
        reader.open_runs(tenant),
        list(reader.observations(tenant, "cron.duration/7")),
        reader.runs(tenant),
    )


def a_commit_is_written_whole(place: Place) -> None:
    """Everything a Commit lists comes back as it was given, for its tenant alone, also after a restart."""
    store = place.open()
    commit = full(A, 0, 4)
    store.commit(commit)
    before = _everything(place, store, A)
    store.close()
    store = place.open()
    assert before == _everything(place, store, A)
    assert before[:5] == (
        4,
        {row.key: row for row in commit.subjects},
        commit.runs[0],
        commit.links,
        list(commit.totals),
    )
    assert (store.offset(B, FOLD), store.subjects(B, ["cron/7"]), store.run(B, "cron/7#1")) == (0, {}, None)
    assert (store.links(B, ["sale.order:S00005"]), store.totals(B)) == ({}, [])
    store.close()


def one_wrong_row_undoes_a_commit(place: Place) -> None:
    """All or nothing: a Commit with one row that cannot be stored, wherever it stands, changes nothing."""
    store = place.open()
    store.commit(full(A, 0, 1))
    before = _everything(place, store, A)
    text: Any = "text where bytes belong"
    wrong: list[dict[str, Any]] = [
        {"subjects": [SubjectRow(key="cron/7", kind="cron", state=text)]},
        {"runs": [run(2), run(3, body=text)]},
        {"observations": [ObservationRow(series="s", run="r", at=T0, value=float("nan"))]},
        {"totals": [TotalRow(name="n", labels=(), state=text)]},
        {"outbox": [OutboxRow(signal="traces", context=b"x", body=text, at=T0)]},
        {"quarantine": [Quarantined(origin="o", key="k", reason="\ud800", head="h")]},
        {"parked": [("key", 2**70)]},
    ]
    for changes in wrong:
        with pytest.raises(StoreError):
            store.commit(full(A, 1, 2, **changes))
        assert _everything(place, store, A) == before
    store.commit(full(A, 1, 2))
    store.close()


def a_commit_is_fenced(place: Place) -> None:
    """A Commit that expects another offset is refused and writes nothing; each tenant and consumer has its own (R3)."""
    store = place.open()
    store.commit(full(A, 0, 5))
    before = _everything(place, store, A)
    for expected in (0, 4, 6):
        with pytest.raises(Fenced, match="is at 5"):
            store.commit(full(A, expected, 9))
    assert _everything(place, store, A) == before
    store.commit(full(B, 0, 3))
    store.commit(full(A, 0, 2, consumer="other"))
    offsets = [store.offset(A, FOLD), store.offset(A, "other"), store.offset(B, FOLD), store.offset(B, "other")]
    assert offsets == [5, 2, 3, 0]
    store.close()


def state_is_replaced_and_forgotten(place: Place) -> None:
    """A Subject, Run and total of the same key replace the older one; a forgotten Subject is gone; counts stay true."""
    store = place.open()
    store.commit(full(A, 0, 1, runs=[run(1, ended_at=None, result=None)]))
    total = TotalRow(name="odoo_cron_runs_total", labels=(("odoo_database", A),), state=b"2")
    closed = SubjectRow(key="cron/7", kind="cron", state=b"new")
    store.commit(full(A, 1, 2, subjects=[closed], forgotten=["job/1"], runs=[run(1), run(2)], totals=[total]))
    assert store.subjects(A, ["cron/7", "job/1"]) == {"cron/7": closed}
    assert store.run(A, "cron/7#1") == run(1)
    assert store.totals(A) == [total]
    assert place.read().open_runs(A) == []
    assert (place.read().counts()["runs"], place.read().counts()["open_runs"]) == (2, 0)
    store.close()


def timers_wait_for_their_source(place: Place) -> None:
    """A Timer is due by the mark of its own Source, at it or before it, and by no other (decisions 1, 2)."""
    store = place.open()
    timers = [
        Timer(subject="cron/7", name="late", due=later(60), source="odoo/crons"),
        Timer(subject="cron/8", name="late", due=later(30), source="odoo/crons"),
        Timer(subject="cron/9", name="late", due=later(10), source="odoo/dark"),
        Timer(subject="f/1", name="wake", due=later(20), source="clock"),
    ]
    store.commit(full(A, 0, 1, timers=timers))
    assert store.due(A, {}, 10) == []
    assert store.due(A, {"odoo/crons": later(29), "odoo": later(99), "": later(99)}, 10) == []
    marks = {"odoo/crons": later(59), "clock": later(99)}
    assert store.due(A, marks, 10) == [timers[3], timers[1]]
    assert store.due(A, {"odoo/crons": later(59)}, 10) == [timers[1]]
    marks["odoo/crons"] = later(60)
    assert store.due(A, marks, 10) == [timers[3], timers[1], timers[0]]
    assert store.due(A, marks, 1) == [timers[3]]
    assert store.due(B, marks, 10) == []
    moved = replace(timers[3], due=later(999))
    store.commit(full(A, 1, 2, timers=[moved], cleared=[("cron/8", "late"), ("cron/7", "late")]))
    assert store.due(A, marks, 10) == []
    store.close()


def timers_of_subjects_are_known(place: Place) -> None:
    """Every Timer of some Subjects, whether due or not, earliest first, of one tenant."""
    store = place.open()
    timers = [
        Timer(subject="cron/7", name="late", due=later(60), source="odoo/crons"),
        Timer(subject="cron/8", name="late", due=later(30), source="odoo/crons"),
        Timer(subject="cron/9", name="late", due=later(10), source="odoo/dark"),
    ]
    store.commit(full(A, 0, 1, timers=timers))
    assert store.timers_of(A, ["cron/7", "cron/8", "cron/1"]) == [timers[1], timers[0]]
    assert store.timers_of(B, ["cron/7"]) == store.timers_of(A, []) == []
    store.close()


def owed_reads_are_paid_by_polls(place: Place) -> None:
    """What a Commit owes is owed, across a restart, until a poll's transaction pays it; of one tenant (feature 30)."""
    store = place.open()
    for tenant in (A, B):
        store.commit(full(tenant, 0, 4, owed=[OwedRead(source="odoo/jobs", key="5"), OwedRead(source="a/b", key="5")]))
    store.close()
    store = place.open()
    owed = store.owed(A)
    assert owed == [OwedRead(source="a/b", key="5", seq=4), OwedRead(source="odoo/jobs", key="5", seq=4)]
    store.append(A, [progress(1)], {("odoo/jobs", "low"): "9"}, paid=owed[1:])
    assert (store.owed(A), store.owed(B), len(keys(store, A))) == (owed[:1], owed, 1)
    store.append(A, [], paid=owed)
    assert store.owed(A) == []
    store.close()


def what_is_owed_again_during_a_poll_stays_owed(place: Place) -> None:
    """A poll pays what was owed when it began: a change that is announced meanwhile may be one it did not see."""
    store = place.open()
    jobs = OwedRead(source="odoo/jobs", key="5")
    store.commit(full(A, 0, 4, owed=[jobs]))
    before = store.owed(A)
    store.commit(full(A, 4, 9, owed=[jobs]))
    store.append(A, [], paid=before)
    assert store.owed(A) == [replace(jobs, seq=9)]
    store.close()


def a_poll_that_is_not_stored_pays_nothing(place: Place) -> None:
    """Events, marks and payment are one transaction."""
    store = place.open()
    store.commit(full(A, 0, 4))
    wrong: Any = {("odoo/crons", "low"): b"not text"}
    with pytest.raises(StoreError, match="nothing"):
        store.append(A, [progress(1)], wrong, paid=store.owed(A))
    assert len(store.owed(A)) == 1
    store.close()


def runs_are_found_by_their_start(place: Place) -> None:
    """The Runs of one Subject that started between two times, oldest first, of one tenant."""
    store = place.open()
    runs = [run(n, started_at=later(n)) for n in (5, 2, 3, 9)] + [run(4, subject="cron/8", id="cron/8#4")]
    store.commit(full(A, 0, 1, runs=runs))
    assert [row.id for row in store.runs_near(A, "cron/7", (later(2), later(5)))] == [
        "cron/7#2",
        "cron/7#3",
        "cron/7#5",
    ]
    assert store.runs_near(B, "cron/7", (T0, later(99))) == []
    store.close()


def parked_events_come_back_until_they_are_released(place: Place) -> None:
    """Events parked under a link key are given in order for that key and tenant alone, until a Commit releases it."""
    store = place.open()
    for tenant in (A, B):
        store.append(tenant, [progress(number) for number in range(5)])
    seqs = [one.seq for one in store.read(A, 0, 10) if isinstance(one, Stored)]
    store.commit(full(A, 0, seqs[3], parked=[("cron:x", seqs[2]), ("cron:x", seqs[0]), ("cron:y", seqs[1])]))
    assert [one.seq for one in store.parked(A, ["cron:x", "cron:z"])] == [seqs[0], seqs[2]]
    assert store.parked(B, ["cron:x"]) == []
    store.commit(full(A, seqs[3], seqs[4], parked=(), released=["cron:x"]))
    assert store.parked(A, ["cron:x"]) == []
    assert [one.seq for one in store.parked(A, ["cron:y"])] == [seqs[1]]
    store.close()


def a_name_leads_to_the_same_subject_in_any_order(place: Place) -> None:
    """Of two Subjects that bear one name the first by name stays linked, whichever came first."""
    store = place.open()
    store.commit(full(A, 0, 1, links={":S1": "record/sale.order/2"}))
    store.commit(full(A, 1, 2, links={":S1": "record/sale.order/1"}))
    store.commit(full(A, 2, 3, links={":S1": "record/sale.order/3"}))
    assert store.links(A, [":S1", ":S2"]) == {":S1": "record/sale.order/1"}
    store.close()


def _spans(*bodies: str, context: bytes = b"ctx") -> Sequence[OutboxRow]:
    return [OutboxRow(signal="traces", context=context, body=body.encode(), at=T0) for body in bodies]


def the_outbox_keeps_order_across_tenants(place: Place) -> None:
    """Rows leave in the order they were committed, each signal for itself, and ids never come back (R4)."""
    store = place.open()
    store.commit(full(A, 0, 1, outbox=_spans("a1", "a2", context=b"A")))
    store.commit(full(B, 0, 1, outbox=_spans("b1", context=b"B")))
    store.commit(full(A, 1, 2, outbox=_spans("a3", context=b"A")))
    rows = store.pending("traces", 10)
    assert [(row.body, row.context) for row in rows] == [(b"a1", b"A"), (b"a2", b"A"), (b"b1", b"B"), (b"a3", b"A")]
    assert store.pending("traces", 2, after=rows[0].id) == rows[1:3]
    assert store.pending("logs", 10) == []
    store.settle("traces", [row.id for row in rows])
    store.commit(full(A, 2, 3, outbox=_spans("a4")))
    assert [row.body for row in store.pending("traces", 10, after=rows[-1].id)] == [b"a4"]
    store.close()


def settling_counts_what_the_server_said(place: Place) -> None:
    """Delivered rows leave, rejected ones are set aside, partial successes count; a repeat changes nothing (R5, R6)."""
    store = place.open()
    store.commit(full(A, 0, 1, outbox=_spans("1", "2", "3", "4", "5"), quarantine=()))
    one, two, three, four, five = (row.id for row in store.pending("traces", 10))
    for _ in range(2):
        store.settle("traces", [one, two, four], {three: "400 bad span"}, counted=1)
    store.settle("logs", [five])
    assert [row.id for row in store.pending("traces", 10)] == [five]
    assert place.read().sent() == {
        ("traces", "accepted"): 2,
        ("traces", "rejected"): 2,
        ("logs", "accepted"): 0,
        ("logs", "rejected"): 0,
    }
    assert place.read().counts()["quarantined"] == 1
    assert ("traces", 1, T0) in place.read().outbox()
    store.close()


def pruning_drops_the_oldest_and_counts(place: Place) -> None:
    """Without a sink the oldest rows beyond the budget go, counted, of that signal only."""
    store = place.open()
    store.commit(full(A, 0, 1, outbox=[*_spans("1", "2", "3"), OutboxRow(signal="logs", context=b"", body=b"", at=T0)]))
    assert [store.prune("traces", keep) for keep in (5, 3, 1, 1)] == [0, 0, 2, 0]
    assert [row.body for row in store.pending("traces", 10)] == [b"3"]
    assert place.read().sent() == {("traces", "pruned"): 2}
    assert sorted(place.read().outbox()) == [("logs", 1, T0), ("traces", 1, T0)]
    store.close()


def the_reader_counts(place: Place) -> None:
    """counts() adds up both tenants; spans and logs count what was ever told, also after it was sent."""
    store = place.open()
    for tenant in (A, B):
        store.append(tenant, [progress(1), progress(2)])
        store.commit(full(tenant, 0, 2))
    store.settle("traces", [row.id for row in store.pending("traces", 10)])
    assert place.read().tenants() == [A, B]
    assert place.read().counts() == {
        "events": 4,
        "runs": 2,
        "open_runs": 2,
        "spans": 2,
        "logs": 2,
        "observations": 2,
        "quarantined": 2,
    }
    assert place.read().open_runs(A) == [("cron", "base.autovacuum", "running", 1, T0)]
    store.close()


def the_reader_finds_runs_and_traces(place: Place) -> None:
    """runs() are newest first across tenants, chosen by kind, workflow, result; trace() takes a prefix of either id."""
    store = place.open()
    store.commit(full(A, 0, 1, runs=[run(1), run(3, result="failure"), run(0xABC, kind="job")]))
    store.commit(full(B, 0, 1, runs=[run(2)]))
    reader = place.read()
    assert [(tenant, row.started_at) for tenant, row in reader.runs(limit=3)] == [
        (A, later(0xABC)),
        (A, later(3)),
        (B, later(2)),
    ]
    assert reader.runs(result="failure") == [(A, run(3, result="failure"))]
    assert reader.runs(B, kind="job") == []
    with pytest.raises(StoreError, match="by colour"):
        reader.runs(colour="red")
    whole = (0xABC).to_bytes(16, "big").hex()
    for prefix in (whole, whole[:31], "0" * 29 + "A"):
        assert reader.trace(prefix) == [(A, run(0xABC, kind="job"))]
    assert [(tenant, row.id) for tenant, row in reader.trace("cron/7#2")] == [(B, "cron/7#2"), (A, f"cron/7#{0xABC}")]
    assert reader.trace("nothing") == []
    store.close()


def the_reader_knows_how_far_the_past_is_read(place: Place) -> None:
    """counted() gives the marks `counted/...` of every Source of the tenant, and no other mark."""
    store = place.open()
    marks = {
        ("odoo/jobs", "counted/jobs"): "1000 2500",
        ("odoo/jobs", "since/jobs"): "1",
        ("n8n/x", "counted/x"): "7 0",
    }
    store.append(A, [], marks)
    store.append(B, [], {("odoo/jobs", "counted/jobs"): "9 9"})
    jobs, n8n = ("odoo/jobs", Counted(read=1000, of=2500)), ("n8n/x", Counted(read=7))
    assert place.read().counted(A) == [n8n, jobs]
    assert place.read().counted("nobody") == []


def the_reader_knows_the_lag(place: Place) -> None:
    """lag() counts the tenant's Events behind the offset and says when the oldest of them was seen."""
    store = place.open()
    store.append(A, [progress(1), progress(2), progress(3)])
    store.append(B, [progress(4)])
    seen = place.read().lag(A, FOLD)
    second = [row.seq for row in store.read(A, 0, 10)][1]
    store.commit(full(A, 0, second))
    assert (seen, place.read().lag(A, FOLD)) == ((3, later(1)), (1, later(3)))
    store.close()


def observations_are_the_newest_in_time_order(place: Place) -> None:
    """observations() gives the newest `limit` numbers of a series, oldest first, whatever order they came in."""
    store = place.open()
    times = (5, 1, 4, 2, 3, 3)
    rows = [ObservationRow(series="s", run=f"r{n}", at=later(t), value=float(n)) for n, t in enumerate(times)]
    store.commit(full(A, 0, 1, observations=rows))
    values = [row.value for row in place.read().observations(A, "s")]
    newest = [row.value for row in place.read().observations(A, "s", limit=3)]
    assert (values, newest) == ([1.0, 3.0, 4.0, 5.0, 2.0, 0.0], [5.0, 2.0, 0.0])
    assert list(place.read().observations(B, "s")) == []
    store.close()


def observations_are_paged(place: Place) -> None:
    """With `after`, observations() goes on behind a number, two of the same instant told apart by their Run."""
    store = place.open()
    rows = [ObservationRow(series="s", run=f"r{n}", at=later(t), value=float(n)) for n, t in enumerate((1, 2, 2, 3))]
    store.commit(full(A, 0, 1, observations=rows))
    reader, found, after = place.read(), [], (later(0), "")
    while page := list(reader.observations(A, "s", 1, after)):
        found += page
        after = (page[-1].at, page[-1].run)
    assert found == rows
    assert list(reader.observations(A, "s", after=(later(2), "r1"))) == rows[2:]
    store.close()


def the_reader_names_series(place: Place) -> None:
    """series() names what has numbers, in order, of one tenant."""
    store = place.open()
    names = ("cron.duration/b", "cron.delay/a", "job.delay/a", "cron.duration/b")
    rows = [ObservationRow(series=name, run=f"r{n}", at=later(n), value=1.0) for n, name in enumerate(names)]
    store.commit(full(A, 0, 1, observations=rows))
    store.append(B, [progress(1)])
    assert place.read().series(A) == ["cron.delay/a", "cron.duration/b", "job.delay/a"]
    assert place.read().series(B) == []
    store.close()


def the_reader_knows_the_tenant(place: Place) -> None:
    """tenant() is what was remembered when the tenant was first connected, also after a later start."""
    store = place.open()
    store.append(B, [progress(1)])
    for days in (0, 5):
        remember(store, Tenant(name=A, database="acme", uuid="u"), StepClock(later(days * 86_400)))
    known = place.read().tenant(A)
    assert known is not None
    assert (known.database, known.first_start, place.read().tenant(B)) == ("acme", T0, None)
    store.close()


def many_threads_share_the_writer(place: Place) -> None:
    """Appends of two tenants and Commits, refused ones too, at once: all acknowledged is there, once (R1, R3)."""
    store = place.open()
    rounds, threads = 20, 4

    def intake(worker: int) -> int:
        numbers = range(worker * rounds, (worker + 1) * rounds)
        return sum(store.append((A, B)[n % 2], [progress(n), progress(0)]).appended for n in numbers)

    def fold(_: int) -> int:
        done = 0
        for expected in range(rounds):
            try:
                store.commit(full(A, expected, expected + 1, runs=[run(expected)], outbox=_spans(str(expected))))
                done += 1
            except Fenced:
                continue
        return done

    with ThreadPoolExecutor(threads + 2) as pool:
        folded = pool.map(fold, range(2))
        appended = sum(pool.map(intake, range(threads)))
        commits = sum(folded)
    counts = place.read().counts()
    stored = keys(store, A) + keys(store, B)
    assert counts["events"] == appended == len(stored)
    assert set(stored) == {f"0/{n}/1" for n in range(rounds * threads)}
    assert (counts["runs"], counts["spans"], store.offset(A, FOLD)) == (commits, commits, commits)
    store.close()


CHECKS: tuple[Check, ...] = (
    appending_twice_is_appending_once,
    events_come_back_as_they_were_in_order,
    a_poll_is_one_transaction,
    a_poll_with_one_wrong_mark_is_not_stored,
    reports_keep_the_last_success,
    a_commit_is_written_whole,
    one_wrong_row_undoes_a_commit,
    a_commit_is_fenced,
    state_is_replaced_and_forgotten,
    timers_wait_for_their_source,
    timers_of_subjects_are_known,
    owed_reads_are_paid_by_polls,
    what_is_owed_again_during_a_poll_stays_owed,
    a_poll_that_is_not_stored_pays_nothing,
    runs_are_found_by_their_start,
    parked_events_come_back_until_they_are_released,
    a_name_leads_to_the_same_subject_in_any_order,
    the_outbox_keeps_order_across_tenants,
    settling_counts_what_the_server_said,
    pruning_drops_the_oldest_and_counts,
    the_reader_counts,
    the_reader_finds_runs_and_traces,
    the_reader_knows_how_far_the_past_is_read,
    the_reader_knows_the_lag,
    observations_are_the_newest_in_time_order,
    observations_are_paged,
    the_reader_names_series,
    the_reader_knows_the_tenant,
    many_threads_share_the_writer,
)
