"""Which webhook that came belongs to which change, and which execution of n8n: one to one, the same in any order."""

from collections.abc import Mapping
from typing import TypeVar

from exporter.domain.times import SECOND
from exporter.fold.send_memory import Arrival, Execution

TRANSACTION = 60 * SECOND  # a webhook's write_date lies before the change it tells of, by so much at most
SKEW = 5 * SECOND  # by which n8n's clock may be behind Odoo's
Found = TypeVar("Found", Arrival, Execution)


class Matching:
    """What came and what ran, by record; each is given away once."""

    def __init__(self, received: Mapping[str, Arrival], executions: Mapping[str, Execution]) -> None:
        self.taken: set[str] = set()
        self._received: dict[str, list[tuple[int, str, Arrival]]] = {}
        self._executions: dict[str, list[tuple[int, str, Execution]]] = {}
        for key, one in received.items():
            self._received.setdefault(one.record, []).append((one.at, key, one))
        for key, run in executions.items():
            for record in run.records:
                self._executions.setdefault(record, []).append((run.began, key, run))

    def arrival(self, record: str, at: int, actions: tuple[int, ...]) -> tuple[str, Arrival] | None:
        """The webhook of a change: of those of its actions the last whose transaction had begun by then."""
        found = [
            (when, key, one)
            for when, key, one in self._received.get(record, ())
            if at - TRANSACTION <= when <= at + SECOND and one.action in (0, *actions) and key not in self.taken
        ]
        return self._take(max(found, default=None, key=lambda one: one[:2]))

    def execution(self, record: str, at: int, grace: int) -> tuple[str, Execution] | None:
        """The first execution for a record that began behind its change."""
        found = [
            one
            for one in self._executions.get(record, ())
            if at - SKEW <= one[0] <= at + grace and f"{record} {one[1]}" not in self.taken
        ]
        chosen = min(found, default=None, key=lambda one: one[:2])
        if chosen is None:
            return None
        self.taken.add(f"{record} {chosen[1]}")
        return chosen[1], chosen[2]

    def _take(self, chosen: tuple[int, str, Arrival] | None) -> tuple[str, Arrival] | None:
        if chosen is None:
            return None
        self.taken.add(chosen[1])
        return chosen[1], chosen[2]
