"""Histories of several models' states: none is lost, and while they are read again it is known how far all was told."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.bodies import FieldChanged
from exporter.sources.odoo.options import Approval, OdooOptions
from exporter.sources.odoo.registry import OdooSource
from exporter.sources.polling import Poll
from tests.fakes.odoo import FakeDoor, Transaction, keep
from tests.fakes.odoo_lab import RFQ_APPROVED, lab
from tests.searching import searching

ORDER, TICKET = "purchase.order", "helpdesk.ticket"
OVERLAP = timedelta(minutes=10)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("add", "add", "begin", "insert", "commit", "poll", "poll")),
        st.integers(0, 3),
        st.sampled_from((0.05, 1.0, 15.0, 240.0)),
    ),
    min_size=20,
    max_size=60,
)


@dataclass
class Two:
    """Two models whose states are read, by one Source."""

    page: int
    pages: int = 10
    odoo: Any = field(default_factory=lab)
    marks: dict[str, str] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    doing: dict[int, Transaction] = field(default_factory=dict)
    committed: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the Source."""
        self.odoo.insert("ir.model.fields", model=TICKET, name="name")
        for language in ("en_US", "fr_FR"):
            self.odoo.selections[TICKET, "name", language] = [["draft", "RFQ"], ["to approve", "To Approve"]]
        approvals = (Approval(), Approval(model=TICKET, state_field="name"))
        options = OdooOptions(approvals=approvals, page=self.page, pages=self.pages, overlap=OVERLAP)
        self.source = OdooSource(name="odoo/approvals", door=FakeDoor(self.odoo), options=options)

    def insert(self, which: int, transaction: Transaction) -> None:
        """A change of one of the two."""
        model = (ORDER, TICKET)[which % 2]
        about = {"model": model, "res_id": 1, "date": self.odoo.now, "subtype_id": RFQ_APPROVED}
        labels = {"old_value_char": "RFQ", "new_value_char": "To Approve"}
        message = transaction.insert("mail.message", **about)
        transaction.insert("mail.tracking.value", field_id=1 + which % 2, mail_message_id=message, **labels)

    def commit(self, transaction: Transaction) -> None:
        """All of it shows."""
        ids = [one for model, one, _ in transaction.changes if model == "mail.tracking.value"]
        transaction.commit()
        self.committed |= dict.fromkeys(ids, self.odoo.now)

    def add(self, which: int, many: int = 1) -> None:
        """So many changes that are committed at once."""
        transaction = self.odoo.begin()
        for _ in range(many):
            self.insert(which, transaction)
        self.commit(transaction)

    def step(self, seconds: float) -> None:
        """Time passes; no transaction lasts longer than the overlap."""
        for slot, transaction in list(self.doing.items()):
            if self.odoo.now + timedelta(seconds=seconds) - transaction.start > OVERLAP:
                self.commit(self.doing.pop(slot))
        self.odoo.step(seconds)

    def do(self, what: str, slot: int) -> None:
        """One step of a search."""
        if what == "add":
            self.add(slot, 1 + slot)
        elif what == "begin":
            self.doing.setdefault(slot, self.odoo.begin())
        elif what == "insert" and slot in self.doing:
            self.insert(slot, self.doing[slot])
        elif what == "commit" and slot in self.doing:
            self.commit(self.doing.pop(slot))
        elif what == "poll":
            self.poll()

    def poll(self) -> Poll:
        """Once; what a poll says that it told it, or one before it, did tell."""
        poll = self.source.poll(dict(self.marks))
        keep(self.marks, poll)
        ids = [event.body.tracking_id for event in poll.events if isinstance(event.body, FieldChanged)]
        assert not self.told & {*ids}, "told twice"
        self.told |= {*ids}
        for one, at in self.committed.items():
            assert one in self.told or poll.read_until is None or at >= poll.read_until, (one, at, poll.read_until)
        return poll


def test_two_models_of_more_than_a_page_are_at_their_ends_at_once() -> None:
    """A mass confirmation, a page apart in two models: once it is told each poll says that all is, and asks no more."""
    two = Two(page=10)
    two.add(0, 15)
    two.add(1, 6)
    two.step(1)
    two.poll()
    two.add(1, 9)  # while the first page is read
    two.step(1)
    for _ in range(4):
        two.poll()
        two.step(1)
    assert len(two.told) == 30
    began = two.odoo.now
    for _ in range(60):
        before = len(two.odoo.calls)
        poll = two.poll()
        assert (poll.more, poll.read_until) == (False, poll.began_at)
        assert len(two.odoo.calls) - before <= 12
        two.step(15)
    assert two.odoo.now - began < 2 * OVERLAP, "they stood behind the tails all the time"


def test_more_than_one_poll_reads_again_is_known_up_to_the_last_whole_round() -> None:
    """Tails of more pages than a poll reads of them: it asks for so many, and the mark goes on, a round behind."""
    two = Two(page=2, pages=3)
    two.add(0, 40)
    two.add(1, 34)
    while two.poll().more and len(two.told) < 74:
        two.step(1)
    for _ in range(10):
        two.poll()
        two.step(1)
    until = None
    for _ in range(200):
        before = len(two.odoo.calls)
        poll = two.poll()
        assert len(two.odoo.calls) - before <= 12
        assert poll.read_until is not None
        assert poll.began_at - poll.read_until < timedelta(seconds=20)
        assert until is None or until <= poll.read_until
        until = poll.read_until
        two.step(1)


@searching()
@given(page=st.sampled_from((2, 3)), pages=st.sampled_from((1, 2, 10)), steps=STEPS)
def test_what_happened_up_to_the_mark_was_told(page: int, pages: int, steps: list[tuple[str, int, float]]) -> None:
    """Whatever commits between the polls of a round: nothing is lost, and no mark passes what was not told."""
    two = Two(page=page, pages=pages)
    for what, slot, seconds in steps:
        two.do(what, slot)
        two.step(seconds)
    for slot in list(two.doing):
        two.commit(two.doing.pop(slot))
    two.step(1)
    for _ in range(100):
        two.poll()
        two.step(1)
    assert two.told == two.committed.keys()
