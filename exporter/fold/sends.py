"""Webhooks that Odoo should have sent, against those that came, what n8n ran for them, and what then changed.

Odoo keeps no history of what an automation rule did and never sends a webhook twice (facts/odoo.md section 3): so what
should have come is concluded from the rules and from the changes of records that polling saw. Nothing is concluded
before every witness was read past the change and the grace behind it. One Subject a tenant; its Runs are sends.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

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
from exporter.domain.runs import Run
from exporter.domain.sources import DOCUMENTS
from exporter.domain.times import MICRO, SECOND, from_micros
from exporter.fold.joining import asked
from exporter.fold.send_judging import Send, conclude, deadlines, pending
from exporter.fold.send_losses import bounded, lose, regain
from exporter.fold.send_matching import Matching
from exporter.fold.send_memory import READ, Draft, Gone, Loss, SendMemory, forget
from exporter.fold.send_runs import DETECTORS, key_of, run_of
from exporter.fold.subjects import Cut, Flow, Kind

KEY = "send/all"
ALWAYS = frozenset({RuleCounted, RecordVanished})  # rules are known before anybody asks what they should have sent
OTHERS = frozenset({FieldChanged, RecordChanged, WebhookReceived, ExecutionSeen, SourceRead})
KEPT = 600 * SECOND  # how long facts are kept that nothing waits for
GONE = 1_000  # dropped ones that are remembered, as they may still come
PENDING = 20_000  # changes and webhooks that wait for a Source which stays dark
HOLD = timedelta(hours=1)  # for so long behind the last one a loss stays open


def concerns(event: Event, flow: Flow) -> bool:
    """Whether an Event says something of webhooks that rules send, beside what it says of its own Subject."""
    kind = type(event.body)
    if kind in ALWAYS:
        return kind is RuleCounted or getattr(event.body, "model", "") == "base.automation"
    return kind in OTHERS and flow.reconciles and (kind is not SourceRead or event.source in READ)


def asks(facts: Iterable[Event]) -> Iterable[str]:
    """Names of records that executions give."""
    return (link for e in facts if isinstance(e.body, ExecutionSeen) for link in asked(e.body.correlation))


def cut(facts: Sequence[Event], memory: SendMemory, until: datetime, flow: Flow) -> Cut[SendMemory]:
    """Take the facts in; where a Source was read further, conclude what can be concluded."""
    del until
    draft = Draft(memory, flow)
    draft.take(facts)
    if not flow.reconciles:  # any more: nobody would hear of what is sent
        return Cut(closed=(), open=None, facts=(), memory=SendMemory(rules=draft.rules))
    late = tuple(_healed(draft))
    regain(draft, [key for key, _ in late])
    sends = list(conclude(draft)) if draft.read else []
    for send in sends:
        _note(draft, send)
    if draft.read:
        _forget(draft)
    return Cut(
        closed=tuple(run_of(send, flow) for send in sends),
        open=None,
        facts=tuple(draft.unplaced),
        memory=draft.done(),
        waits=_waits(draft),
        late=late,
    )


def _healed(draft: Draft) -> Iterator[tuple[str, Event]]:
    """Webhooks that come after they were told as dropped: Odoo does not repeat, but what stands between may."""
    matching = Matching(draft.received, {})
    for key, gone in sorted(draft.gone.items()):
        found = matching.arrival(gone.record, gone.at, gone.ours)
        if found is not None and (event := draft.came.get(found[0])):
            del draft.received[found[0]]
            yield key, event


def _note(draft: Draft, send: Send) -> None:
    """Remember what went wrong."""
    detector = DETECTORS.get(send.outcome)
    if detector is None:
        return
    key = key_of(send)
    loss = Loss(first=send.at, last=send.at, count=1, name=send.rule.name, example=key, record=send.record)
    lose(draft, f"{detector}/{send.number}", loss)
    if send.outcome == "dropped":
        draft.gone[key] = Gone(at=send.at, record=send.record, rule=send.number, ours=send.rule.ours)


def _forget(draft: Draft) -> None:
    """What was acknowledged by time, and facts that nothing waits for any more."""
    held, now = HOLD // MICRO, max(draft.marks.values())
    draft.changes, draft.received = bounded(draft.changes, PENDING), bounded(draft.received, PENDING)
    draft.losses = {name: one for name, one in draft.losses.items() if now < one.last + held}
    lost = {key: one for key, one in draft.gone.items() if f"send.lost/{one.rule}" in draft.losses}
    draft.gone = bounded(lost, GONE)
    read = min(draft.marks.get(source, 0) for source in READ if source in draft.marks or source == DOCUMENTS)
    forget(draft, min([read, *pending(draft)]) - KEPT)


def _waits(draft: Draft) -> dict[str, datetime]:
    """The marks at which more can be said, or at which a loss is over."""
    found = deadlines(draft)
    over = [one.last + HOLD // MICRO for one in draft.losses.values()]
    if over:
        found[DOCUMENTS] = min([found[DOCUMENTS], *over] if DOCUMENTS in found else over)
    return {source: from_micros(at) for source, at in found.items()}


def differs(run: Run, event: Event) -> str:
    """A webhook that was told as dropped, and came."""
    del run
    return f"its webhook came at {event.seen.isoformat()}" if isinstance(event.body, WebhookReceived) else ""


KIND = Kind(
    name="send",
    source=DOCUMENTS,
    settle=timedelta(0),
    memory=SendMemory,
    cut=cut,
    differs=differs,
    asks=asks,
)
