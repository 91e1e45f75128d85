"""Integrations that are slower than their operator tolerates: deliveries that came late, executions that took long.

One Subject a tenant hears of what has a tolerance (`latency_tolerance`), beside the Run that tells of it. A claim is as
severe as the integration is critical, and over an hour behind the last slow one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import ExecutionSeen, FindingSeen, WebhookReceived
from exporter.domain.events import Event
from exporter.domain.runs import Attributes
from exporter.domain.sources import DOCUMENTS
from exporter.domain.times import SECOND, in_words
from exporter.fold.execution_numbers import working
from exporter.fold.happening import FINISHED
from exporter.fold.subjects import Cut, Flow, Integration, Kind
from exporter.fold.troubles import SEVERITIES, Trouble, Troubles, by_name, claimed, lasting, noted, over_at

KEY = "integration/all"
DETECTOR = "integration.slow"
HEARD = frozenset({WebhookReceived, ExecutionSeen})
CLOSED = {DETECTOR: "Nothing was slow since, for an hour."}


class IntegrationMemory(Struct, frozen=True, kw_only=True, gc=False):
    """What was slow of late, by `detector/label`."""

    troubles: Troubles = {}


class Took(Struct, frozen=True, kw_only=True, gc=False):
    """How long one delivery or execution took, of which integration, and when that was known."""

    label: str
    seconds: float
    at: datetime
    words: str


def concerns(event: Event, flow: Flow) -> bool:
    """Whether it is of an integration of which is said how long it may take."""
    found = of_event(event, flow) if type(event.body) in HEARD else None
    return found is not None and found.tolerance is not None


def of_event(event: Event, flow: Flow) -> Integration | None:
    """What the operator said of the integration that an Event is of."""
    body = event.body
    if isinstance(body, WebhookReceived):
        return flow.hooks.get(body.hook)
    return flow.engine if isinstance(body, ExecutionSeen) else None


def slowness(event: Event, flow: Flow) -> Took | None:
    """What took longer than is tolerated; None where nothing did, or nothing is said of it."""
    found, took = of_event(event, flow), _took(event)
    if found is None or found.tolerance is None or took is None:
        return None
    return took if took.seconds > found.tolerance / timedelta(seconds=1) else None


def tolerated(event: Event, flow: Flow) -> Attributes:
    """What a Run says of the integration that it is of, where something was said of how long it may take."""
    found = of_event(event, flow)
    if found is None or found.tolerance is None:
        return ()
    slow = (("odoo.integration.slow", True),) if slowness(event, flow) else ()
    return (("odoo.integration.criticality", found.criticality), *slow)


def _took(event: Event) -> Took | None:
    """Of a delivery from the sender's event to us; of an execution that is over the time in which it worked.

    Without its nodes nobody knows for how long it waited, and for whom: then nothing is said.
    """
    body = event.body
    if isinstance(body, WebhookReceived):
        seconds = (event.seen - event.at) / timedelta(seconds=1)
        words = f"{body.kind or 'delivery'} {body.delivery} came {in_words(seconds)} after it happened"
        return Took(label=f"hook/{body.hook}", seconds=seconds, at=event.seen, words=words)
    if isinstance(body, ExecutionSeen) and event.name == FINISHED and body.stopped_at is not None and body.nodes:
        seconds = working(body.started_at, body.stopped_at, [one for one in body.nodes if one.wait]) / SECOND
        words = f"execution {body.execution} of {body.workflow or body.workflow_id} took {in_words(seconds)}"
        return Took(label="n8n", seconds=seconds, at=body.stopped_at, words=words)
    return None


def cut(facts: Sequence[Event], memory: IntegrationMemory, until: datetime, flow: Flow) -> Cut[IntegrationMemory]:
    """Note what was slow, and forget what is over."""
    troubles = memory.troubles
    for event in facts:
        slow, found = slowness(event, flow), of_event(event, flow)
        if slow is not None and found is not None and found.tolerance is not None and flow.is_live(slow.at):
            more = (
                f", {in_words(found.tolerance / timedelta(seconds=1))} are tolerated (criticality {found.criticality})."
            )
            trouble = Trouble(
                first=slow.at, last=slow.at, example=event.key, words=f"{slow.words}{more}", worst=slow.seconds
            )
            troubles = noted(troubles, f"{DETECTOR}/{slow.label}", trouble)
    troubles = lasting(troubles, until)
    over = over_at(troubles)
    return Cut(
        closed=(),
        open=None,
        facts=(),
        memory=IntegrationMemory(troubles=troubles),
        waits={DOCUMENTS: over} if over else {},
    )


def sayings(memory: IntegrationMemory, flow: Flow) -> dict[str, FindingSeen]:
    """What is slow, by `detector/label`."""
    return {name: _claim(name, one, flow) for name, one in by_name(memory.troubles)}


def _claim(name: str, one: Trouble, flow: Flow) -> FindingSeen:
    label = name.partition("/")[2]
    found = flow.engine if label == "n8n" else flow.hooks.get(label.partition("/")[2])
    tolerance = found.tolerance / timedelta(seconds=1) if found is not None and found.tolerance is not None else None
    return claimed(name, one, SEVERITIES[found.criticality if found else "normal"], tolerance)


KIND = Kind(
    name="integration",
    source=DOCUMENTS,
    settle=timedelta(0),
    memory=IntegrationMemory,
    cut=cut,
)
