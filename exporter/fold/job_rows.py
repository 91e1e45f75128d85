"""Versions of one queue.job row, in the order a poller saw them, cut into episodes.

A row shows one state at a time and a poll sees one version of it, so the order of the times at which they were seen
(`Event.seen`, a fact like any other) is the order they stood in; the dates inside are wiped, kept or rewritten as Odoo
pleases (facts/odoo.md section 5). A requeue begins the next episode, whether or not the end before it was seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.domain.bodies import JobChanged, MessagePosted, RecordVanished
from exporter.domain.events import Event
from exporter.domain.runs import Result

RUNNING = frozenset({"enqueued", "started"})
TERMINAL: dict[str, Result] = {"done": "success", "failed": "failure", "cancelled": "cancellation"}
VANISHED = "vanished"
NO_END = timedelta(seconds=30)  # a failed job found dead posts no message: wait that long for one, then use its start
_RANK = {"wait_dependencies": 0, "pending": 1, "enqueued": 2, "started": 3, "failed": 4, "done": 5, "cancelled": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """What of a version decides whether the next one begins another episode."""

    state: str
    retry: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    uuid: str = ""

    @property
    def over(self) -> bool:
        """Whether the job was no longer going to run."""
        return self.state in TERMINAL or self.state == VANISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an episode ended, when, and when (on the Source's mark) that is certain."""

    at: datetime
    known_at: datetime
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One life of a job, from its creation or a requeue to its end.

    Attributes:
        versions: up to the first one that is over; `after`: changes by hand behind it (failed, then set to done).
        messages: those that say when it failed.
        next_at: when the next episode was first seen, if there is one.
    """

    versions: tuple[Event, ...]
    after: tuple[Event, ...] = ()
    messages: tuple[Event, ...] = ()
    next_at: datetime | None = None

    @property
    def rows(self) -> list[JobChanged]:
        """The versions that show the row."""
        return [e.body for e in self.versions if isinstance(e.body, JobChanged)]

    @property
    def end(self) -> End | None:
        """None while it is open."""
        last = self.versions[-1]
        row = last.body
        if isinstance(row, RecordVanished):
            return End(at=last.at, known_at=last.at, result="cancellation")
        if not isinstance(row, JobChanged) or row.state not in TERMINAL:
            return End(at=self.next_at, known_at=self.next_at, result="unknown") if self.next_at else None
        if row.state != "failed":
            end = _dated_end(row) or last.at
            return End(at=end, known_at=end, result=TERMINAL[row.state])
        start = row.date_started or last.at
        posted = self.posted_at
        return End(at=posted or start, known_at=posted or max(start, last.seen) + NO_END, result="failure")

    @property
    def posted_at(self) -> datetime | None:
        """The newest of the messages that were read first: others are of failures nobody saw, before or behind it."""
        first = min((e.seen for e in self.messages), default=None)
        return max((e.at for e in self.messages if e.seen == first), default=None)

    @property
    def events(self) -> tuple[Event, ...]:
        """Every fact of it."""
        return self.versions + self.after + self.messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Everything the facts say of a job.

    Attributes:
        episodes: those not told yet, in order of time.
        late: versions that belong to the episode told last.
        orphans: messages of failures of which no version is among the facts.
    """

    episodes: tuple[Episode, ...]
    late: tuple[Event, ...]
    orphans: tuple[Event, ...]


def glimpse(event: Event) -> Glimpse:
    """What has to be remembered of a version."""
    row = event.body
    if not isinstance(row, JobChanged):
        return Glimpse(state=VANISHED)
    ended = row.date_done or row.date_cancelled
    return Glimpse(state=row.state, retry=row.retry, started=row.date_started, ended=ended, uuid=row.uuid)


def moment(event: Event) -> datetime:
    """When the row came into this state."""
    row = event.body
    if not isinstance(row, JobChanged):
        return event.at
    dated = {
        "done": row.date_done,
        "cancelled": row.date_cancelled,
        "enqueued": row.date_enqueued,
        "started": row.date_started,
        "failed": row.date_started,
    }
    return dated.get(row.state) or event.at


def life(facts: Sequence[Event], last: Glimpse | None) -> Life:
    """Episodes, from any versions in any order; `last` is the version the episode told last ended with."""
    groups: list[list[Event]] = []
    late: list[Event] = []
    before = last
    for event in sorted((e for e in facts if not isinstance(e.body, MessagePosted)), key=_seen):
        now = glimpse(event)
        if before is None or _begins(before, now):
            groups.append([event])
        elif groups:
            groups[-1].append(event)
        else:
            late.append(event)
        before = now
    posted, orphans = _posted([e for e in facts if isinstance(e.body, MessagePosted)], groups)
    nexts = [moment(group[0]) for group in groups[1:]]
    return Life(
        episodes=tuple(
            _episode(group, posted.get(place, []), nexts[place] if place < len(nexts) else None)
            for place, group in enumerate(groups)
        ),
        late=tuple(late),
        orphans=tuple(orphans),
    )


def _seen(event: Event) -> tuple[datetime, datetime, int, int, str]:
    """The order of versions; behind the first time come ties only, which one poll of one row does not make."""
    row = event.body
    if isinstance(row, JobChanged):
        return (event.seen, event.at, row.retry, _RANK.get(row.state, len(_RANK)), event.key)
    return (event.seen, event.at, 0, len(_RANK) + 1, event.key)


def _begins(before: Glimpse, now: Glimpse) -> bool:
    """Whether a version belongs to another episode than the one seen before it."""
    if now.state == VANISHED:
        return False
    if before.uuid and now.uuid != before.uuid:
        return True  # another job under the same id: the database was restored
    if not before.over:
        return now.retry < before.retry  # requeued between two polls: the counter began again
    if not now.over or before.state == VANISHED or now.started != before.started:
        return True
    by_hand = before.state == "failed"  # set to done or cancelled: the same failure, judged by a person
    return not by_hand and (now.state, now.ended) != (before.state, before.ended)


def _episode(group: Sequence[Event], messages: Sequence[Event], next_at: datetime | None) -> Episode:
    over = next((place for place, event in enumerate(group) if glimpse(event).over), len(group) - 1)
    return Episode(
        versions=tuple(group[: over + 1]),
        after=tuple(group[over + 1 :]),
        messages=tuple(messages),
        next_at=next_at,
    )


def _posted(messages: Iterable[Event], groups: Sequence[Sequence[Event]]) -> tuple[dict[int, list[Event]], list[Event]]:
    """Messages by the place of the episode whose failure they tell: the last one that had started by then."""
    failed = [
        (e.body.date_started or e.at, place)
        for place, group in enumerate(groups)
        for e in group
        if isinstance(e.body, JobChanged) and e.body.state == "failed"
    ]
    found: dict[int, list[Event]] = {}
    orphans: list[Event] = []
    for message in messages:
        mine = max((one for one in failed if one[0] <= message.at), default=None)
        if mine is None:
            orphans.append(message)
        else:
            found.setdefault(mine[1], []).append(message)
    return found, orphans


def _dated_end(row: JobChanged) -> datetime | None:
    """The end: exec_time has microseconds over RPC where the dates have seconds (facts/odoo.md section 5)."""
    if row.state == "done" and row.date_started is not None and row.exec_time:
        return row.date_started + timedelta(seconds=row.exec_time)
    return row.date_done or row.date_cancelled
