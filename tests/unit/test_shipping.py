"""What of a log goes when, and that what the service could not take is neither lost nor sent as two."""

from collections.abc import Iterable

import pytest

from exporter.shipping import (
    FIRST_WAIT,
    LONGEST_WAIT,
    PATIENCE,
    ROOM,
    TOGETHER,
    Away,
    NotTaken,
    Shipped,
    Shipping,
    patient,
)
from exporter.sources.odoo.log_lines import LONGEST

CRON = "odoo.addons.base.models.ir_cron"


def line(number: int, text: str = "") -> str:
    """A record that tells of a run, in a millisecond of its own."""
    return f"2026-11-25 12:{number // 60_000:02}:{number // 1000 % 60:02},{number % 1000:03} 7 INFO acme {CRON}: " + (
        text or f"Job 'x' ({number}) starting\n"
    )


NOISE = line(5, "nothing of ours\n")


class Service:
    """What was posted, and what time it is."""

    def __init__(self) -> None:
        self.posted: list[list[str]] = []
        self.now = 0.0

    def post(self, texts: list[str]) -> int:
        """Take all."""
        self.posted.append(texts)
        return 0

    def ship(self, bursts: Iterable[Iterable[str]]) -> Shipped:
        """Ship them."""
        return Shipping(post=self.post, progress=lambda _: None, monotonic=lambda: self.now).ship(bursts)

    def sizes(self) -> list[int]:
        """Records of each request."""
        return [len(texts) for texts in self.posted]


def test_silence_sends_what_waits() -> None:
    """One record is enough; a burst that says nothing is no request."""
    service = Service()
    found = service.ship([[line(1)], [], [NOISE], [line(2), line(3)]])
    assert (service.sizes(), found) == ([1, 2], Shipped(lines=4, told=3))


def test_a_stream_that_is_never_silent_is_sent_after_a_second() -> None:
    """What waits goes with the next line that comes then, though that says nothing."""
    service = Service()

    def talking() -> Iterable[str]:
        for tick in range(12):
            yield line(10 + tick) if tick in {0, 1} else NOISE
            service.now += PATIENCE / 5
            if tick == 11:
                assert service.sizes() == [2]

    service.ship([talking()])
    assert service.sizes() == [2]


def test_a_request_has_bounds() -> None:
    """Of records and of characters; a traceback without an end is cut where nobody reads it."""
    service = Service()
    service.ship([[line(number) for number in range(2 * TOGETHER + 1)]])
    assert service.sizes() == [TOGETHER, TOGETHER, 1]
    service = Service()
    long = [line(number) + "x" * 2 * LONGEST for number in range(40)]
    service.ship([long])
    sizes = [sum(map(len, texts)) for texts in service.posted]
    assert (sum(service.sizes()), max(sizes) < ROOM, len(sizes) > 2) == (40, True, True)


def test_equal_moments_stay_together() -> None:
    """The service tells equal records apart by their place in a request (two webhooks of one millisecond)."""
    service = Service()
    service.ship([[*(line(number) for number in range(TOGETHER - 1)), *[line(TOGETHER)] * 3, line(TOGETHER + 1)]])
    assert service.sizes() == [TOGETHER + 2, 1]


def test_whoever_is_away_is_waited_for() -> None:
    """Ever more seldom, the same records each time; said once; afterwards from the beginning."""
    left, slept, said = [Away("It does not answer.")] * 9, list[float](), list[str]()
    posted: list[list[str]] = []

    def post(texts: list[str]) -> int:
        posted.append(texts)
        if left:
            raise left.pop()
        return 3

    again = patient(post, slept.append, said.append)
    assert again(["a", "b"]) == 3
    assert posted == [["a", "b"]] * 10
    assert slept == [FIRST_WAIT * 2**n for n in range(6)] + [LONGEST_WAIT] * 3
    assert said == ["It does not answer. Trying again until it is taken."]
    left.append(Away("It does not answer."))
    assert (again(["c"]), slept[9:]) == (3, [FIRST_WAIT])


def test_what_will_never_be_taken_is_not_tried_again() -> None:
    """A wrong token is no absence."""

    def post(texts: list[str]) -> int:
        raise NotTaken(" ".join(texts))

    with pytest.raises(NotTaken, match="a b"):
        patient(post, lambda _: None, lambda _: None)(["a", "b"])
