"""The metrics loop: what a scrape would show, sent as OTLP metrics every so often.

Sums are cumulative since a start that is kept, so a request that failed is not repeated: the next one says as much.
What a server refuses is searched by halves, so that one bad metric does not take the others with it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from exporter.sinks import Bisect, Delivered, Misconfigured, Rejected, Retry, Row, Sink

log = logging.getLogger(__name__)
SIZE = 1024 * 1024  # bytes of one request, about
REJECTED = "rejected"
MOST = 20  # refused metrics of one report, when none is accepted: then the server is wrong and not the metrics


@dataclass(slots=True)
class Reporting:
    """Sends metrics. `step` is everything; a thread repeats it after the interval.

    Attributes:
        take: every metric there is, as (context, encoded metric).
        errors: requests that failed and points that were thrown away, by reason.
        reason: why the last report did not get through whole, "" when it did; `detail`: the server's words.
    """

    take: Callable[[], Sequence[Row]]
    sink: Sink
    errors: Counter[str] = field(default_factory=Counter)
    reason: str = ""
    detail: str = ""

    def step(self) -> bool:
        """Send everything once; never more at once."""
        reason = detail = ""
        refused: int | None = 0  # None: something was accepted
        waiting = list(reversed(requests(self.take())))
        while waiting:
            rows = waiting.pop()
            result = self.sink.export("metrics", rows)
            match result:
                case Delivered():
                    refused = None
                    if result.rejected:
                        reason, detail = REJECTED, result.message
                        self.errors[REJECTED] += result.rejected
                case Bisect() if len(rows) > 1:
                    middle = len(rows) // 2
                    waiting += (rows[middle:], rows[:middle])
                case Bisect() | Rejected():
                    reason, detail = result.reason, result.detail
                    self.errors[reason] += 1
                    refused = None if refused is None else refused + 1
                    waiting = [] if refused == MOST else waiting
                case Retry() | Misconfigured():
                    reason, detail = result.reason, result.detail
                    self.errors[reason] += 1
                    waiting = []
                case _:
                    assert_never(result)
        self._become(reason, detail)
        return False

    def last(self) -> None:
        """At the end, what was counted since the last report; not where that one failed: the end is not held up."""
        if not self.reason:
            self.step()

    def _become(self, reason: str, detail: str) -> None:
        """One line when a report fails otherwise than the last one, and when all is well again."""
        if reason != self.reason:
            words = f"metrics did not get through whole: {reason} {detail}" if reason else "metrics get through again"
            log.log(logging.WARNING if reason else logging.INFO, "%s", words)
        self.reason, self.detail = reason, detail


def requests(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """The rows in their order, as many together as fit into one request."""
    found: list[list[Row]] = []
    size = SIZE
    for row in rows:
        if size >= SIZE:
            found.append([])
            size = 0
        found[-1].append(row)
        size += len(row[1])
    return list(found)
