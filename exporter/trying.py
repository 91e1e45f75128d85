"""What a payload would become, without a store and without a network: deliveries, and the Runs they would tell."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime, timedelta

import msgspec

from exporter.config import Config
from exporter.domain.bodies import WebhookReceived
from exporter.domain.events import Event
from exporter.domain.posted import Posted
from exporter.domain.runs import Run
from exporter.domain.tenants import Tenant
from exporter.fold.advance import advance, begin
from exporter.fold.deliveries import subject_of
from exporter.fold.subjects import Flow
from exporter.fold.tell import tell
from exporter.hooks import PARSERS, parser
from exporter.sources.mapped import event_of, load_mapping, parse
from exporter.terminal import tree

NOBODY = Tenant(name="try", database="try", uuid="")
LATER = timedelta(days=1)


def means(source: str, config: Config | None) -> Callable[[Posted], tuple[WebhookReceived, ...]]:
    """What a hook of the configuration, a shipped mapping or a file of one makes of a payload. Raises ConfigError."""
    hooks = [hook for database in (config.databases if config else ()) for hook in database.hooks]
    found = next((hook for hook in hooks if hook.name == source), None)
    if found is not None:
        return parser(found)
    own = PARSERS.get(source)
    if own is not None:
        return own
    definition = load_mapping(source)
    return lambda posted: parse(definition, posted)


def shown(bodies: Sequence[WebhookReceived], posted: Posted) -> Iterator[str]:
    """The lines of an answer: every field that is not empty, then the Runs as trees. Nothing of the payload else."""
    events = [event_of(posted, body) for body in bodies]
    for event in events:
        yield f"{event.name}  {event.at.isoformat()}  {event.key}"
        yield from (f"  {name}: {value}" for name, value in _said(event.body))
    for run in _runs(events, posted.received_at):
        yield ""
        yield f"{run.subject}: {run.result or 'goes on'}" + (
            f", in the trace of {run.joins.model} {run.joins.record_id}" if run.joins else ""
        )
        yield from tree(tell(run, NOBODY).spans)


def _said(body: object) -> Iterator[tuple[str, str]]:
    for of in fields(body):  # type: ignore[arg-type] # every body is a dataclass
        value = getattr(body, of.name)
        if value not in {None, "", ()}:
            yield of.name, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _runs(events: Sequence[Event], now: datetime) -> Iterator[Run]:
    by_subject: dict[str, list[Event]] = {}
    for event in events:
        assert isinstance(event.body, WebhookReceived)  # noqa: S101 - event_of makes no others
        by_subject.setdefault(subject_of(event.body), []).append(event)
    for key, mine in by_subject.items():
        advanced = advance(begin(key), mine, Flow(tenant=NOBODY), now + LATER)
        yield from (run for run, _ in advanced.closed)
        if advanced.open is not None:
            yield advanced.open
