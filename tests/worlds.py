"""What the fold is tested with: facts in few words, and a fold without a store that hears marks like the real one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from exporter.domain import bodies as b
from exporter.domain.bodies import Body
from exporter.domain.contract import FINDINGS, LOG_EVENTS
from exporter.domain.events import Event
from exporter.domain.runs import Run, Timer
from exporter.domain.tenants import Tenant
from exporter.domain.told import LogRecord, Measurement, Observation, Span
from exporter.fold import findings
from exporter.fold.advance import KINDS, advance, memory_of
from exporter.fold.route import asks
from exporter.fold.subjects import Flow, Subject, load, save
from exporter.fold.tell import decode_run
from exporter.fold.workflows import Workflow
from exporter.loops.batching import Batch, due, gauges
from exporter.loops.grouping import group, in_order, parts
from exporter.loops.linking import Linking
from exporter.store.entries import RunRow, Stored
from exporter.telemetry.instruments import INSTRUMENTS

T0 = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
TENANT = Tenant(name="lab", database="lab19", uuid="5d2f6ec4-0000-4000-8000-000000000001", url="https://odoo.example")
PURCHASE = Workflow(
    name="purchase",
    model="purchase.order",
    initial="draft",
    final={"purchase": "approved", "done": "", "cancel": "cancelled"},
    waits={"to approve": "human", "sent": "external"},
)
FLOW = Flow(tenant=TENANT, workflows={"purchase.order": PURCHASE})
SOURCES = tuple(sorted({kind.source for kind in KINDS.values()}))
CRONS, JOBS, APPROVALS, MAILS = "odoo/crons", "odoo/jobs", "odoo/approvals", "odoo/mails"


Error = tuple[str, str, int | None]


def at(seconds: float) -> datetime:
    """Seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def maybe(seconds: float | None) -> datetime | None:
    """Seconds after T0, if any."""
    return None if seconds is None else at(seconds)


def event(name: str, when: float, key: str, body: Body, *, source: str = CRONS, seen: float | None = None) -> Event:
    """An Event, seen when it happened unless said otherwise."""
    return Event(source=source, key=key, name=name, at=at(when), seen=at(when if seen is None else seen), body=body)


def counted(when: float, lastcall: float | None, failures: int = 0, **about: object) -> Event:
    """ir.cron read at `when`; about: cron, nextcall, active, interval (minutes), counts, called."""
    given = {"cron": 42, "nextcall": 0.0, "active": True, "interval": 1440, "counts": True, "called": "began"} | about
    body = b.CronCounted(
        cron_id=int(str(given["cron"])),
        name="LAB action",
        xmlid="lab.action",
        model="res.partner",
        active=bool(given["active"]),
        interval_number=int(str(given["interval"])),
        interval_type="minutes",
        lastcall=maybe(lastcall),
        nextcall=at(float(str(given["nextcall"]))),
        failure_count=failures,
        counts=bool(given["counts"]),
        called="ended" if given["called"] == "ended" else "began",
    )
    return event("odoo.cron.counted", when, f"0/cron/{body.cron_id}/{when}", body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ir.cron.progress row in the making; `counter` is its timed_out_counter while it runs."""

    number: int
    start: float
    end: float | None = None
    done: int = 0
    remaining: int = 0
    cron: int = 42
    counter: int = 1

    def started(self, seen: float | None = None) -> Event:
        """The row as it is while the iteration runs."""
        return self._event("odoo.progress.started", self.start, self.counter, seen)

    def ended(self, seen: float | None = None) -> Event:
        """The row as it is when the iteration is over."""
        return self._event("odoo.progress.ended", self.end if self.end is not None else self.start, 0, seen)

    def vanished(self, when: float) -> Event:
        """The row was purged, or deleted with its action."""
        body = b.RecordVanished(
            model="ir.cron.progress", record_id=self.number, subject_model="ir.cron", subject_id=self.cron
        )
        return event("odoo.record.vanished", when, f"0/progress/{self.number}/vanished", body)

    def _event(self, name: str, when: float, counter: int, seen: float | None) -> Event:
        body = b.CronProgress(
            progress_id=self.number,
            cron_id=self.cron,
            done=0 if counter else self.done,
            remaining=0 if counter else self.remaining,
            timed_out_counter=counter,
            create_date=at(self.start),
            write_date=at(when),
        )
        return event(name, when, f"0/progress/{self.number}/{min(counter, 1)}", body, seen=seen)


def trigger(number: int, call_at: float, *, cron: int = 42) -> Event:
    """A row of ir.cron.trigger."""
    body = b.CronTrigger(trigger_id=number, cron_id=cron, call_at=at(call_at))
    return event("odoo.trigger.set", call_at, f"0/trigger/{number}", body)


_DATED = {"enqueued": "enqueued", "started": "started", "failed": "started", "done": "done", "cancelled": "cancelled"}


def job(seen: float, state: str, retry: int = 0, *, number: int = 7, **dates: float | None) -> Event:
    """queue.job read at `seen`; dates: created, eta, enqueued, started, done, cancelled, and exec_time in seconds."""
    given = {"created": 0.0} | dates
    body = b.JobChanged(
        job_id=number,
        uuid=f"uuid-{number}",
        state=state,
        name="Send",
        channel="root.lab",
        function="<res.partner>.send",
        retry=retry,
        max_retries=5,
        date_created=maybe(given["created"]),
        eta=maybe(given.get("eta")),
        date_enqueued=maybe(given.get("enqueued")),
        date_started=maybe(given.get("started")),
        date_done=maybe(given.get("done")),
        date_cancelled=maybe(given.get("cancelled")),
        exec_time=given.get("exec_time"),
        exc_name="odoo.exceptions.UserError" if state == "failed" else None,
        exc_message="No address." if state == "failed" else None,
    )
    when = given.get(_DATED.get(state, ""))
    fresh = state in {"pending", "wait_dependencies"} and retry == 0 and given["created"] == seen
    moment = when if when is not None else given["created"] if fresh else seen
    return event("odoo.job.changed", moment or 0.0, f"0/job/{number}/{seen}/{state}", body, source=JOBS, seen=seen)


def posted(when: float, number: int = 7, *, seen: float | None = None) -> Event:
    """The message of a failure."""
    body = b.MessagePosted(message_id=int(when), model="queue.job", record_id=number, date=at(when))
    return event("odoo.message.posted", when, f"0/message/{number}/{when}", body, source=JOBS, seen=seen)


def gone(seen: float, *, model: str = "queue.job", number: int = 7, of: tuple[str, int] | None = None) -> Event:
    """A row that is no longer there; `of` is the document it belonged to."""
    subject = of or (None, None)
    body = b.RecordVanished(model=model, record_id=number, subject_model=subject[0], subject_id=subject[1])
    source = JOBS if model == "queue.job" else APPROVALS
    return event("odoo.record.vanished", seen, f"0/gone/{model}/{number}/{seen}", body, source=source)


PO = ("purchase.order", 17)
BILL = ("account.move", 5)


def document(when: float, state: str, of: tuple[str, int] = PO, *, amount: float = 900.0) -> Event:
    """The document's row, written at `when`."""
    body = b.RecordChanged(
        model=of[0], record_id=of[1], state=state, name="P00017", amount=amount, company=1, create_date=at(0)
    )
    return event("odoo.record.changed", when, f"0/record/{of[0]}/{of[1]}/{when}", body, source=APPROVALS)


def moved(when: float, old: str, new: str, number: int, of: tuple[str, int] = PO) -> Event:
    """A tracked change of the document's state."""
    body = b.FieldChanged(
        tracking_id=number, message_id=number, model=of[0], record_id=of[1], field="state", old=old, new=new, author=3
    )
    return event("odoo.field.changed", when, f"0/tracking/{number}", body, source=APPROVALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One tier.review in the making."""

    number: int
    asked: float
    tier: int = 1
    of: tuple[str, int] = PO

    def requested(self, status: str = "pending", when: float | None = None) -> Event:
        """Not decided."""
        return self._event("odoo.review.requested", self.asked if when is None else when, status, None)

    def decided(self, when: float, status: str = "approved") -> Event:
        """Decided, or cancelled by Odoo."""
        return self._event("odoo.review.decided", when, status, None if status == "cancel" else when)

    def vanished(self, seen: float) -> Event:
        """Deleted by a restart."""
        return gone(seen, model="tier.review", number=self.number, of=self.of)

    def _event(self, name: str, when: float, status: str, decided: float | None) -> Event:
        body = b.ReviewChanged(
            review_id=self.number,
            model=self.of[0],
            record_id=self.of[1],
            status=status,
            tier=f"Tier {self.tier}",
            sequence=self.tier,
            in_sequence=True,
            requested_by=5,
            done_by=None if decided is None else 6,
            create_date=at(self.asked),
            reviewed_date=maybe(decided),
        )
        return event(name, when, f"0/review/{self.number}/{status}", body, source=APPROVALS)


def webhook(
    delivery: str,
    when: float,
    *,
    hook: str = "stripe",
    began: float | None = None,
    error: Error | None = None,
    **about: Any,
) -> Event:
    """A webhook that came two seconds after what it tells of; `error`: type, message, HTTP status."""
    kind, message, status = error or ("", "", None)
    body = b.WebhookReceived(
        hook=hook,
        delivery=delivery,
        started_at=maybe(when if began is None else began),
        ended_at=at(when),
        error_type=kind,
        error=message,
        http_status=status,
        size=100,
        **({"result": "success"} | about),
    )
    return event("webhook.received", when, f"0/{hook}/{delivery}", body, source=f"hooks/{hook}", seen=when + 2)


def mail(when: float, state: str = "exception", *, number: int = 9, of: tuple[str, int] | None = None) -> Event:
    """A mail made at 0 that was seen in a state, written at `when`."""
    model, record = of or (None, None)
    failed = state == "exception"
    body = b.MailChanged(
        mail_id=number,
        state=state,
        failure_type="mail_smtp" if failed else "",
        failure="550 5.1.1 <[EMAIL]>: Recipient address rejected" if failed else "",
        model=model,
        record_id=record,
        create_date=at(0),
        recipients=2,
    )
    return event("odoo.mail.changed", when, f"0/odoo/mails/mail/{number}/{when:g}-{state}", body, source=MAILS)


def read(source: str, seconds: float) -> Event:
    """A Source's mark."""
    until = at(seconds)
    key = f"0/{source}/read/{until.isoformat()}"
    return Event(
        source=source, key=key, name="source.read", at=until, seen=until, precision=1, body=b.SourceRead(until=until)
    )


@dataclass(slots=True)
class Heard:
    """What was told of Findings: kept apart from what was told of Runs."""

    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)


@dataclass(slots=True)
class World:
    """A fold in memory, saved and loaded before every Commit: Events in, everything told out."""

    flow: Flow = FLOW
    subjects: dict[str, Subject] = field(default_factory=dict)
    timers: dict[tuple[str, str], Timer] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    rows: dict[str, RunRow] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    quarantined: list[str] = field(default_factory=list)
    claimed: dict[str, RunRow] = field(default_factory=dict)
    found: "Heard" = field(default_factory=Heard)
    linked: dict[str, str] = field(default_factory=dict)
    waiting: list[Event] = field(default_factory=list)
    links: Linking = field(init=False)

    def __post_init__(self) -> None:
        """Link keys are looked up in what earlier Commits kept."""
        self.links = Linking(
            find=lambda keys: {key: self.linked[key] for key in keys if key in self.linked},
            waiting=lambda keys: [Stored(seq=0, event=one) for one in self.waiting if asks(one) in keys],
        )

    def append(self, events: Iterable[Event], batch: int = 1000) -> "World":
        """Fold Events in the order given, `batch` a Commit; a repeated key is a no-op, as in the store."""
        unique: dict[tuple[str, str], Event] = {}
        for event in events:
            if (event.source, event.key) not in self.seen:
                unique.setdefault((event.source, event.key), event)
        fresh = list(unique.values())
        self.seen |= unique.keys()
        for place in range(0, len(fresh), batch):
            self._commit(fresh[place : place + batch])
        return self

    def read_until(self, seconds: float) -> "World":
        """Every Source was read up to here: let due Timers fire until none is left."""
        while due := [t for t in self.timers.values() if t.due <= at(seconds)]:
            before = dict(self.timers)
            self._commit([read(source, seconds) for source in SOURCES])
            assert self.timers != before, f"timers that never settle: {due}"
        return self

    def live(self, events: Iterable[Event], until: float) -> "World":
        """One poll: what it saw, then the marks of its Sources."""
        return self.append(events).read_until(until)

    def runs(self) -> list[Run]:
        """Closed Runs by start."""
        found = [decode_run(row.body) for row in self.rows.values() if row.ended_at is not None]
        return sorted(found, key=lambda run: (run.started_at, run.ended_at or run.started_at, run.subject, run.key))

    def findings(self) -> dict[str, Run]:
        """The newest Finding of each detector: open while it has no end."""
        runs = [decode_run(row.body) for row in self.claimed.values()]
        return {
            str(dict(run.attributes)["odoo.finding.detector"]): run for run in sorted(runs, key=lambda r: r.started_at)
        }

    def run(self, key: str) -> Run:
        """The closed Run with this key."""
        return next(run for run in self.runs() if run.key == key)

    def results(self) -> list[tuple[str, str | None]]:
        """(run key, result) by start."""
        return [(run.key, run.result) for run in self.runs()]

    def open(self, subject: str) -> Run | None:
        """The open Run of a Subject."""
        return advance(self.subjects[subject], (), self.flow).open

    def corrections(self) -> list[str]:
        """What late facts would have changed."""
        return [log.body for log in self.logs if log.event_name == "odoo.run.corrected"]

    def total(self, name: str) -> int:
        """The sum of one instrument."""
        return sum(one.value for one in self.measurements if one.name == name)

    def _commit(self, events: Sequence[Event]) -> None:
        """As loops/folding.py does it."""
        before = Kept(self.subjects)
        self.links.forget()
        self.links.begin()
        batch = Batch(flow=replace(self.flow, links=self.links.known), before=before)
        for whole, batch.marks in parts(events):
            part = self.links.placed(whole)
            woken = (*due(self.timers.values(), batch), *batch.due())
            groups = in_order({**dict.fromkeys(woken, ()), **group(part, self.links.known, self.flow)})
            self.links.look_up(link for key, mine in groups.items() for link in batch.asks(key, mine))
            for key, mine in groups.items():
                batch.fold(key, mine)
            for key, claimed in batch.claims().items():
                assert {str(getattr(one.body, "detector", "")) for one in claimed} <= FINDINGS.keys(), (
                    "not in the contract"
                )
                batch.fold(key, claimed)
        batch.correct(self.rows.get, self._near)
        self.linked |= self.links.made
        self.waiting = [one for one in self.waiting if asks(one) not in self.links.released]
        self.waiting += [event for waiting in self.links.parked.values() for event in waiting]
        self._set(*batch.timers())
        self.subjects.update(batch.subjects)
        self.rows.update({row.id: row for row in batch.runs if row.kind != "finding"})
        self.claimed.update({row.id: row for row in batch.runs if row.kind == "finding"})
        self.quarantined += [one.reason for one in batch.quarantine]
        for told in (gauges(events), *batch.told, *batch.history):
            assert {log.event_name for log in told.logs} <= LOG_EVENTS.keys(), "a name that is not in the contract (59)"
            of_findings = told.spans[:1] and told.spans[0].scope == findings.SOURCE
            target = self.found if of_findings else self
            target.spans += told.spans
            target.logs += told.logs
            target.measurements += told.measurements
            target.observations += told.observations

    def _near(self, subject: str, began: tuple[datetime, datetime]) -> list[RunRow]:
        return [r for r in self.rows.values() if r.subject == subject and began[0] <= r.started_at <= began[1]]

    def _set(self, moved: Sequence[Timer], cleared: Sequence[tuple[str, str]]) -> None:
        for name in cleared:
            self.timers.pop(name, None)
        self.timers.update({(timer.subject, timer.name): timer for timer in moved})


class Kept(Mapping[str, Subject]):
    """What the Commits before left: a Subject is saved and loaded again when it is asked for, once a Commit."""

    def __init__(self, subjects: Mapping[str, Subject]) -> None:
        self.subjects = {**subjects}
        self.loaded: dict[str, Subject] = {}

    def __getitem__(self, key: str) -> Subject:
        """The Subject after a restart."""
        if key not in self.loaded:
            self.loaded[key] = reload(self.subjects[key])
        return self.loaded[key]

    def __iter__(self) -> Iterator[str]:
        """Every key."""
        return iter(self.subjects)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.subjects)


def reload(subject: Subject) -> Subject:
    """The Subject after a restart: saved and loaded again."""
    return load(subject.key, save(subject), memory_of)


def story(world: World) -> Mapping[str, object]:
    """Everything a World told, without an order, and without what depends on when it was asked: `started` markers."""
    gauges = {name for name, one in INSTRUMENTS.items() if one.kind in {"gauge", "info"}}
    newest = {(m.name, m.labels): m for m in sorted(world.measurements, key=lambda m: m.at) if m.name in gauges}
    return {
        "spans": Counter(span for span in world.spans if not span.name.endswith(" started")),
        "logs": Counter(log for log in world.logs if not log.event_name.endswith(".started")),
        "measurements": Counter(m for m in world.measurements if m.name not in gauges),
        "gauges": {key: (m.value, m.at) for key, m in newest.items()},
        "observations": Counter(world.observations),
        "quarantined": Counter(world.quarantined),
    }


def facts_of(run: Run) -> Run:
    """A Run without what is read from another row that may be read later: the amount of its document."""
    return structs.replace(run, attributes=(), title="")
