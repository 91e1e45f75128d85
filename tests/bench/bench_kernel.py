"""The line's own speed: Events folded to encoded spans (CPU), and the way from append to a committed outbox (wall).

Bodies are as Odoo gives them: a scheduled action is two progress rows and a read of ir.cron a run, a purchase is its
row, tracked states and two tier reviews. Nobody else folds, so the peers do less, in the same run: the SDK makes and
encodes the same spans once they are told; a plain table takes the same Events as JSON, a commit a poll.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import msgspec

from exporter.clock import StepClock
from exporter.domain import bodies as b
from exporter.domain.events import Event
from exporter.domain.runs import Timer
from exporter.domain.tenants import Tenant
from exporter.fold.subjects import Flow
from exporter.fold.tell import redraw
from exporter.fold.workflows import Workflow
from exporter.loops.folding import Folding, FoldingOptions, spare_the_collector
from exporter.store import open_store
from exporter.store.entries import Commit, PollReport, RunRow, Stored, SubjectRow, TotalRow
from tests.bench.bench_telemetry import through_the_sdk

RUNS, PURCHASES, ACTIONS, ROUNDS = 4000, 2000, 50, 3
TOGETHER = 1000  # a poll of a backlog hands out a page (sources/odoo/options.py)
T0 = datetime(2026, 3, 2, tzinfo=UTC)
LATER = T0 + timedelta(days=60)
TENANT = Tenant(name="acme", database="acme", uuid="6f2c", url="https://odoo.example.com", first_start=T0)
PURCHASE = Workflow(
    name="purchase",
    model="purchase.order",
    initial="draft",
    final={"purchase": "approved", "done": "", "cancel": "cancelled"},
    waits={"to approve": "human", "sent": "external"},
)
OPTIONS = FoldingOptions(host_id="bench")


def _event(key: str, name: str, at: datetime, body: b.Body) -> Event:
    source = "/".join(key.split("/")[:2])
    return Event(source=source, key=f"0/{key}", name=name, at=at, seen=at + timedelta(seconds=7), body=body)


def actions() -> Iterator[Event]:
    """RUNS runs of ACTIONS scheduled actions: each waited 2 s, every fourth took two batches; 2.5 spans a run."""
    for number in range(RUNS):
        cron, start = number % ACTIONS, T0 + timedelta(minutes=number // ACTIONS * 10, seconds=number % ACTIONS)
        end = start + timedelta(seconds=4)
        if number % 4:
            yield from _row(cron, number * 2, (start, end), 0)
        else:
            middle = start + timedelta(seconds=2)
            yield from _row(cron, number * 2, (start, middle), 20)
            yield from _row(cron, number * 2 + 1, (middle, end), 0)
        counted = b.CronCounted(
            cron_id=cron,
            name=f"Base: Auto-vacuum internal data {cron}",
            xmlid=f"base.autovacuum_{cron}",
            model="ir.autovacuum",
            interval_number=10,
            interval_type="minutes",
            lastcall=start,
            nextcall=start + timedelta(minutes=10, seconds=-2),
            failure_count=1 if number % 20 == 0 else 0,
        )
        yield _event(f"odoo/crons/cron/{cron}/{number}", "odoo.cron.counted", end + timedelta(seconds=11), counted)


def _row(cron: int, number: int, ran: tuple[datetime, datetime], remaining: int) -> Iterator[Event]:
    """One loop iteration, seen when it began and when it ended."""
    for version, (at, done) in enumerate(((ran[0], 0), (ran[1], 20))):
        body = b.CronProgress(
            progress_id=number + 1,
            cron_id=cron,
            done=done,
            remaining=remaining if version else 40,
            timed_out_counter=1 - version,
            create_date=ran[0],
            write_date=at,
        )
        name = "odoo.progress.ended" if version else "odoo.progress.started"
        yield _event(f"odoo/crons/progress/{number + 1}/{version}", name, at, body)


def polled(events: Sequence[Event]) -> Iterator[list[Event]]:
    """The Events poll by poll, each with how far its Source was read; at last a poll long after everything."""
    source, happened = events[0].source, sorted(events, key=lambda event: event.at)
    for start in range(0, len(happened), TOGETHER):
        seen = happened[start : start + TOGETHER]
        yield [*seen, _read(source, seen[-1].at)]
    yield [_read(source, LATER)]


def _read(source: str, until: datetime) -> Event:
    return _event(f"{source}/read/{until:%Y-%m-%dT%H:%M:%S}", "source.read", until, b.SourceRead(until=until))


def _order(number: int, state: str, created: datetime) -> b.RecordChanged:
    return b.RecordChanged(
        model="purchase.order",
        record_id=number,
        state=state,
        name=f"P{number:05}",
        amount=1234.5,
        currency="EUR",
        company=1,
        partner=7,
        owner=2,
        create_date=created,
    )


def _changed(number: int, step: int, at: datetime, moved: tuple[str, str]) -> Event:
    message = number * 10 + step
    body = b.FieldChanged(
        tracking_id=message,
        message_id=message,
        model="purchase.order",
        record_id=number,
        field="state",
        old=moved[0],
        new=moved[1],
        author=3,
        subtype="purchase.mt_rfq_confirmed",
    )
    return _event(f"odoo/approvals/tracking/{message}", "odoo.field.changed", at, body)


def _review(number: int, tier: int, asked: datetime, decided: datetime | None) -> Event:
    body = b.ReviewChanged(
        review_id=number * 2 + tier,
        model="purchase.order",
        record_id=number,
        status="approved" if decided else "pending",
        tier=f"Tier {tier}",
        definition_id=tier,
        sequence=tier,
        requested_by=2,
        done_by=4 if decided else None,
        reviewers=(4, 5),
        create_date=asked,
        reviewed_date=decided,
        company=1,
    )
    name = "odoo.review.decided" if decided else "odoo.review.requested"
    return _event(f"odoo/approvals/review/{body.review_id}/{body.status}", name, decided or asked, body)


def records() -> Iterator[Event]:
    """PURCHASES purchases that are approved in two tiers, eight Events each."""
    for number in range(1, PURCHASES + 1):
        created = T0 + timedelta(minutes=number)
        at = [created + timedelta(minutes=minutes) for minutes in range(0, 200, 20)]
        row = f"purchase.order/{number}"
        yield _event(f"odoo/approvals/{row}/1", "odoo.record.changed", created, _order(number, "draft", created))
        yield _changed(number, 1, at[1], ("draft", "to approve"))
        yield _review(number, 0, at[1], None)
        yield _review(number, 1, at[1], None)
        yield _review(number, 0, at[1], at[2])
        yield _review(number, 1, at[1], at[4])
        yield _changed(number, 2, at[5], ("to approve", "purchase"))
        yield _event(f"odoo/approvals/{row}/2", "odoo.record.changed", at[5], _order(number, "purchase", created))


@dataclass(slots=True)
class Memory:
    """A Ledger of lists: what remains is the fold."""

    events: list[Event]
    spans: int = 0
    runs: int = 0
    bodies: list[bytes] = field(default_factory=list)
    rows: dict[str, SubjectRow] = field(default_factory=dict)
    timers: dict[tuple[str, str], Timer] = field(default_factory=dict)

    def read(self, tenant: str, after: int, limit: int) -> list[Stored]:  # type: ignore[override]
        """The next ones."""
        del tenant
        return [Stored(seq=after + n, event=e) for n, e in enumerate(self.events[after : after + limit], start=1)]

    def offset(self, tenant: str, consumer: str) -> int:
        """From the beginning."""
        del tenant, consumer
        return 0

    def subjects(self, tenant: str, keys: Sequence[str]) -> dict[str, SubjectRow]:
        """What was saved."""
        del tenant
        return {key: self.rows[key] for key in keys if key in self.rows}

    def run(self, tenant: str, run_id: str) -> RunRow | None:
        """None."""
        del tenant, run_id

    def links(self, tenant: str, keys: Sequence[str]) -> dict[str, str]:
        """None."""
        del tenant, keys
        return {}

    def parked(self, tenant: str, keys: Sequence[str]) -> list[Stored]:  # type: ignore[override]
        """None."""
        del tenant, keys
        return []

    def totals(self, tenant: str) -> list[TotalRow]:
        """None."""
        del tenant
        return []

    def due(self, tenant: str, until: Mapping[str, datetime], limit: int) -> list[Timer]:
        """Timers, the earliest first."""
        del tenant
        found = (timer for timer in self.timers.values() if timer.source in until and timer.due <= until[timer.source])
        return sorted(found, key=lambda timer: timer.due)[:limit]

    def commit(self, commit: Commit) -> None:
        """Count and forget, but for Runs, Subjects and Timers."""
        self.spans += sum(row.signal == "traces" for row in commit.outbox)
        self.runs += len(commit.runs)
        self.bodies += [run.body for run in commit.runs]
        self.rows |= {row.key: row for row in commit.subjects}
        for subject, name in commit.cleared:
            self.timers.pop((subject, name), None)
        for timer in commit.timers:
            self.timers[timer.subject, timer.name] = timer


def _folding(store: object) -> Folding:
    flow = Flow(tenant=TENANT, workflows={"purchase.order": PURCHASE})
    return Folding(ledger=store, flow=flow, clock=StepClock(LATER), options=OPTIONS)  # type: ignore[arg-type]


def _drain(folding: Folding) -> None:
    while folding.step():
        pass


def spans_per_s() -> dict[str, float]:
    """Span rows made per second of CPU: fold, tell, encode; the best of some rounds. The SDK's of the same spans."""
    rounds = [_spans_per_s() for _ in range(ROUNDS)]
    return {"spans_per_s": max(ours for ours, _ in rounds), "spans_per_s_peer": max(peer for _, peer in rounds)}


def _spans_per_s() -> tuple[float, float]:
    spare_the_collector()  # as the service does
    memory = Memory([event for poll in polled(list(actions())) for event in poll])
    began = time.process_time()
    _drain(_folding(memory))
    took = time.process_time() - began
    if memory.runs < RUNS:
        message = f"only {memory.runs} of {RUNS} runs closed: the benchmark does not measure what it says"
        raise ValueError(message)
    told = [redraw(body, TENANT).spans for body in memory.bodies]
    began = time.process_time()
    spans = through_the_sdk(told)
    return memory.spans / took, spans / (time.process_time() - began)


def durable_events_per_s() -> dict[str, float]:
    """Scheduled actions, append to committed outbox, Events per second of wall time: median of some rounds."""
    return {
        "durable_events_per_s": _median(lambda: _durable(list(actions()), RUNS)),
        "durable_events_per_s_peer": _median(lambda: _plain(list(actions()))),
    }


def durable_events_per_s_records() -> dict[str, float]:
    """Purchases and their reviews, the same way."""
    return {
        "durable_events_per_s_records": _median(lambda: _durable(list(records()), PURCHASES)),
        "durable_events_per_s_records_peer": _median(lambda: _plain(list(records()))),
    }


def _median(measure: Callable[[], float]) -> float:
    return sorted(measure() for _ in range(ROUNDS))[ROUNDS // 2]


def _durable(events: Sequence[Event], runs: int) -> float:
    """Every poll is one append with its report, then the fold catches up."""
    spare_the_collector()  # as the service does
    polls = list(polled(events))
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        store = open_store(Path(folder) / "store.db")
        folding = _folding(store)
        began = time.perf_counter()
        for seen in polls:
            until = seen[-1].at
            report = PollReport(source=seen[0].source, began_at=until, seconds=0.1, ok=True, read_until=until)
            store.append("acme", seen, report=report)
            _drain(folding)
        took = time.perf_counter() - began
        store.close()
        _require(Path(folder) / "store.db", runs)
    return sum(map(len, polls)) / took


def _plain(events: Sequence[Event]) -> float:
    """The same polls into a plain table: a row of JSON an Event, a durable commit a poll, and nobody folds it."""
    polls = list(polled(events))
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        connection = apsw.Connection(str(Path(folder) / "plain.db"))
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.execute("CREATE TABLE events(seq INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")
        began = time.perf_counter()
        for seen in polls:
            with connection:
                rows = [(event.key, msgspec.json.encode(event)) for event in seen]
                connection.executemany("INSERT INTO events(key, body) VALUES (?, ?)", rows)
        took = time.perf_counter() - began
        connection.close()
    return sum(map(len, polls)) / took


def _require(path: Path, runs: int) -> None:
    from exporter.store import open_reader  # noqa: PLC0415 only after the clock stopped

    found = open_reader(path).counts()
    if found["runs"] < runs or found["quarantined"]:
        message = f"{found['runs']} of {runs} runs closed, {found['quarantined']} refused: this measures nothing"
        raise ValueError(message)
