"""What may be expected of a business: that B happens within some time of A, by what Events show."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from exporter.domain import links
from exporter.domain.bodies import ExecutionSeen, FieldChanged, WebhookReceived
from exporter.domain.events import Event
from exporter.domain.runs import BAD
from exporter.domain.sources import DOCUMENTS, EXECUTIONS

What = Literal["hook", "n8n", "record"]
# The Source that has to be read past a time before it is known that something did not happen by then. Webhooks come by
# themselves: that we are alive and took them in is shown by a poll.
WITNESSES: Mapping[str, str] = {"hook": DOCUMENTS, "n8n": EXECUTIONS, "record": DOCUMENTS}
FINISHED = "n8n.execution.finished"


class Happening(Struct, frozen=True, kw_only=True, gc=False):
    """A webhook, an execution of n8n, or a document that comes into a state.

    `hook`: of hook `name`, its kind or status is `value`; without one it tells of no failure. `n8n`: of workflow
    `name`, it ended with `value`, or else well. `record`: of model `name`, its state is `value`.
    """

    what: What
    name: str
    value: str = ""

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"{self.what}:{self.name}={self.value}" if self.value else f"{self.what}:{self.name}"


class Expectation(Struct, frozen=True, kw_only=True, gc=False):
    """`then` happens within some time of `after`, about the same record unless `by_record` is False."""

    name: str
    after: Happening
    then: Happening
    within: timedelta
    criticality: str = "normal"
    by_record: bool = True


def happened(event: Event, wanted: Happening) -> datetime | None:
    """When it happened; None where the Event is of something else."""
    body = event.body
    match body:
        case WebhookReceived() if wanted.what == "hook" and body.hook == wanted.name:
            told = wanted.value in {body.kind, body.status} if wanted.value else body.result not in BAD
            return event.at if told else None
        case ExecutionSeen() if wanted.what == "n8n" and event.name == FINISHED and body.workflow == wanted.name:
            return (body.stopped_at or event.at) if body.status == (wanted.value or "success") else None
        case FieldChanged() if wanted.what == "record" and body.model == wanted.name:
            return event.at if body.new == wanted.value else None
        case _:
            return None


def named(event: Event) -> tuple[str, ...]:
    """Link keys of the records that an Event is about."""
    body = event.body
    if isinstance(body, WebhookReceived | ExecutionSeen):
        return body.correlation
    return (links.by_id(body.model, body.record_id),) if isinstance(body, FieldChanged) else ()
