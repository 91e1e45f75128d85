"""The n8n Source over the fake n8n, with its marks."""

from typing import Any

from exporter.domain.events import Event
from exporter.sources.n8n.kin import N8nOptions
from exporter.sources.n8n.source import N8nSource
from exporter.sources.polling import Poll
from tests.fakes.n8n import FakeN8n, FakeN8nDoor


class Reader:
    """A Source with its marks, which outlive it; `again` forgets all that is only in memory."""

    def __init__(self, n8n: FakeN8n, **options: Any) -> None:
        self.n8n, self.options = n8n, N8nOptions(**options)
        self.marks: dict[str, str] = {}
        self.door = FakeN8nDoor(n8n)
        self.again()

    def again(self) -> None:
        """Another process."""
        self.source = N8nSource(door=self.door, options=self.options)

    def poll(self) -> Poll:
        """One poll, kept."""
        self.n8n.asked.clear()
        found = self.source.poll(dict(self.marks))
        merged = self.marks | dict(found.mark_changes)
        self.marks = {key: mark for key, mark in merged.items() if mark is not None}
        return found

    def drained(self) -> list[Poll]:
        """Polls until there is no more at once."""
        found = [self.poll()]
        while found[-1].more:
            found.append(self.poll())
        return found

    def told(self) -> list[Event]:
        """The Events of a drained Source."""
        return [event for poll in self.drained() for event in poll.events]


def events_of(*names: str, **options: Any) -> list[Event]:
    """What is told of samples that are all there already."""
    n8n = FakeN8n()
    for name in names:
        n8n.put(name)
    return Reader(n8n, **options).told()
