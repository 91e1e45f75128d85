"""The simulated company has the size and the rhythm of a real one."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from exporter.domain.bodies import CronTrigger, JobChanged
from exporter.domain.events import Event
from exporter.sources.simulator import Company, simulated_sources
from tests.fakes.odoo import drained

LIVE = datetime(2026, 11, 20, 9, tzinfo=UTC)  # a Friday
EIGHT_DAYS = Company(seed=1, live=LIVE, days=8)


def told(company: Company, *names: str) -> Iterator[Event]:
    """What its sources tell until four hours after it went live; without names, all of them."""
    for source in simulated_sources(company, lambda: company.live + timedelta(hours=4)):
        if not names or source.name in names:
            yield from (event for poll in drained(source, {}) for event in poll.events)


def test_there_is_more_to_do_in_business_hours() -> None:
    """Workdays are busier than nights and weekends."""
    bodies = [event.body for event in told(EIGHT_DAYS, "odoo/crons", "odoo/jobs")]
    started = [body.date_created for body in bodies if isinstance(body, JobChanged)]
    hours = Counter(at.hour for at in started if at is not None and at.weekday() < 5)
    days = Counter(at.weekday() for at in started if at is not None)
    assert min(hours[hour] for hour in range(8, 16)) > 5 * max(hours[hour] for hour in range(21, 24))
    assert days[5] + days[6] < days[2] / 3
    asked = [body.call_at for body in bodies if isinstance(body, CronTrigger)]
    assert sum(7 <= at.hour < 18 for at in asked) > 0.9 * len(asked)


def test_mondays_and_the_end_of_the_month_are_peaks() -> None:
    """The same weekday has more to do when the month ends; Mondays more than Tuesdays."""
    company = Company(seed=1, live=datetime(2026, 10, 3, 8, tzinfo=UTC), days=33)
    bodies = [event.body for event in told(company, "odoo/jobs")]
    created = {body.job_id: body.date_created for body in bodies if isinstance(body, JobChanged)}
    days = Counter(at.date() for at in created.values() if at is not None)
    weekdays: Counter[int] = Counter()
    for day, number in days.items():
        weekdays[day.weekday()] += number if 6 < day.day < 28 else 0
    assert weekdays[0] > 1.15 * weekdays[1]
    assert days[datetime(2026, 9, 29, tzinfo=UTC).date()] > 1.3 * days[datetime(2026, 9, 22, tzinfo=UTC).date()]


def test_thirty_days_are_of_the_size_that_was_asked_for() -> None:
    """A month of history is 60,000 to 120,000 Events."""
    assert 60_000 <= sum(1 for _ in told(Company(seed=5, live=LIVE))) <= 120_000
