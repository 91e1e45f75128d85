"""Records that share a key which is declared unique: Odoo is asked who shares the keys of what was written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.bodies import RecordDoubled, Twin
from exporter.domain.events import Event
from exporter.sources.odoo import doubles
from exporter.sources.odoo.options import Approval, OdooOptions, Unique
from exporter.sources.odoo.registry import OdooSource
from exporter.sources.odoo.sight import needs
from exporter.sources.polling import Poll
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained
from tests.fakes.odoo_lab import lab
from tests.searching import searching

ORDER, TICKET = "purchase.order", "helpdesk.ticket"
DAY = 86_400
KEYS = (
    Unique(model=ORDER, key=("partner_ref", "partner_id"), within=timedelta(days=1)),
    Unique(model=TICKET, key=("external_ref",), within=timedelta(days=1)),
)


def _source(odoo: FakeOdoo, unique: tuple[Unique, ...] = KEYS, page: int = 1000) -> OdooSource:
    options = OdooOptions(approvals=(), unique=unique, page=page)
    return OdooSource(name="odoo/approvals", door=FakeDoor(odoo), options=options)


def _told(source: OdooSource, marks: dict[str, str]) -> list[RecordDoubled]:
    return [body for event in _events(source, marks) if isinstance(body := event.body, RecordDoubled)]


def _events(source: OdooSource, marks: dict[str, str]) -> list[Event]:
    return [event for poll in drained(source, marks) for event in poll.events]


def order(odoo: FakeOdoo, ref: str | None = "PO-4711", partner: int = 3, **about: object) -> int:
    """An order with a reference of the partner's."""
    return odoo.insert(ORDER, partner_ref=ref or False, partner_id=partner, **about)


def test_a_key_written_in_the_second_in_which_the_records_were_made_is_seen() -> None:
    """A poll between the two sees the same second twice: what else is written then is news."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    assert _told(source, marks) == []
    odoo.step(20)
    made = order(odoo, None), order(odoo, None)
    assert _told(source, marks) == []
    for one in made:
        odoo.write(ORDER, one, partner_ref="PO-4711")
    odoo.step(15)
    assert _told(source, marks) != []


def test_two_records_of_one_key_are_told_with_it() -> None:
    """Both records by name and id, the key by field and value (feature 31)."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    assert _told(source, marks) == []
    first = order(odoo, name="P00001")
    made = odoo.now
    odoo.step(20)
    assert _told(source, marks) == []
    second = order(odoo, name="P00002")
    odoo.step(1)
    (found,) = _told(source, marks)
    assert found.shared == "partner_ref PO-4711, partner_id 3"
    assert found.records == (
        Twin(record_id=first, name="P00001", created=made),
        Twin(record_id=second, name="P00002", created=odoo.now - timedelta(seconds=1)),
    )
    odoo.step(60)
    assert _told(source, marks) == []  # once


@pytest.mark.parametrize(
    ("second", "about"),
    [
        ("PO-4712", {}),
        ("po-4711", {}),
        (None, {}),
        ("  ", {}),
        ("PO-4711", {"partner": 4}),
        ("PO-4711", {"state": "cancel"}),
    ],
)
def test_what_is_no_duplicate_is_quiet(second: str | None, about: dict[str, int]) -> None:
    """Another value, an empty one, another partner, a cancelled record."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    order(odoo, second, **about)
    order(odoo)
    order(odoo, None)
    assert _told(source, marks) == []


def test_where_nobody_declares_a_key_nothing_is_asked() -> None:
    """Without `unique` no call is made for it (feature 31)."""
    odoo = lab()
    order(odoo)
    order(odoo)
    assert _told(_source(odoo, ()), {}) == []
    assert [call for call in odoo.calls if call[0] == ORDER] == []


def test_what_was_doubled_before_the_first_start_is_left_alone() -> None:
    """Two old ones are not even read; a third is told with both."""
    odoo, marks = lab(), dict[str, str]()
    order(odoo)
    order(odoo)
    odoo.step(1200)
    source = _source(odoo)
    assert _told(source, marks) == []
    order(odoo)
    (found,) = _told(source, marks)
    assert [twin.record_id for twin in found.records] == [1, 2, 3]


def test_records_far_apart_in_time_are_two_events() -> None:
    """A key that comes again behind the declared time is another order."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    order(odoo)
    odoo.step(DAY + 1)
    order(odoo)
    assert _told(source, marks) == []
    order(odoo)
    (found,) = _told(source, marks)
    assert [twin.record_id for twin in found.records] == [2, 3]


def _cancel(odoo: FakeOdoo, one: int) -> None:
    odoo.write(ORDER, one, state="cancel")


def _rename(odoo: FakeOdoo, one: int) -> None:
    odoo.write(ORDER, one, partner_ref="PO-4711-b")


def _delete(odoo: FakeOdoo, one: int) -> None:
    odoo.unlink(ORDER, one)


@pytest.mark.parametrize("undo", [_cancel, _rename, _delete])
def test_what_a_person_does_about_it_ends_it(undo: object) -> None:
    """Cancelled, renamed or deleted: the key is shared no more, also when that comes hours later; and again, if so."""
    assert callable(undo)
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    order(odoo)
    two = order(odoo)
    assert len(_told(source, marks)) == 1
    odoo.step(7200)
    assert _told(source, marks) == []
    undo(odoo, two)
    (found,) = _told(source, marks)
    assert found.records == ()
    odoo.step(60)
    order(odoo)
    (again,) = _told(source, marks)
    assert len(again.records) == 2


def test_records_that_are_hidden_share_their_key_as_before() -> None:
    """A right that is withdrawn cancels no duplicate: nothing is told until a record shows again (features 31, 61)."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    order(odoo)
    two = order(odoo)
    _told(source, marks)
    shown, odoo.tables[ORDER] = odoo.tables[ORDER], {}
    odoo.step(60)
    assert [event.name for event in _events(source, marks)] == ["odoo.sight.changed"]
    odoo.tables[ORDER] = shown
    odoo.step(60)
    assert _told(source, marks) == []
    _cancel(odoo, two)
    (found,) = _told(source, marks)
    assert found.records == ()


def test_keys_that_are_old_are_forgotten() -> None:
    """A day behind the newest nobody looks any more: no mark stays, and nothing is asked for it."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    order(odoo)
    order(odoo)
    _told(source, marks)
    assert [mark for mark in marks if mark.startswith("twins/")]
    odoo.step(2 * DAY)
    assert _told(source, marks) == []
    assert [mark for mark in marks if mark.startswith("twins/")] == []


def test_a_model_without_a_state_and_one_that_is_missing() -> None:
    """A ticket has no state; a model that is not installed is said, and the others go on."""
    odoo, marks = lab(), dict[str, str]()
    unique = (Unique(model="sale.order", key=("client_order_ref",)), *KEYS)
    source = _source(odoo, unique)
    _told(source, marks)
    odoo.insert(TICKET, external_ref="evt_1")
    odoo.insert(TICKET, external_ref="evt_1")
    (poll,) = drained(source, marks)
    assert [event.body.model for event in poll.events] == [TICKET]  # type: ignore[union-attr]
    assert any("sale.order" in sentence for sentence in poll.missing)


@pytest.mark.parametrize("after", ["d", "abcd"])
def test_so_many_keys_are_told_and_no_more(monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    """Also where they come in one poll: a key that turns out to be none is no flood, and that is said."""
    monkeypatch.setattr(doubles, "MOST", 2)
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    polls: list[Poll] = []
    for ref in "abcd":
        order(odoo, ref)
        order(odoo, ref)
        polls += drained(source, marks) if ref in after else []
    assert sum(len(poll.events) for poll in polls) == 2
    assert len([mark for mark in marks if mark.startswith("twins/")]) == 2
    sentence = f"More than 2 keys of {ORDER} are shared: further ones are not told."
    assert sentence in {said for poll in polls for said in poll.missing}


def test_keys_leave_masked() -> None:
    """A key that holds an address or a long number is compared as it is and shown masked (R15)."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo)
    _told(source, marks)
    for ref in ("jane.doe@example.com", "john.doe@example.com", "jane.doe@example.com"):
        order(odoo, ref)
    (found,) = _told(source, marks)
    assert [twin.record_id for twin in found.records] == [1, 3]
    assert found.shared == "partner_ref [EMAIL], partner_id 3"
    assert "jane" not in repr(marks)


def test_the_same_window_is_asked_about_once() -> None:
    """As long as nothing in it changed, a poll asks for what was written and no more."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo, KEYS[:1])
    _told(source, marks)
    order(odoo)
    _told(source, marks)
    odoo.step(15)
    odoo.calls.clear()
    assert _told(source, marks) == []
    assert odoo.calls.count((ORDER, "search_read")) == 1


@searching()
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 40)), min_size=1, max_size=12),
    st.sampled_from([2, 1000]),
)
def test_however_polls_fall_the_truth_is_known_in_the_end(made: list[tuple[str | None, int]], page: int) -> None:
    """In any rhythm, and in pages: what was told last of each key is who shares it."""
    odoo, marks = lab(), dict[str, str]()
    source = _source(odoo, KEYS[:1], page)
    last: dict[str, tuple[int, ...]] = {}
    truth: dict[str, list[int]] = {}
    _told(source, marks)
    for ref, seconds in made:
        one = order(odoo, ref)
        if ref is not None:
            truth.setdefault(ref, []).append(one)
        odoo.step(seconds)
        if seconds > 10:
            last |= {body.shared: tuple(twin.record_id for twin in body.records) for body in _told(source, marks)}
    last |= {body.shared: tuple(twin.record_id for twin in body.records) for body in _told(source, marks)}
    wanted = {f"partner_ref {ref}, partner_id 3": tuple(ids) for ref, ids in truth.items() if len(ids) > 1}
    assert last == wanted


def test_what_the_keys_need_is_among_what_is_looked_at() -> None:
    """`check` and `odoo-access` know each model once, with the fields of its key."""
    found = needs([Approval(model=ORDER)], {"odoo/approvals"}, KEYS)
    fields = {need.model: need.fields for need in found}
    assert {"partner_ref", "partner_id", "state"} <= set(fields[ORDER])
    assert "external_ref" in fields[TICKET]
    assert len(fields) == len(found)
