"""The server's clock as its Date headers show it: read from answers that come anyway, no call of its own."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from exporter.clock import Clock
from exporter.errors import BadRecord


class ServerClock:
    """Follows the Date header of the latest answer; between answers it runs with our own monotonic clock."""

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
            self._heard = (date.astimezone(UTC), self._clock.monotonic())

    def now(self) -> datetime:
        """Never later than the truth: a header is cut to its second and older than its arrival."""
        if self._heard is None:
            raise BadRecord("Odoo's answers carry no Date header: let the proxy before Odoo pass it on.")
        date, since = self._heard
        return date + timedelta(seconds=self._clock.monotonic() - since)
