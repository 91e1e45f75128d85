"""Values of rows: what cannot be true is refused before it can stop the fold."""

from datetime import UTC, datetime

import pytest

from exporter.domain.redact import Secret
from exporter.errors import BadRecord
from exporter.sources.odoo import rows
from exporter.sources.odoo.door import Access, fault


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (rows.integer, 10**25),
        (rows.integer, -(10**25)),
        (rows.number, 1e300),
        (rows.seconds, 1e12),
        (rows.link, 10**25),
        (rows.required_instant, "9999-12-31 00:00:00"),
        (rows.required_instant, "0001-01-01 00:00:00"),
        (rows.required_instant, "2026-13-01 00:00:00"),
        (rows.required_instant, "2026-01-01T00:00:00"),
        (rows.required_instant, "20260101 000000.0000"),
        (rows.required_instant, "2026-W01-1 00:00:00"),
        (rows.required_instant, "2026-01-01 00:00"),
    ],
)
def test_a_value_that_cannot_be_is_refused(read: object, value: object) -> None:
    """An id of 10^25, work of 30,000 years, a date in 9999: the row is left out and counted (R7)."""
    assert callable(read)
    with pytest.raises(BadRecord):
        read({"id": 1, "field": value}, "field")


def test_never_is_no_date() -> None:
    """An action planned for 9999 is one that never runs: it has no next call, and stays visible."""
    assert rows.instant({"id": 1, "nextcall": "9999-12-31 23:59:59"}, "nextcall") is None
    assert rows.instant({"id": 1, "nextcall": "2099-01-01 00:00:00"}, "nextcall") == datetime(2099, 1, 1, tzinfo=UTC)


def test_days_and_seconds_that_are_seldom_are_dates() -> None:
    """R14: 29 February of a leap year and a leap second cost no row."""
    for value, at in (
        ("2028-02-29 12:00:00", datetime(2028, 2, 29, 12, tzinfo=UTC)),
        ("2016-12-31 23:59:60", datetime(2017, 1, 1, tzinfo=UTC)),
    ):
        assert rows.instant({"id": 1, "field": value}, "field") == at


def test_a_key_that_odoo_echoes_is_not_said_again() -> None:
    """Even a short API key in Odoo's own words is masked (R15)."""
    access = Access(url="http://odoo.test", database="db", user="mon", key=Secret("short-key"))
    said = fault(500, "builtins.ValueError", "bad key short-key", model="ir.cron", access=access)
    assert "short-key" not in str(said)
    assert "[REDACTED]" in str(said)
