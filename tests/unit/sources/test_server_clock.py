"""The server's clock from Date headers that are cut to the second: near the truth, and never later than it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import StepClock
from exporter.errors import BadRecord
from exporter.sources.server_clock import ServerClock
from tests.searching import searching

T0 = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Server:
    """A server whose true time runs with ours, `ahead` of it."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.clock = StepClock(T0)
        self.shown = ServerClock(self.clock)
        self.ahead = timedelta(seconds=ahead)

    @property
    def truth(self) -> datetime:
        """Its time."""
        return self.clock.now() + self.ahead

    def answer(self, transit: float = 0.0) -> None:
        """One answer, heard `transit` seconds after its header was made."""
        header = format_datetime(self.truth.replace(microsecond=0), usegmt=True)
        self.clock.step(transit)
        self.shown.hear(header)

    def behind(self) -> float:
        """By how much it is believed to be earlier than it is."""
        return (self.truth - self.shown.now()).total_seconds()


@searching(200)
@given(
    st.floats(0, 0.999),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2)), min_size=1, max_size=30),
    st.floats(0, 5),
)
def test_it_is_never_later_than_the_truth(ahead: float, answers: list[tuple[float, float]], since: float) -> None:
    """Whenever answers come and however long they take, what is said has been (decision 2)."""
    server = Server(ahead)
    for pause, transit in answers:
        server.clock.step(pause)
        server.answer(transit)
        assert server.behind() >= 0
    server.clock.step(since)
    assert server.behind() >= 0


def test_many_headers_are_nearer_to_the_truth_than_one() -> None:
    """Ten answers in a second leave a tenth of it unknown, where the newest alone leaves up to all of it."""
    server = Server(ahead=0.95)
    server.answer()
    assert server.behind() == pytest.approx(0.95)
    for _ in range(10):
        server.clock.step(0.1)
        server.answer()
    assert server.behind() <= 0.1
    server.clock.step(3.7)
    assert server.behind() <= 0.1


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 86_400.0, 0.5])
def test_a_clock_that_jumps_is_followed(jump: float) -> None:
    """R14: back by a second or a day, or forth, the next header is believed."""
    server = Server(ahead=0.5)
    server.answer()
    server.ahead += timedelta(seconds=jump)
    server.answer()
    assert 0 <= server.behind() <= 1


def test_a_clock_that_goes_back_a_little_is_found_out() -> None:
    """A step back of less than a second is believed as soon as a header contradicts us."""
    server = Server()
    server.answer()
    server.ahead -= timedelta(seconds=0.3)
    for _ in range(20):
        server.clock.step(0.13)
        server.answer()
    assert 0 <= server.behind() <= 1


def test_it_follows_a_clock_that_is_slower_than_ours() -> None:
    """Our seconds and the server's differ a little: a day without a restart is not a day's difference off."""
    server = Server(ahead=0.2)
    for _ in range(5000):
        server.clock.step(1.37)
        server.ahead -= timedelta(microseconds=137)
        server.answer()
        assert 0 <= server.behind() <= 1


def test_without_a_date_nothing_is_said() -> None:
    """A header that is absent or no date changes nothing, and before the first one there is no time."""
    server = Server()
    for header in (None, "", "yesterday", "Wed, 25 Nov 2026 10:00:00"):
        server.shown.hear(header)
    assert not server.shown.heard
    with pytest.raises(BadRecord, match="Date"):
        server.shown.now()
