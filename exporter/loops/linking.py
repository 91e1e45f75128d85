"""Link keys of one tenant: where they lead, which a batch makes, and the Events that wait for one (they are parked).

Whatever order facts come in, the outcome is the same: an Event that comes before the fact which gives it a Subject is
folded with that fact, as if it had come behind it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.domain.events import Event
from exporter.fold.route import ASKERS, MAKERS, asks, makes
from exporter.store.entries import Stored, Unreadable

KNOWN = 20_000  # link keys kept in memory between batches
_BEHIND = "~"  # behind every Subject's name


@dataclass(slots=True, kw_only=True)
class Linking:
    """What `placed` changes is part of the batch's Commit; `begin` starts the next one.

    Attributes:
        find: the links that are stored, of some keys; `waiting`: the stored Events parked under some keys.
        known: link key -> Subject, as far as it was asked for; handed to every cut as Flow.links.
        made: links that facts of this batch made.
        parked: Events of this batch that have no Subject yet, by the link key they wait for.
        released: link keys for which nobody waits any more.
        unreadable: stored Events that waited and cannot be decoded by this program.
    """

    find: Callable[[Sequence[str]], Mapping[str, str]]
    waiting: Callable[[Sequence[str]], Iterable[Stored | Unreadable]]
    known: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    parked: dict[str, list[Event]] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def begin(self) -> None:
        """Another batch."""
        if len(self.known) > KNOWN:
            self.known.clear()
        self.made, self.parked, self.released, self.unreadable = {}, {}, [], []

    def forget(self) -> None:
        """A Commit was not written: nothing in memory can be trusted."""
        self.known.clear()

    def placed(self, part: Sequence[Event]) -> list[Event]:
        """The Events of a part that have a Subject, and those that waited for the links which the part makes."""
        makers = [event for event in part if type(event.body) in MAKERS]
        made = [one for event in makers for one in makes(event) if self.known.get(one[0], _BEHIND) > one[1]]
        wanted = [link for event in part if type(event.body) in ASKERS and (link := asks(event))]
        self.look_up([*(link for link, _ in made), *wanted])
        fresh = self._changed(made)
        self.known.update(fresh)
        self.made |= fresh
        ready = self._parted(part) if wanted else list(part)
        return [*ready, *self._released(list(fresh))] if fresh else ready

    def look_up(self, links: Iterable[str]) -> None:
        """Know where link keys lead, as far as facts have made them."""
        missing = [link for link in dict.fromkeys(links) if link not in self.known]
        if missing:
            self.known.update(self.find(missing))

    def places(self, stored: Sequence[Stored | Unreadable]) -> list[tuple[str, int]]:
        """(link key, seq) of the Events of this batch that wait; `stored` is the whole batch."""
        if not self.parked:
            return []
        seqs = {id(one.event): one.seq for one in stored if isinstance(one, Stored)}
        return [(link, seqs[id(event)]) for link, events in self.parked.items() for event in events]

    def _changed(self, made: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Links that change what is known: of two Subjects of one name the first by name counts."""
        found: dict[str, str] = {}
        for link, subject in made:
            if subject < (found.get(link) or self.known.get(link, _BEHIND)):
                found[link] = subject
        return found

    def _parted(self, part: Sequence[Event]) -> list[Event]:
        ready: list[Event] = []
        for event in part:
            link = asks(event)
            if link and link not in self.known:
                self.parked.setdefault(link, []).append(event)
            else:
                ready.append(event)
        return ready

    def _released(self, links: Sequence[str]) -> list[Event]:
        found = list(self.waiting(links))
        self.unreadable += [one for one in found if isinstance(one, Unreadable)]
        self.released += [link for link in links if found or link in self.parked]
        own = [event for link in links for event in self.parked.pop(link, ())]
        return [*(one.event for one in found if isinstance(one, Stored)), *own]
