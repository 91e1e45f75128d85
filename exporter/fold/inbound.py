"""Webhooks that Odoo itself receives (`/web/hook/...`): accepted or failed, and by which rule, as far as it is said.

Three lines tell of one call: that a rule was triggered (ir.logging, where the rule logs its calls), that it failed (its
log, always), and what was answered (the access log, which names no rule). None names another, so they are put together
by rule, process and time. One Subject a tenant; a call is told when everything that could belong to it was read.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import LogWritten
from exporter.domain.causes import failure
from exporter.domain.events import Event
from exporter.domain.runs import BAD, Attributes, Failure, Result, Run, known
from exporter.domain.sources import CRONS
from exporter.fold.calls import IN
from exporter.fold.cron_lines import LOG, ROWS
from exporter.fold.inbound_lines import ANSWERED, FAILED, LONGEST, PRECISION, TRIGGERED, Lines, body_of, says_of
from exporter.fold.subjects import Cut, Flow, Kind

KEY = "inbound/all"
WAITS: Mapping[str, timedelta] = {  # how long behind a line everything is known that its call may consist of
    ANSWERED: LONGEST + 2 * PRECISION,
    FAILED: 2 * (LONGEST + 2 * PRECISION),
    TRIGGERED: 3 * (LONGEST + 2 * PRECISION),
}
_ERROR, _BROKEN = 400, 500  # HTTP statuses


class InboundMemory(Struct, frozen=True, kw_only=True, gc=False):
    """Nothing: what is not told yet waits as a fact."""


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """The lines of one call."""

    triggered: Event | None = None
    failed: Event | None = None
    answered: Event | None = None


def subject_of(event: Event) -> str:
    """The Subject of a line about a webhook that Odoo receives; "" for others."""
    body = event.body
    return KEY if isinstance(body, LogWritten) and body.says.startswith("inbound.") else ""


def cut(facts: Sequence[Event], memory: InboundMemory, until: datetime, flow: Flow) -> Cut[InboundMemory]:
    """Tell every call of which nothing more can come; what one of its lines might still need is kept.

    Nothing is kept where nobody reads the Source whose mark it would wait for.
    """
    if not flow.hears(CRONS):
        return Cut(closed=(), open=None, facts=(), memory=memory)
    lines = Lines(_once(facts, flow))
    calls = [_MAKERS[says](lines, one) for says in _MAKERS for one in lines.due(says, until - WAITS[says])]
    runs = sorted((_run(call, flow) for call in calls), key=lambda run: (run.started_at, run.key))
    left = lines.left()
    return Cut(
        closed=tuple(runs),
        open=None,
        facts=tuple(left),
        memory=memory,
        ready_at=min((one.at + WAITS[says_of(one)] for one in left), default=None),
    )


def _once(facts: Sequence[Event], flow: Flow) -> list[Event]:
    """Without the rows of ir.logging that say again what the log itself tells: failures, always."""
    if LOG not in flow.witnesses:
        return list(facts)
    return [one for one in facts if one.source != ROWS or says_of(one) != FAILED]


def _of_answer(lines: Lines, answer: Event) -> Call:
    """The call of an answer: where it is an error of Odoo's, the last failure before it, else a rule that did not."""
    status = body_of(answer).status or 0
    lines.take(answer)
    if status < _ERROR:
        return Call(answered=answer, triggered=lines.take(lines.fine(answer)))
    if status < _BROKEN:
        return Call(answered=answer)
    failed = lines.take(lines.failure(answer))
    return Call(answered=answer, failed=failed, triggered=lines.take(lines.began(failed)) if failed else None)


def _of_failure(lines: Lines, failed: Event) -> Call:
    return Call(failed=lines.take(failed), triggered=lines.take(lines.began(failed)))


def _of_trigger(lines: Lines, triggered: Event) -> Call:
    return Call(triggered=lines.take(triggered))


# In this order, and each so much later: an answer takes what is its own, then a failure, and what is left went well.
_MAKERS: Mapping[str, Callable[[Lines, Event], Call]] = {
    ANSWERED: _of_answer,
    FAILED: _of_failure,
    TRIGGERED: _of_trigger,
}


def _run(call: Call, flow: Flow) -> Run:
    lines = [one for one in (call.triggered, call.failed, call.answered) if one is not None]
    began, ended = min(one.at for one in lines), max(one.at for one in lines)
    rule = next((found for one in lines if (found := body_of(one).rule) is not None), None)
    key = lines[-1].key
    return Run(
        kind="inbound",
        workflow=IN,
        subject=KEY,
        model=f"webhook.{IN}",
        record_id=key.rpartition("0/")[2],
        key=key,
        trace_key="1",
        title=f"Webhook of rule {rule}" if rule else "Webhook of Odoo",
        started_at=began,
        ended_at=ended,
        result=(result := _result(call)),
        failure=_failure(call) if result in BAD else None,
        origin="live" if flow.is_live(ended) else "history",
        attributes=_attributes(call, rule),
    )


def _result(call: Call) -> Result:
    status = body_of(call.answered).status or 0 if call.answered else 0
    return "failure" if call.failed or status >= _ERROR else "success"


def _failure(call: Call) -> Failure:
    if call.failed is not None:
        body = body_of(call.failed)
        return failure(body.error_type or "_OTHER", body.error)
    status = body_of(call.answered).status if call.answered else None
    return failure(str(status), "", status)


def _attributes(call: Call, rule: int | None) -> Attributes:
    found: dict[str, str | int | None] = {
        "http.request.method": "POST",
        "http.route": "/web/hook/{secret}",
        "http.response.status_code": body_of(call.answered).status if call.answered else None,
        "odoo.automation.rule.id": rule,
    }
    return known(found)


KIND = Kind(
    name="inbound",
    source=CRONS,
    settle=timedelta(seconds=30),
    memory=InboundMemory,
    cut=cut,
)
