"""What is remembered of the webhooks that automation rules send: rules, and facts that nothing was concluded of yet.

Everything here is kept by key, so that neither the order of facts nor a repeat changes it. Times are microseconds since
1970: by Odoo's clock where Odoo says them, else by ours or n8n's.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from exporter.domain import links
from exporter.domain.bodies import (
    ExecutionSeen,
    FieldChanged,
    RecordChanged,
    RecordVanished,
    RuleCounted,
    SourceRead,
    WebhookReceived,
)
from exporter.domain.events import Event
from exporter.domain.sources import DOCUMENTS, EXECUTIONS, RULES
from exporter.domain.times import SECOND, micros
from exporter.fold.epochs import named, placed
from exporter.fold.subjects import Flow

READ = frozenset({RULES, DOCUMENTS, EXECUTIONS})
ACTION, RECORD, WRITTEN = "odoo.action.id", "odoo.delivery.record", "odoo.record.write_date"
RULE = "base.automation"


class Rule(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One version of a rule, in the words of RuleCounted; `since` when it holds, by its write_date."""

    since: int
    key: str
    name: str = ""
    model: str = ""
    judged: bool = False
    states: tuple[str, ...] = ()
    on_create: bool = False
    from_states: tuple[str, ...] = ()
    except_from: tuple[str, ...] = ()
    ours: tuple[int, ...] = ()
    executed: bool = False


class Change(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A record got into a state, or was made (`old` and `new` are empty)."""

    at: int
    record: str
    old: str = ""
    new: str = ""


class Arrival(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A webhook that came: `at` by Odoo's clock where it says so (`exact`), `came` by ours."""

    at: int
    came: int
    record: str
    action: int = 0
    exact: bool = False


class Execution(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What n8n ran for records; `ended` is 0 while it goes on."""

    began: int
    ended: int
    records: tuple[str, ...] = ()


class Loss(Struct, frozen=True, kw_only=True, gc=False):
    """Webhooks of one rule that went wrong in one way, not long ago: first, last, how many, and an example."""

    first: int
    last: int
    count: int
    name: str
    example: str
    record: str


class Gone(Struct, frozen=True, kw_only=True, gc=False):
    """A webhook that was told as dropped, which may still come."""

    at: int
    record: str
    rule: str
    ours: tuple[int, ...] = ()


class SendMemory(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is remembered.

    Attributes:
        rules: versions by rule id, sorted by (since, key).
        marks: how far each Source was read.
        changes, received, executions: what nothing was concluded of yet, by key.
        versions: seconds in which each record was written, of late; `models`: those whose records are read.
        losses: by `detector/rule`; `gone`: dropped ones by Run key, for as long as their loss is open.
    """

    rules: dict[str, tuple[Rule, ...]] = {}
    marks: dict[str, int] = {}
    changes: dict[str, Change] = {}
    received: dict[str, Arrival] = {}
    executions: dict[str, Execution] = {}
    versions: dict[str, tuple[int, ...]] = {}
    models: tuple[str, ...] = ()
    losses: dict[str, Loss] = {}
    gone: dict[str, Gone] = {}


class Draft:
    """A memory that is being changed: the same tables, not frozen.

    Attributes:
        judged: up to when everything was concluded that does not wait for a grace.
        unplaced: executions that name records nobody knows yet; `came`: webhooks of this cut, by key.
        read: whether a Source was read further.
    """

    def __init__(self, memory: SendMemory, flow: Flow) -> None:
        self.flow = flow
        self.rules, self.marks = dict(memory.rules), dict(memory.marks)
        self.changes, self.received = dict(memory.changes), dict(memory.received)
        self.executions, self.versions = dict(memory.executions), dict(memory.versions)
        self.models = set(memory.models)
        self.losses, self.gone = dict(memory.losses), dict(memory.gone)
        self.judged = self.until(DOCUMENTS, RULES)
        self.unplaced: list[Event] = []
        self.came: dict[str, Event] = {}
        self.read = False

    def until(self, *sources: str) -> int:
        """How far all of some Sources were read; 0 while one never was."""
        return min(self.marks.get(source, 0) for source in sources)

    def done(self) -> SendMemory:
        """As it is kept."""
        return SendMemory(
            rules=self.rules,
            marks=self.marks,
            changes=self.changes,
            received=self.received,
            executions=self.executions,
            versions=self.versions,
            models=tuple(sorted(self.models)),
            losses=self.losses,
            gone=self.gone,
        )

    def take(self, facts: Iterable[Event]) -> None:
        """Every fact into its table; how far Sources were read comes last, it closes what came with it."""
        marks: list[Event] = []
        for event in facts:
            kind = type(event.body)
            if kind is SourceRead:
                marks.append(event)
            elif kind not in LIVE or self.flow.is_live(event.at):  # nothing of the past could reach us
                _TAKERS[kind](self, event, event.body)
        for event in marks:
            self.marks[event.source] = max(self.marks.get(event.source, 0), micros(event.at))
            self.read = True

    def counted(self, event: Event, body: RuleCounted) -> None:
        """A rule as it was read."""
        self._rule(str(body.rule_id), _version(event, body))

    def _rule(self, number: str, version: Rule) -> None:
        known = {one.key: one for one in self.rules.get(number, ())} | {version.key: version}
        self.rules[number] = tuple(sorted(known.values(), key=lambda one: (one.since, len(one.key), one.key)))

    def vanished(self, event: Event, body: RecordVanished) -> None:
        """It is gone since some time after it was last read."""
        if body.model == RULE and (known := self.rules.get(str(body.record_id))):
            since = max(self.marks.get(RULES, micros(event.at)), known[-1].since)
            self._rule(str(body.record_id), Rule(since=since, key=f"~{event.key}", name=known[-1].name))

    def changed(self, event: Event, body: FieldChanged) -> None:
        """A record got into a state."""
        record = links.by_id(body.model, body.record_id)
        change = Change(at=micros(event.at), record=record, old=body.old or "", new=body.new or "")
        self.changes[f"{record}/{named(placed(event, body.tracking_id))}"] = change

    def written(self, event: Event, body: RecordChanged) -> None:
        """A version of a record; what makes it be, if nothing was concluded of that time."""
        record, second = links.by_id(body.model, body.record_id), micros(event.at) // SECOND * SECOND
        self.models.add(body.model)
        self.versions[record] = tuple(sorted({*self.versions.get(record, ()), second}))
        made = body.create_date
        if made is not None and self.flow.is_live(made) and micros(made) > self.judged:
            self.changes[f"{record}/created"] = Change(at=micros(made), record=record)

    def arrived(self, event: Event, body: WebhookReceived) -> None:
        """A webhook of Odoo's."""
        said = dict(body.attributes)
        if not self.flow.posts_natively(body.hook) or RECORD not in said:
            return
        exact = WRITTEN in said and body.started_at is not None
        key = f"{body.hook}/{body.delivery}"
        self.came[key] = event
        self.received[key] = Arrival(
            at=micros(body.started_at if exact and body.started_at else event.at),
            came=micros(event.seen),
            record=str(said[RECORD]),
            action=int(said.get(ACTION, 0)),
            exact=exact,
        )

    def executed(self, event: Event, body: ExecutionSeen) -> None:
        """Retries, error workflows and sub-workflows run because of another execution, not because of a webhook."""
        if not body.correlation or body.retry_of or body.parent:
            return
        found = {links.direct(link) or self.flow.links.get(link, "") for link in body.correlation}
        records = {f"{model},{number}" for model, number in map(links.reference, found) if model}
        if not records:
            self.unplaced.append(event)
            return
        final = event.name == "n8n.execution.finished"
        ended = micros(body.stopped_at or event.at) if final else 0
        known = self.executions.get(body.execution)
        if known is None or ended >= known.ended:
            one = Execution(began=micros(body.started_at), ended=ended, records=tuple(sorted(records)))
            self.executions[body.execution] = one


LIVE = frozenset({FieldChanged, WebhookReceived, ExecutionSeen})
_TAKERS: Mapping[type[Any], Callable[[Draft, Event, Any], None]] = {
    RuleCounted: Draft.counted,
    RecordVanished: Draft.vanished,
    FieldChanged: Draft.changed,
    RecordChanged: Draft.written,
    WebhookReceived: Draft.arrived,
    ExecutionSeen: Draft.executed,
}


def _version(event: Event, body: RuleCounted) -> Rule:
    return Rule(
        since=micros(event.at),
        key=event.key,
        name=body.name,
        model=body.model,
        judged=body.active and not body.unevaluable and bool(body.webhooks),
        states=body.states,
        on_create=body.on_create,
        from_states=body.from_states,
        except_from=body.except_from,
        ours=body.ours,
        executed=bool(body.n8n),
    )


def forget(draft: Draft, before: int) -> None:
    """Without what is older and concerns nobody any more."""
    draft.versions = {
        record: kept
        for record, seconds in draft.versions.items()
        if (kept := tuple(second for second in seconds if second >= before))
    }
    draft.executions = {key: one for key, one in draft.executions.items() if max(one.began, one.ended) >= before}
    draft.unplaced = [event for event in draft.unplaced if micros(event.at) >= before]
    for number, versions in list(draft.rules.items()):
        old = sum(one.since < before for one in versions)
        draft.rules[number] = versions[max(old - 1, 0) :]
