"""Subjects that an Event says something of beside its own: what should have come, was too slow, has to follow."""

from collections.abc import Callable, Iterator

from exporter.domain.events import Event
from exporter.fold import expectations, integrations, sends
from exporter.fold.subjects import Flow

LISTENERS: tuple[tuple[str, Callable[[Event, Flow], bool]], ...] = (
    (sends.KEY, sends.concerns),
    (integrations.KEY, integrations.concerns),
    (expectations.KEY, expectations.concerns),
)


def overhearing(event: Event, flow: Flow) -> Iterator[str]:
    """The Subjects that an Event is given to, too."""
    return (key for key, concerns in LISTENERS if concerns(event, flow))
