"""A door through which at most so many calls a minute go, because hosts count them."""

from collections.abc import Sequence
from datetime import datetime
from threading import Event as Flag

from exporter.clock import Clock
from exporter.sources.odoo.door import JSON, Domain, Door, Row

MINUTE = 60.0


class Throttled:
    """A Door that keeps its calls apart, evenly: a burst at the start of a minute would be one for the host, too."""

    def __init__(self, door: Door, per_minute: int, clock: Clock) -> None:
        """`per_minute` is above 0."""
        self._door, self._every, self._clock = door, MINUTE / per_minute, clock
        self._next = clock.monotonic()

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """See Door."""
        self._wait()
        return self._door.call(model, method, **named)

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """See Door."""
        self._wait()
        return self._door.search_read(model, domain, fields, order=order, limit=limit)

    def server_time(self) -> datetime:
        """See Door."""
        return self._door.server_time()

    def version(self) -> tuple[int, int]:
        """See Door."""
        return self._door.version()

    def _wait(self) -> None:
        """Until this call may go; the next one may go so much later."""
        now = self._clock.monotonic()
        if now < self._next:
            self._clock.wait(Flag(), self._next - now)
        self._next = max(now, self._next) + self._every
