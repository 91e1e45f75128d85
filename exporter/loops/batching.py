"""From a batch of Events to one Commit, without IO: folding the same batch again makes the same rows."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from exporter.domain.bodies import (
    CronCounted,
    DatabaseChanged,
    DetectorsBeat,
    KeyCounted,
    RecordVanished,
    RuleCounted,
    SightChanged,
)
from exporter.domain.events import Event
from exporter.domain.runs import Open, Run, Timer
from exporter.domain.told import Told
from exporter.fold import databases, measure, subjects
from exporter.fold.advance import KINDS, Advanced, Late, advance, begin, memory_of, timers
from exporter.fold.choosing import EVERYTHING, choose, is_wanted
from exporter.fold.route import OWERS, owes
from exporter.fold.scheduler import KEY as SCHEDULER
from exporter.fold.send_memory import RULE
from exporter.fold.speaking import trace_of
from exporter.fold.subjects import UNPLACED, Flow, Subject, nobody, order
from exporter.fold.tell import (
    decode_run,
    encode_run,
    tell,
    tell_correction,
    tell_started,
    tell_steps,
)
from exporter.loops.grouping import group
from exporter.store.entries import OwedRead, Quarantined, RunRow, SubjectRow

SHOWN = frozenset(
    {CronCounted, RuleCounted, RecordVanished, KeyCounted, SightChanged}
)  # rows that are told as they are
Near = Callable[[str, tuple[datetime, datetime]], Iterable[RunRow]]
HEAD = 200  # characters of a quarantined Event that are kept to recognise it


@dataclass(slots=True)
class Batch:
    """What a batch of one tenant's Events changes, gathered Subject by Subject.

    Attributes:
        before: the Subjects it began with.
        marks: how far each Source was read by the end of the part that is being folded, for those that were.
    """

    flow: Flow
    before: Mapping[str, Subject]
    marks: Mapping[str, datetime] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    open: dict[str, Run | None] = field(default_factory=dict)
    runs: list[RunRow] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    history: list[Told] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    claimed: list[Event] = field(default_factory=list)

    def due(self) -> list[str]:
        """Subjects of this batch of which a Timer falls due by the marks."""
        return [key for key, subject in self.subjects.items() if subject.due and self._is_due(subject)]

    def is_done_with_any(self, timers: Iterable[Timer]) -> bool:
        """Whether any Timer is not due any more after what was folded: else to fire them again would change nothing."""
        return not {timer.subject for timer in timers} & self.subjects.keys() <= {*self.due()}

    def _is_due(self, subject: Subject) -> bool:
        source_of = KINDS[subject.kind].source_of
        return any((mark := self.marks.get(source_of(name))) and at <= mark for name, at in subject.due.items())

    def fold(self, key: str, events: Sequence[Event]) -> None:
        """Advance one Subject by its Events; an Event on which that raises is set aside and the rest goes on."""
        try:
            before = self.subjects.get(key) or self._began(key)
            mark = self.marks.get(KINDS[before.kind].source)
            advanced = advance(before, events, self.flow, mark, silent=self._is_silent())
            told = self._tell(advanced)
        except Exception as error:  # noqa: BLE001 - whatever a fact breaks, it must not stop the others: it is set aside
            self._set_aside(key, events, error)
            return
        self._keep(advanced, told)

    def asks(self, key: str, events: Iterable[Event]) -> Iterable[str]:
        """The link keys that a Subject wants to look up, with the facts it has and these."""
        before = self.subjects.get(key) or self.before.get(key)
        kind = KINDS.get(before.kind if before else key.partition("/")[0])
        if kind is None or kind.asks is nobody:
            return ()
        return kind.asks([*(before.facts if before else ()), *events])

    def _is_silent(self) -> bool:
        """Whether the whole scheduler stands still: its Subject is folded before the actions are."""
        scheduler = self.subjects.get(SCHEDULER) or self.before.get(SCHEDULER)
        return scheduler is not None and scheduler.memory.silent_since is not None

    def claims(self) -> dict[str, list[Event]]:
        """Events of Findings that this batch made true or untrue, by Subject; each is taken once."""
        events, self.claimed = self.claimed, []
        return group(events)

    def _began(self, key: str) -> Subject:
        return self.before.get(key) or begin(key)

    def rows(self) -> list[SubjectRow]:
        """Every Subject of the batch as it is stored."""
        return [
            SubjectRow(key=key, kind=one.kind, state=subjects.save(one), open=_open(run), shown=self._is_shown(run))
            for key, one in self.subjects.items()
            for run in (self.open[key],)
        ]

    def timers(self) -> tuple[list[Timer], list[tuple[str, str]]]:
        """Timers to set, and (subject, name) of those to clear."""
        changes = [(key, timers(self._began(key), after)) for key, after in self.subjects.items()]
        return [t for _, (moved, _) in changes for t in moved], [(k, n) for k, (_, gone) in changes for n in gone]

    def _set_aside(self, key: str, events: Sequence[Event], error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        if not events:  # a Timer woke it: the Subject stays as it was, and is heard of at every mark
            self.quarantine.append(Quarantined(origin="timers", key=key, reason=reason[:HEAD], head=key))
        if len(events) == 1:
            self.quarantine.append(set_aside(events[0], reason))
            return
        for event in events:
            self.fold(key, (event,))

    def _tell(self, advanced: Advanced) -> list[tuple[Run, Told]]:
        tenant = self.flow.tenant
        told = [(run, tell(run, tenant, before)) for run, before in advanced.closed]
        if advanced.open is not None and advanced.fresh:
            told.append((advanced.open, tell_steps(advanced.open, advanced.fresh, tenant)))
        if advanced.open is not None and advanced.marker:
            told.append((advanced.open, tell_started(advanced.open, tenant)))
        return told if self.flow.choice is EVERYTHING else [(run, self._chosen(run, one)) for run, one in told]

    def _chosen(self, run: Run, told: Told) -> Told:
        """What of it is told by the operator's choice."""
        tenant = self.flow.tenant
        return choose(run, told, self.flow.choice, lambda: tell(run, tenant).spans)

    def _keep(self, advanced: Advanced, told: list[tuple[Run, Told]]) -> None:
        subject = advanced.subject
        self.subjects[subject.key] = subject
        self.open[subject.key] = advanced.open
        self.late += advanced.late
        self.claimed += advanced.claimed
        if subject.kind == "finding" and advanced.open is not None and not advanced.marker:
            self.runs.append(run_row(advanced.open, trace_of(advanced.open, self.flow.tenant)))  # its sentence changed
        for run, one in told:
            (self.history if run.origin == "history" else self.told).append(one)
            if (run.ended_at is not None or advanced.marker) and is_wanted(run, self.flow.choice):
                self.runs.append(run_row(run, one.spans[-1].trace_id if one.spans else trace_of(run, self.flow.tenant)))

    def _is_shown(self, run: Run | None) -> bool:
        """Whether an open Run is counted by the gauges."""
        choice = self.flow.choice
        return choice is EVERYTHING or run is None or ("metrics" in choice.signals and is_wanted(run, choice))

    def _placed(self, late: Late, near: Near) -> RunRow | None:
        """The told Run of a fact that names none, by when it began."""
        subject, _, key = late.run.rpartition("#")
        window = KINDS[subject.partition("/")[0]].near
        if key != UNPLACED or window is None:
            return None
        since, until = window(late.event)
        mine = (row for row in self.runs if row.subject == subject and since <= row.started_at <= until)
        return _among(mine, late) or _among(near(subject, (since, until)), late)

    def correct(self, find: Callable[[str], RunRow | None], near: Near) -> None:
        """Say what late facts would have changed of Runs told before.

        `find` looks a stored Run up by its id, `near` those of a Subject that began between two times.
        """
        mine = {row.id: row for row in self.runs}
        for late in self.late:
            row = mine.get(late.run) or find(late.run) or self._placed(late, near)
            if row is None:
                continue
            run = decode_run(row.body)
            difference = KINDS[run.kind].differs(run, late.event)
            if difference:
                self.told.append(tell_correction(run, difference, late.event.at, self.flow.tenant))


def _among(rows: Iterable[RunRow], late: Late) -> RunRow | None:
    """The Run of a late fact among some that began when its own did."""
    return next((row for row in rows if KINDS[row.kind].same(decode_run(row.body), late.event)), None)


def owed(events: Iterable[Event], witnesses: Container[str]) -> list[OwedRead]:
    """The reads that Events owe, each once, of the Sources that there are."""
    found = {read for event in events if type(event.body) in OWERS for read in owes(event)}
    return [OwedRead(source=source, key=key) for source, key in sorted(found) if source in witnesses]


def due(timers: Iterable[Timer], batch: Batch) -> list[str]:
    """Subjects with a stored Timer that falls due by the batch's marks, but for those the batch has changed already."""
    return [
        timer.subject
        for timer in timers
        if timer.subject not in batch.subjects
        and (mark := batch.marks.get(timer.source)) is not None
        and timer.due <= mark
    ]


def gauges(events: Sequence[Event]) -> Told:
    """What the facts say by themselves: of each action and rule the newest, it would overwrite the others."""
    newest: dict[tuple[object, ...], Event] = {}
    for event in events:
        if type(event.body) in SHOWN:
            row = _row(event)
            known = newest.get(row)
            if known is None or event.at > known.at or (event.at == known.at and order(event) > order(known)):
                newest[row] = event
    beats = (event for event in events if type(event.body) is DetectorsBeat)
    said = [one for event in newest.values() for one in measure.gauges(event)]
    changed = tuple(databases.told(event, event.body) for event in events if isinstance(event.body, DatabaseChanged))
    return Told(measurements=(*said, *[one for event in beats for one in measure.beat(event)]), logs=changed)


def _row(event: Event) -> tuple[object, ...]:
    body = event.body
    if isinstance(body, SightChanged):
        return event.source, body.spot, body.why
    if isinstance(body, KeyCounted):
        return (event.source,)
    if isinstance(body, CronCounted):
        return "cron", body.cron_id
    if isinstance(body, RecordVanished):
        return body.model, body.record_id
    return RULE, getattr(body, "rule_id", 0)


def load(row: SubjectRow) -> Subject:
    """A stored Subject."""
    return subjects.load(row.key, row.state, memory_of)


def run_row(run: Run, trace_id: bytes) -> RunRow:
    """A Run as it is kept until retention."""
    return RunRow(
        id=f"{run.subject}#{run.key}",
        kind=run.kind,
        workflow=run.workflow,
        subject=run.subject,
        trace_id=trace_id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        result=run.result,
        origin=run.origin,
        body=encode_run(run),
    )


def set_aside(event: Event, reason: str) -> Quarantined:
    """An Event put into quarantine: its key, why, and no more of its body than its kind (facts may be personal)."""
    return Quarantined(origin=f"fold/{event.source}", key=event.key, reason=reason[:HEAD], head=event.name)


def _open(run: Run | None) -> Open | None:
    if run is None:
        return None
    return Open(workflow=run.workflow, state=run.state, since=run.since or run.started_at)
