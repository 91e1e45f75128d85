"""A send that is judged, as a Run: in the trace of the record it is about, named by its rule."""

from collections.abc import Mapping

from exporter.domain.runs import Attributes, Failure, Result, Run, known
from exporter.domain.times import from_micros
from exporter.fold.joining import joined
from exporter.fold.send_judging import Outcome, Send
from exporter.fold.send_memory import RULE
from exporter.fold.subjects import Flow

# What each way to go wrong is called as a claim: the record changed and nobody was told, or the other way round.
DETECTORS: Mapping[str, str] = {
    "dropped": "send.lost",
    "not_executed": "send.unexecuted",
    "rolled_back": "send.rolled_back",
}
RESULTS: Mapping[Outcome, Result] = {
    "complete": "success",
    "dropped": "failure",
    "rolled_back": "failure",
    "not_executed": "failure",
    "unchanged": "partial",
}
WORDS: Mapping[str, str] = {
    "dropped": "Odoo changed the record and its webhook did not come.",
    "rolled_back": "The webhook came, and what it tells of is not in Odoo: its transaction failed.",
    "not_executed": "Odoo changed the record and n8n ran nothing for it.",
}


def key_of(send: Send) -> str:
    """The Run's key: the rule, and the change or the delivery."""
    return f"{send.number}/{send.key}"


def run_of(send: Send, flow: Flow) -> Run:
    """What is told of it; it lasts from the change to the last that is known of it."""
    ends = [send.at, *([send.arrival[1].came] if send.arrival else [])]
    ends += [send.execution[1].ended] if send.execution else []
    return Run(
        kind="send",
        workflow=send.number,
        subject="send/all",
        model=RULE,
        record_id=send.number,
        key=key_of(send),
        trace_key=key_of(send),
        title=send.rule.name,
        started_at=from_micros(send.at),
        ended_at=from_micros(max(ends)),
        result=RESULTS[send.outcome],
        failure=_failure(send),
        origin="live",
        attributes=_attributes(send),
        joins=joined((send.record,), flow),
    )


def _failure(send: Send) -> Failure | None:
    """Odoo's words, if there are any, stand in its log and name no record (fold/calls.py): so the cause is unknown."""
    words = WORDS.get(send.outcome)
    return Failure(type=DETECTORS[send.outcome], message=words) if words else None


def _attributes(send: Send) -> Attributes:
    found: dict[str, str | int | bool | None] = {
        "odoo.automation.rule.id": int(send.number),
        "odoo.automation.rule.name": send.rule.name,
        "odoo.send.outcome": send.outcome,
        "odoo.send.record": send.record,
        "odoo.send.expected": send.outcome != "rolled_back",
        "odoo.send.received": send.arrival is not None,
        "odoo.send.executed": send.execution is not None,
        "odoo.delivery.id": send.arrival[0].partition("/")[2] if send.arrival else None,
        "n8n.execution.id": send.execution[0] if send.execution else None,
    }
    return known(found)
