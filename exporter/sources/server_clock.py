"""The server's clock as its Date headers show it: read from answers that come anyway, no call of its own."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from exporter.clock import Clock
from exporter.errors import BadRecord

SECOND = timedelta(seconds=1)  # what a Date header is cut to
DRIFT = 2e-4  # by so much our clock may run faster than the server's: ten times what a quartz does


class ServerClock:
    """Follows the Date headers of the answers; between them it runs with our own monotonic clock.

    A header is cut to its second, so the server's time lies within the second behind it. The latest moment that no
    header contradicts is kept: after a few answers that is near the truth, where a single header is half a second off,
    and what waits for the second to be over need not wait for another one.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin without having heard the server."""
        self._clock = clock
        self._heard: tuple[datetime, float] | None = None

    @property
    def heard(self) -> bool:
        """Whether an answer carried a date yet."""
        return self._heard is not None

    def hear(self, date_header: str | None) -> None:
        """Take the Date header of an answer that just came; one that is absent or not a date changes nothing."""
        try:
            date = parsedate_to_datetime(date_header or "")
        except ValueError:
            return
        if date.tzinfo is not None:
            self._take(date.astimezone(UTC), self._clock.monotonic())

    def _take(self, date: datetime, since: float) -> None:
        """A header ahead of us corrects us; one that is a whole second behind says that the server went back."""
        if self._heard is None or not date <= self.now() < date + SECOND:
            self._heard = (date, since)

    def now(self) -> datetime:
        """Never later than the truth: a header is cut to its second and older than its arrival.

        But for a server whose clock went back by less than a second: until a header shows it.
        """
        if self._heard is None:
            raise BadRecord("Odoo's answers carry no Date header: let the proxy before Odoo pass it on.")
        date, since = self._heard
        return date + timedelta(seconds=self._clock.monotonic() - since) * (1 - DRIFT)
