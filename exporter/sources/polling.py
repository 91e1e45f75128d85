"""What a polled Source is: asked with its marks, it answers with Events and how far it read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from exporter.domain.events import Event
from exporter.domain.times import require_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row that is not what Odoo promises: left out and counted, with the reason; the rest of the poll stands."""

    row: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll saw. Events and mark changes belong into one transaction: both or neither.

    Attributes:
        began_at: the source's own clock when the poll began, never later than the truth.
        events: in the order they are to be appended.
        mark_changes: key -> mark; None deletes the mark.
        more: there is more to read at once (a backlog); poll again without waiting.
        refused: rows left out.
        read_until: everything that happened up to here was handed out; None while a backlog is being read in another
            order than time's. Timers due by then may fire (decision 2).
        restored_after: the source was put back to an earlier state; what it did up to then is not in it any more.
        missing: what cannot be read here (module not installed, access not given), one sentence each.
        failed: why nothing may be concluded from it; only what it says of what it cannot see any more is kept.
    """

    began_at: datetime
    events: tuple[Event, ...] = ()
    mark_changes: Mapping[str, str | None] = field(default_factory=dict)
    more: bool = False
    refused: tuple[RefusedRow, ...] = ()
    missing: tuple[str, ...] = ()
    failed: str = ""
    read_until: datetime | None = None
    restored_after: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a naive time."""
        require_utc(self.began_at, "Poll.began_at")


class Source(Protocol):
    """What is polled: `system/collection`."""

    @property
    def name(self) -> str:
        """`odoo/crons`, for example; the same in keys, marks, labels and switches."""

    def poll(self, marks: Mapping[str, str]) -> Poll:
        """Read what is new since the marks.

        Raises:
            SourceDown: the source did not answer or refused us; nothing was lost, the marks stand.
            BadRecord: the whole answer is not what the source promises.
        """
