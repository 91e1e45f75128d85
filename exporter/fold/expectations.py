"""What was expected to follow and did not: "B within T after A" (an absence trigger), of the record both are about.

Nothing is absent before the Source that would show B was read past the time it had, so nothing is concluded while Odoo,
n8n or we were dark. One Subject a tenant; each A is one Run, which ends with B, or with the time that B had.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.bodies import ExecutionSeen, FieldChanged, FindingSeen, SourceRead, WebhookReceived
from exporter.domain.events import Event
from exporter.domain.runs import Run
from exporter.domain.sources import DOCUMENTS, EXECUTIONS
from exporter.domain.times import EPOCH
from exporter.fold.expectation_runs import DETECTOR, Absent, Met, absent_of, key_of, run_of
from exporter.fold.happening import WITNESSES, Expectation, happened, named
from exporter.fold.joining import asked, leads
from exporter.fold.subjects import Cut, Flow, Kind, order
from exporter.fold.troubles import SEVERITIES, Trouble, Troubles, by_name, claimed, lasting, noted, over_at

KEY = "expectation/all"
ANY = frozenset({"any"})  # stands for the record where every record will do
SHOWN = frozenset({WebhookReceived, ExecutionSeen, FieldChanged})
SLACK = timedelta(seconds=2)  # over RPC Odoo shows whole seconds, and clocks differ: B may seem to lie before its A
LATE = timedelta(minutes=10)  # so much later than it happened an A may become known
ABSENT = 1_000  # of what stays away on and on, that many are remembered: the newest
CLOSED = {DETECTOR: "Nothing stayed away since, for an hour; or what was missing came after all."}


class ExpectationMemory(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is remembered.

    Attributes:
        executions: how far n8n was read.
        met: keys of Runs that were told, of facts that are still kept.
        absent: by Run key what stayed away, as long as its trouble lasts, the newest of it; `troubles`: made of it, by
            `detector/label`.
    """

    executions: datetime = EPOCH
    met: tuple[str, ...] = ()
    absent: dict[str, Absent] = {}
    troubles: Troubles = {}


def concerns(event: Event, flow: Flow) -> bool:
    """Whether it is an A or a B of something that is expected, or says how far n8n was read."""
    if not flow.expected:
        return False
    if type(event.body) is SourceRead:
        return event.source == EXECUTIONS
    return type(event.body) in SHOWN and any(
        happened(event, one) is not None for each in flow.expected for one in (each.after, each.then)
    )


def asks(facts: Iterable[Event]) -> Iterable[str]:
    """Names of records that the facts give."""
    return (link for event in facts for link in asked(named(event)))


class _Table:
    """The facts of one expectation: when each A and each B happened, and to which records they lead."""

    def __init__(self, of: Expectation, facts: Sequence[Event], flow: Flow) -> None:
        self.of = of
        self.firsts = [
            (at, event) for event in facts if (at := happened(event, of.after)) is not None and flow.is_live(at)
        ]
        self.thens = sorted(
            ((at, event) for event in facts if (at := happened(event, of.then)) is not None),
            key=lambda one: (one[0], order(one[1])),
        )
        self._flow = flow
        self._by_record: dict[str, list[tuple[datetime, Event]]] = {}
        for then in self.thens:
            for ref in self.refs(then[1]):
                self._by_record.setdefault(ref, []).append(then)

    def refs(self, event: Event) -> frozenset[str]:
        """The Subjects of the records that an Event is about; ANY where every record will do."""
        return leads(named(event), self._flow) if self.of.by_record else ANY

    def follows(self, refs: Iterable[str], since: datetime) -> tuple[datetime, Event] | None:
        """The first B of one of these records behind a time; none where no record is named."""
        lists = [self._by_record[ref] for ref in refs if ref in self._by_record]
        places = [(mine, bisect_left(mine, since - SLACK, key=_when)) for mine in lists]
        behind = [mine[place] for mine, place in places if place < len(mine)]
        return min(behind, key=lambda one: (one[0], order(one[1])), default=None)


def _when(one: tuple[datetime, Event]) -> datetime:
    return one[0]


def cut(facts: Sequence[Event], memory: ExpectationMemory, until: datetime, flow: Flow) -> Cut[ExpectationMemory]:
    """Where a Source was read further, say what followed and what did not."""
    shown = [event for event in facts if type(event.body) in SHOWN]
    read = [event.at for event in facts if type(event.body) is SourceRead]
    marks = {DOCUMENTS: until, EXECUTIONS: max([memory.executions, *read])}
    memory = replace(memory, executions=marks[EXECUTIONS])
    tables = [_Table(of, shown, flow) for of in flow.expected if _is_seen(of, flow)]
    told = frozenset(memory.met)
    met = [one for table in tables for one in _met(table, told, marks)] if read or until > EPOCH else []
    came, memory = _came(tables, memory)
    memory = _noted(memory, met, flow)
    told |= {key_of(one.of, one.event) for one in met}
    needed = _needed(tables, told, marks)
    kept = [event for event in shown if id(event) in needed]
    after = _forgotten(replace(memory, met=_still(tables, told, needed)), max(marks.values()))
    return Cut(
        closed=tuple(run_of(one, flow) for one in met),
        open=None,
        facts=tuple(kept),
        memory=after,
        waits=_waits(tables, told, after.troubles),
        late=came,
    )


def _is_seen(of: Expectation, flow: Flow) -> bool:
    """Whether what would show its A and its B is read at all."""
    return {WITNESSES[of.after.what], WITNESSES[of.then.what]} <= flow.witnesses


def _met(table: _Table, told: frozenset[str], marks: Mapping[str, datetime]) -> Iterator[Met]:
    """Every A that its B followed, or for which it is too late."""
    of, mark = table.of, marks[WITNESSES[table.of.then.what]]
    for at, event in table.firsts:
        if key_of(of, event) in told:
            continue
        refs = table.refs(event)
        then = table.follows(refs, at)
        deadline = at + of.within
        if then is not None and then[0] <= min(deadline, mark):
            yield Met(of=of, event=event, at=at, ended_at=max(then[0], at), then=then[1], refs=refs)
        elif deadline <= mark:
            yield Met(of=of, event=event, at=at, ended_at=deadline, refs=refs)


def _came(
    tables: Sequence[_Table], memory: ExpectationMemory
) -> tuple[tuple[tuple[str, Event], ...], ExpectationMemory]:
    """What was told as absent and came after all, or had come in time and was not known yet."""
    by_expectation = {table.of.name: table for table in tables}
    late: dict[str, Event] = {}
    for key, one in memory.absent.items():
        table = by_expectation.get(one.name)
        then = table.follows(one.refs, one.since or one.deadline) if table else None
        if then is not None:
            late[key] = then[1]
    absent = {key: one for key, one in memory.absent.items() if key not in late}
    return tuple(late.items()), replace(memory, absent=absent)


def _noted(memory: ExpectationMemory, met: Iterable[Met], flow: Flow) -> ExpectationMemory:
    fresh = {key_of(one.of, one.event): absent_of(one, flow) for one in met if one.then is None}
    absent = {**memory.absent, **fresh}
    newest = sorted(absent, key=lambda key: (absent[key].deadline, key))[-ABSENT:] if len(absent) > ABSENT else absent
    return replace(memory, absent={key: absent[key] for key in newest})


def _troubles(absent: Mapping[str, Absent]) -> Troubles:
    """What stayed away, by expectation: of the newest in a row with less than an hour between two of them."""
    found: Troubles = {}
    for key, one in sorted(absent.items(), key=lambda each: (each[1].deadline, each[0])):
        trouble = Trouble(first=one.deadline, last=one.deadline, example=f"{KEY}#{key}", words=one.words)
        found = noted(found, f"{DETECTOR}/{one.name}", trouble)
    return found


def _needed(tables: Sequence[_Table], told: frozenset[str], marks: Mapping[str, datetime]) -> frozenset[int]:
    """Identities of the facts that are an A which was not told yet, or a B which may still follow one."""
    found: set[int] = set()
    for table in tables:
        read = min(marks[WITNESSES[one.what]] for one in (table.of.after, table.of.then))
        found |= {id(event) for _, event in table.firsts if key_of(table.of, event) not in told}
        found |= {id(event) for at, event in table.thens if at + LATE > read}
    return frozenset(found)


def _still(tables: Sequence[_Table], told: frozenset[str], needed: frozenset[int]) -> tuple[str, ...]:
    """What was told of facts that are kept: they are not told again."""
    keys = {key_of(table.of, event) for table in tables for _, event in table.firsts if id(event) in needed}
    return tuple(sorted(keys & told))


def _forgotten(memory: ExpectationMemory, now: datetime) -> ExpectationMemory:
    """Without what is over."""
    troubles = lasting(_troubles(memory.absent), now)
    lasts = {name: one.first for name, one in troubles.items()}
    return replace(
        memory,
        troubles=troubles,
        absent={
            key: one
            for key, one in memory.absent.items()
            if (first := lasts.get(f"{DETECTOR}/{one.name}")) is not None and first <= one.deadline
        },
    )


def _waits(tables: Sequence[_Table], told: frozenset[str], troubles: Troubles) -> dict[str, datetime]:
    """The marks at which more is known, or at which a trouble is over."""
    found: dict[str, datetime] = {}
    if over := over_at(troubles):
        found[DOCUMENTS] = over
    for table in tables:
        source = WITNESSES[table.of.then.what]
        for at, event in table.firsts:
            if key_of(table.of, event) not in told:
                found[source] = min(found.get(source, at + table.of.within), at + table.of.within)
    return found


def sayings(memory: ExpectationMemory, flow: Flow) -> dict[str, FindingSeen]:
    """What stayed away, by `detector/label`."""
    critical = {of.name: of.criticality for of in flow.expected}
    return {
        name: claimed(name, one, SEVERITIES[critical.get(name.partition("/")[2], "normal")])
        for name, one in by_name(memory.troubles)
    }


def differs(run: Run, event: Event) -> str:
    """What was told as absent, and happened later."""
    return f"it happened at {event.at.isoformat()}" if run.result == "timeout" else ""


KIND = Kind(
    name="expectation",
    source=DOCUMENTS,
    settle=timedelta(0),
    memory=ExpectationMemory,
    cut=cut,
    differs=differs,
    asks=asks,
)
