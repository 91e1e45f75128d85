"""Metrics on their way to a Sink: everything once a round, what is refused searched by halves, trouble counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.loops import reporting
from exporter.loops.reporting import Reporting, requests
from exporter.sinks import Bisect, Delivered, ExportResult, Misconfigured, Rejected, Retry, Row
from exporter.telemetry.otlp import Signal

ROWS: Sequence[Row] = [(b"place", bytes([n])) for n in range(10)]


@dataclass
class Scripted:
    """A Sink that refuses some rows, and answers otherwise as it is told."""

    bad: frozenset[bytes] = frozenset()
    answers: list[ExportResult] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    asked: int = 0

    def export(self, signal: Signal, rows: Sequence[Row]) -> ExportResult:
        """One request."""
        assert signal == "metrics"
        self.asked += 1
        bodies = [body for _, body in rows]
        if self.answers:
            return self.answers.pop(0)
        if self.bad & set(bodies):
            return Bisect(reason="http_400") if len(rows) > 1 else Rejected(reason="http_400", detail="no")
        self.taken += bodies
        return Delivered()

    def close(self) -> None:
        """Nothing is open."""


def test_every_metric_is_sent_once_a_round() -> None:
    """All rows in their order, in one request while they are small, and again the next time."""
    sink = Scripted()
    loop = Reporting(take=lambda: ROWS, sink=sink)
    assert [loop.step(), loop.step()] == [False, False]
    assert sink.taken == [body for _, body in ROWS] * 2
    assert sink.asked == 2


def test_large_reports_are_several_requests() -> None:
    """No request is much larger than the limit, and nothing is left out."""
    rows = [(b"", b"x" * (reporting.SIZE // 3)) for _ in range(10)]
    parts = requests(rows)
    assert [len(part) for part in parts] == [4, 4, 2]
    assert [row for part in parts for row in part] == rows
    assert requests([]) == []


def test_a_bad_metric_does_not_take_others_with_it() -> None:
    """R6: halves are tried until the bad ones are alone; they are counted, the others arrive in order."""
    sink = Scripted(bad=frozenset({bytes([3]), bytes([7])}))
    loop = Reporting(take=lambda: ROWS, sink=sink)
    loop.step()
    assert sink.taken == [bytes([n]) for n in range(10) if n not in {3, 7}]
    assert loop.errors == {"http_400": 2}
    assert (loop.reason, loop.detail) == ("http_400", "no")


def test_trouble_is_counted_and_the_next_round_says_as_much() -> None:
    """Whatever a server answers, nothing is repeated at once; what it threw away is counted; then all is well."""
    sink = Scripted(answers=[Retry(reason="timeout"), Misconfigured(reason="http_404"), Delivered(rejected=4)])
    loop = Reporting(take=lambda: ROWS, sink=sink)
    reasons = []
    for _ in range(4):
        loop.step()
        reasons.append(loop.reason)
    assert reasons == ["timeout", "http_404", "rejected", ""]
    assert loop.errors == {"timeout": 1, "http_404": 1, "rejected": 4}
    assert sink.taken == [body for _, body in ROWS]


def test_a_server_that_refuses_everything_is_left_alone_until_the_next_report() -> None:
    """R6: after a few refused metrics and none accepted the server is at fault: it is not asked about every one."""
    rows = [(b"", n.to_bytes(2)) for n in range(500)]
    sink = Scripted(bad=frozenset(body for _, body in rows))
    loop = Reporting(take=lambda: rows, sink=sink)
    loop.step()
    assert loop.errors == {"http_400": reporting.MOST}
    assert sink.asked < 3 * reporting.MOST
    sink.bad = frozenset()
    loop.step()
    assert sink.taken == [body for _, body in rows]
