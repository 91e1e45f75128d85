"""How each send went, as soon as that is known: a pure function of what is remembered and how far Sources were read."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from exporter.domain.sources import DOCUMENTS, EXECUTIONS, RULES
from exporter.domain.times import MICRO, SECOND
from exporter.fold.send_matching import TRANSACTION, Matching
from exporter.fold.send_memory import Arrival, Change, Draft, Execution, Rule

Outcome = Literal["complete", "dropped", "rolled_back", "not_executed", "unchanged"]
EVERY = "*"


class Send(Struct, frozen=True, kw_only=True):
    """One webhook of one rule that is judged; a change is missing where it was rolled back.

    Attributes:
        key: names it among those of the rule.
        arrival, execution: (key, what it was), where they were found.
    """

    number: str
    rule: Rule
    key: str
    at: int
    record: str
    outcome: Outcome
    arrival: tuple[str, Arrival] | None = None
    execution: tuple[str, Execution] | None = None


def conclude(draft: Draft) -> Iterator[Send]:
    """Every send of which all is known that will be known, oldest change first; what is concluded is forgotten."""
    matching = Matching(draft.received, draft.executions)
    for key, change in sorted(draft.changes.items(), key=lambda one: (one[1].at, one[0])):
        if change.at > draft.until(DOCUMENTS, RULES):
            continue
        rules = [(number, rule) for number, rule in in_force(draft, change.at) if fires(rule, change)]
        sends = [_send(draft, rule, (key, change), matching) for rule in rules]
        if None not in sends:
            del draft.changes[key]
            yield from (_forgotten(draft, send) for send in sends if send is not None)
    yield from _rolled_back(draft, matching)


def in_force(draft: Draft, at: int) -> Iterator[tuple[str, Rule]]:
    """The version of every rule at a time."""
    for number, versions in sorted(draft.rules.items(), key=lambda one: (len(one[0]), one[0])):
        found = [one for one in versions if one.since <= at]
        if found:
            yield number, found[-1]


def fires(rule: Rule, change: Change) -> bool:
    """Whether a change makes a rule send."""
    if not rule.judged or rule.model != change.record.partition(",")[0]:
        return False
    if not change.new and not change.old:
        return rule.on_create
    if rule.from_states and change.old not in rule.from_states:
        return False
    return change.old not in rule.except_from and (EVERY in rule.states or change.new in rule.states)


def deadlines(draft: Draft) -> dict[str, int]:
    """Up to when which Source has to be read before more can be said."""
    grace, moments = draft.flow.grace // MICRO, pending(draft)
    left = [one.ended + grace for one in draft.executions.values() if one.ended]
    wanted = {
        DOCUMENTS: [*(at + grace for at in moments), *left],
        RULES: moments,
        EXECUTIONS: [one.at + grace for one in draft.changes.values()] if _is_executed(draft) else [],
    }
    return {
        source: min(open_)
        for source, moments in wanted.items()
        if (open_ := [at for at in moments if at > draft.marks.get(source, 0)])
    }


def pending(draft: Draft) -> list[int]:
    """The times of everything of which nothing was concluded yet."""
    return [*(one.at for one in draft.changes.values()), *(one.at for one in draft.received.values())]


def _is_executed(draft: Draft) -> bool:
    return EXECUTIONS in draft.flow.witnesses and any(one.executed for each in draft.rules.values() for one in each)


def _send(draft: Draft, rule: tuple[str, Rule], change: tuple[str, Change], matching: Matching) -> Send | None:
    """How one went, None while that is not known."""
    (number, of), (key, what) = rule, change
    arrival = matching.arrival(what.record, what.at, of.ours) if of.ours else None

    def ended(outcome: Outcome, execution: tuple[str, Execution] | None = None) -> Send:
        return Send(
            number=number,
            rule=of,
            key=key,
            at=what.at,
            record=what.record,
            outcome=outcome,
            arrival=arrival,
            execution=execution,
        )

    late = what.at + draft.flow.grace // MICRO
    if of.ours and arrival is None:
        return ended("dropped") if late <= draft.until(DOCUMENTS) else None
    if not of.executed or EXECUTIONS not in draft.flow.witnesses:
        return ended("complete")
    found = matching.execution(what.record, what.at, late - what.at)
    over = late <= draft.until(EXECUTIONS)
    if found is None:
        return ended("not_executed") if over else None
    outcome = _left(draft, what.record, found[1], over=over)
    return ended(outcome, found) if outcome else None


def _left(draft: Draft, record: str, execution: Execution, *, over: bool) -> Outcome | None:
    """What an execution left in Odoo; a version of the second in which it began counts for it."""
    if not execution.ended:
        return "complete" if over else None
    second = execution.began // SECOND * SECOND
    if any(one >= second for one in draft.versions.get(record, ())):
        return "complete"
    return "unchanged" if execution.ended + draft.flow.grace // MICRO <= draft.until(DOCUMENTS) else None


def _rolled_back(draft: Draft, matching: Matching) -> Iterator[Send]:
    """Webhooks that came for something that is not in Odoo; those of which nobody can say it are forgotten."""
    grace = draft.flow.grace // MICRO
    for key, one in sorted(draft.received.items(), key=lambda each: (each[1].at, each[0])):
        if key in matching.taken or one.at + grace > draft.until(DOCUMENTS) or one.at > draft.until(RULES):
            continue
        del draft.received[key]
        rules = [(number, rule) for number, rule in in_force(draft, one.at) if one.action in rule.ours]
        for number, rule in rules[:1]:
            if _is_undone(draft, one, judged=rule.judged):
                yield Send(
                    number=number,
                    rule=rule,
                    key=key,
                    at=one.at,
                    record=one.record,
                    outcome="rolled_back",
                    arrival=(key, one),
                )


def _is_undone(draft: Draft, one: Arrival, *, judged: bool) -> bool:
    """Whether the record has no version of the transaction that sent it.

    Where it can be judged which changes make the rule send, none was seen: a later version proves nothing. Where it
    cannot, any later version may hide the one that is looked for.
    """
    if one.record.partition(",")[0] not in draft.models:
        return False
    seconds = draft.versions.get(one.record, ())
    second = one.at // SECOND * SECOND
    if one.exact and judged:
        return second not in seconds
    return (one.exact or judged) and not any(s >= (second if one.exact else one.at - TRANSACTION) for s in seconds)


def _forgotten(draft: Draft, send: Send) -> Send:
    """What belonged to it is taken out of what is remembered; an execution may serve another record."""
    if send.arrival:
        draft.received.pop(send.arrival[0], None)
    if send.execution and (run := draft.executions.pop(send.execution[0], None)):
        others = tuple(record for record in run.records if record != send.record)
        if others:
            draft.executions[send.execution[0]] = replace(run, records=others)
    return send
