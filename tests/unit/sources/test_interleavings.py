"""Any interleaving of transactions and polls: what was there when we polled was told, and no key meant two things."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.bodies import CronCounted, JobChanged, RecordChanged, RecordVanished, ReviewChanged
from exporter.domain.events import Event, encode_body
from exporter.sources.odoo.job_rows import job_of
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, Transaction, drained
from tests.fakes.odoo_lab import lab
from tests.searching import searching

OVERLAP = timedelta(minutes=10)
STATES = {
    "purchase.order": ("draft", "to approve", "purchase"),
    "tier.review": ("waiting", "pending", "approved", "rejected"),
    "queue.job": ("pending", "started", "done", "failed"),
    "ir.cron.progress": (1, 0),
    "ir.cron": (0, 1, 2),
}
FIELD = {
    "purchase.order": "state",
    "tier.review": "status",
    "queue.job": "state",
    "ir.cron.progress": "timed_out_counter",
    "ir.cron": "failure_count",
}
SOURCE = {"purchase.order": "odoo/approvals", "tier.review": "odoo/approvals", "queue.job": "odoo/jobs"}
WHAT = [*2 * ("add", "change", "insert", "commit", "pass", "poll"), "write", "rollback", "delete", "poll", "poll"]
# What happens next; `add` and `change` commit at once, `insert` and `write` when their transaction does.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(WHAT),
        st.integers(0, 11),
        st.sampled_from((0.05, 0.4, 3.0, 40.0, 250.0)),
    ),
    min_size=25,
    max_size=60,
)


@dataclass
class World:
    """One table, up to three transactions at a time, one Source."""

    model: str
    page: int
    pages: int = 1000
    odoo: Any = field(default_factory=lab)
    marks: dict[str, str] = field(default_factory=dict)
    told: list[Event] = field(default_factory=list)
    doing: dict[int, Transaction] = field(default_factory=dict)
    committed: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the Source."""
        options = OdooOptions(page=self.page, pages=self.pages, overlap=OVERLAP)
        name = SOURCE.get(self.model, "odoo/crons")
        self.source = OdooSource(name=name, door=FakeDoor(self.odoo), options=options)

    def transaction(self, slot: int) -> Transaction:
        """The transaction of a slot, begun now if there is none."""
        return self.doing.setdefault(slot, self.odoo.begin())

    def values(self, number: int) -> dict[str, Any]:
        """A state, and for a job the dates queue_job writes with it."""
        state = STATES[self.model][number % len(STATES[self.model])]
        if self.model != "queue.job":
            return {FIELD[self.model]: state} | self._review_dates(state)
        started = self.odoo.now if state != "pending" else False
        done = self.odoo.now if state == "done" else False
        return {"state": state, "date_started": started, "date_done": done}

    def _review_dates(self, state: object) -> dict[str, Any]:
        return {"reviewed_date": self.odoo.now} if state in {"approved", "rejected"} else {}

    def insert(self, number: int) -> None:
        """A row in a transaction that may commit much later."""
        values = self.values(number)
        if self.model == "queue.job":
            values |= {"uuid": f"u{number}", "date_created": self.odoo.now}
        if self.model == "ir.cron.progress":
            values |= {"cron_id": 1}
        self.transaction(number % 3).insert(self.model, **values)

    def write(self, number: int) -> None:
        """A change of a row that is there; not in a table that is only appended to, but for a run's end."""
        rows = self.odoo.tables[self.model]
        if not rows:
            return
        one = sorted(rows)[number % len(rows)]
        if self.model == "ir.cron.progress":
            self.odoo.write(self.model, one, timed_out_counter=0)
        elif self.model == "ir.cron":
            self.odoo.raw(self.model, one, **self.values(number))
        else:
            self.transaction(number % 3).write(self.model, one, **self.values(number))

    def add(self, number: int) -> None:
        """Insert and commit at once, whatever else is open."""
        self._at_once(self.insert, number)

    def change(self, number: int) -> None:
        """Write and commit at once."""
        self._at_once(self.write, number)

    def _at_once(self, what: Callable[[int], None], number: int) -> None:
        kept, self.doing = self.doing, {}
        what(number)
        self.commit(number)
        self.doing = kept

    def commit(self, number: int) -> None:
        """All of a transaction shows, unless another one changed its rows since it began (REPEATABLE READ)."""
        transaction = self.doing.pop(number % 3, None)
        if transaction is None:
            return
        rows = {one for _, one, _ in transaction.changes}
        if any(self.committed.get(one, transaction.start) > transaction.start for one in rows):
            transaction.rollback()
            return
        transaction.commit()
        self.committed |= dict.fromkeys(rows, self.odoo.now + timedelta(microseconds=1))

    def rollback(self, number: int) -> None:
        """Nothing of a transaction shows."""
        self.doing.pop(number % 3, None)

    def delete(self, number: int) -> None:
        """A row is gone at once."""
        rows = self.odoo.tables[self.model]
        if rows:
            one = sorted(rows)[number % len(rows)]
            self.odoo.unlink(self.model, one)
            self.committed[one] = self.odoo.now + timedelta(microseconds=1)

    def step(self, seconds: float) -> None:
        """Time passes; a transaction that would outlast the overlap commits before."""
        for slot, transaction in list(self.doing.items()):
            if self.odoo.now + timedelta(seconds=seconds) - transaction.start > OVERLAP:
                self.commit(slot)
        self.odoo.step(seconds)

    def poll(self) -> None:
        """Poll to the end of what is there, then everything visible must have been told."""
        self.step(1.0)
        for poll in drained(self.source, self.marks):
            assert poll.refused == ()
            assert poll.restored_after is None, "deleted rows, and rows that show late, are no restore"
            self.told += poll.events
        if self.pages > 1:
            self.check()

    def check(self) -> None:
        """Everything visible was told."""
        for one, row in self.odoo.tables[self.model].items():
            assert CHECKS[self.model](self, one, row), (self.model, row)


def _latest(world: World, body: type[Any], field_name: str, one: int) -> Any:
    """The last Event of a kind about one row, None if there is none; Any, because the kind decides its body."""
    found = [e for e in world.told if type(e.body) is body and getattr(e.body, field_name) == one]
    return found[-1] if found else None


def _record(world: World, one: int, row: dict[str, Any]) -> bool:
    last = _latest(world, RecordChanged, "record_id", one)
    return last is not None and last.body.state == row["state"] and last.at == row["write_date"].replace(microsecond=0)


def _review(world: World, one: int, row: dict[str, Any]) -> bool:
    last = _latest(world, ReviewChanged, "review_id", one)
    return last is not None and last.body.status == row["status"]


def _job(world: World, one: int, row: dict[str, Any]) -> bool:
    last = _latest(world, JobChanged, "job_id", one)
    shown = {name: v.strftime("%Y-%m-%d %H:%M:%S") if isinstance(v, datetime) else v for name, v in row.items()}
    return last is not None and last.body == job_of(shown)


def _progress(world: World, one: int, row: dict[str, Any]) -> bool:
    said = "started" if row["timed_out_counter"] else "ended"
    return f"0/odoo/crons/progress/{one}/{said}" in {event.key for event in world.told}


def _cron(world: World, one: int, row: dict[str, Any]) -> bool:
    last = _latest(world, CronCounted, "cron_id", one)
    return last is not None and last.body.failure_count == row["failure_count"]


CHECKS: dict[str, Callable[[World, int, dict[str, Any]], bool]] = {
    "purchase.order": _record,
    "tier.review": _review,
    "queue.job": _job,
    "ir.cron.progress": _progress,
    "ir.cron": _cron,
}


@pytest.mark.parametrize("model", sorted(STATES))
@searching()
@given(page=st.sampled_from((2, 3, 1000)), steps=STEPS)
def test_what_could_be_seen_was_told_once(model: str, page: int, steps: list[tuple[str, int, float]]) -> None:
    """No row version that was there at a poll is lost, no key stands for two contents, no key comes twice (R3)."""
    world = World(model, page)
    for what, number, seconds in steps:
        if what == "pass":
            world.step(seconds)
        elif what == "poll":
            world.poll()
        else:
            getattr(world, what)(number)
    world.poll()
    content: dict[str, bytes] = {}
    for event in world.told:
        assert event.key not in content, event.key
        content[event.key] = encode_body(event.body)
    vanished = [e.body.record_id for e in world.told if isinstance(e.body, RecordVanished)]
    assert len(vanished) == len(set(vanished))
    assert not set(vanished) & set(world.odoo.tables[model])
    assert all(event.at.tzinfo is UTC for event in world.told)


@pytest.mark.parametrize("model", ["purchase.order", "tier.review"])
@searching()
@given(page=st.sampled_from((1, 2, 3)), steps=STEPS)
def test_what_is_too_much_for_one_poll_is_told_all_the_same(
    model: str, page: int, steps: list[tuple[str, int, float]]
) -> None:
    """Where windows are postponed: what commits late is told within an overlap, a key stands for one content (R3)."""
    world = World(model, page, pages=1)
    for what, number, seconds in steps:
        if what == "pass":
            world.step(seconds)
        else:
            getattr(world, what)(*([] if what == "poll" else [number]))
    world.poll()
    world.step(OVERLAP.total_seconds() + 1)
    world.poll()
    world.check()
    content: dict[str, bytes] = {}
    for event in world.told:  # what is read again is told again, which the store does not keep
        assert content.setdefault(event.key, encode_body(event.body)) == encode_body(event.body)
    vanished = [e.body.record_id for e in world.told if isinstance(e.body, RecordVanished)]
    assert len(vanished) == len(set(vanished))
    assert not set(vanished) & set(world.odoo.tables[model])
