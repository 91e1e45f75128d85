"""Rows are not lost: each loss of facts/odoo.md section 7 is shown with the naive cursor, beside ours."""

from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, FakeOdoo, drained, keep


def _source(odoo: FakeOdoo, name: str, page: int = 1000) -> OdooSource:
    return OdooSource(name=name, door=FakeDoor(odoo), options=OdooOptions(page=page))


def _keys(source: OdooSource, marks: dict[str, str]) -> list[str]:
    return [event.key for poll in drained(source, marks) for event in poll.events]


def _lab() -> FakeOdoo:
    odoo = FakeOdoo()
    odoo.insert("res.users")
    odoo.insert("res.currency")
    odoo.insert("res.lang")
    odoo.insert("ir.model.fields", model="purchase.order", name="state")
    odoo.selections["purchase.order", "state", "en_US"] = [["draft", "RFQ"], ["purchase", "Purchase Order"]]
    return odoo


def _tracked(odoo: FakeOdoo, model: str = "purchase.order", record: int = 1) -> int:
    message = odoo.insert("mail.message", model=model, res_id=record, date=odoo.now)
    values = {"old_value_char": "RFQ", "new_value_char": "Purchase Order"}
    return odoo.insert("mail.tracking.value", field_id=1, mail_message_id=message, **values)


def test_same_second_loss() -> None:
    """Two orders written in one second, a poll between them: `write_date > cursor` loses the second, we do not."""
    odoo, marks = _lab(), dict[str, str]()
    source = _source(odoo, "odoo/approvals")
    odoo.step(37.033)
    odoo.insert("purchase.order")
    first = _keys(source, marks)
    cursor = odoo.now.strftime("%Y-%m-%d %H:%M:%S")
    odoo.step(0.117)
    second = odoo.insert("purchase.order")
    odoo.step(60)
    naive = FakeDoor(odoo).search_read("purchase.order", [["write_date", ">", cursor]], ["state"])
    assert naive == []
    new = [key for key in _keys(source, marks) if key not in first]
    assert [key.split("/")[5] for key in new] == [str(second)]


def test_late_commit_loss_in_an_append_only_table() -> None:
    """An id taken before and committed after others: `id > cursor` never sees it, we do."""
    odoo, marks = _lab(), dict[str, str]()
    source = _source(odoo, "odoo/crons")
    long = odoo.begin()
    late = long.insert("ir.cron.progress", cron_id=1)
    odoo.step(2)
    seen_by_naive = odoo.insert("ir.cron.progress", cron_id=2)
    _keys(source, marks)
    odoo.step(6)
    long.commit()
    door = FakeDoor(odoo)
    assert door.search_read("ir.cron.progress", [["id", ">", seen_by_naive]], ["done"]) == []
    assert f"0/odoo/crons/progress/{late}/ended" in _keys(source, marks)


def test_late_commit_loss_between_two_pages() -> None:
    """It commits behind the page that was read, and the next page is read when it is old: it is told all the same."""
    odoo, marks = _lab(), dict[str, str]()
    source = _source(odoo, "odoo/crons", page=2)
    long = odoo.begin()
    late = long.insert("ir.cron.progress", cron_id=1)
    for _ in range(5):
        odoo.insert("ir.cron.progress", cron_id=2)
    keep(marks, source.poll(dict(marks)))
    odoo.step(500)
    long.commit()
    odoo.step(1000)  # Odoo is dark
    assert f"0/odoo/crons/progress/{late}/ended" in [*_keys(source, marks), *_keys(source, marks)]


def test_late_commit_loss_in_a_mutable_table() -> None:
    """A long transaction's write_date is its start: `write_date >= last cursor` never sees it, we do."""
    odoo, marks = _lab(), dict[str, str]()
    source = _source(odoo, "odoo/approvals")
    order = odoo.insert("purchase.order")
    long = odoo.begin()
    long.write("purchase.order", order, state="to approve")
    odoo.step(8)
    odoo.insert("purchase.order")
    before = _keys(source, marks)
    cursor = odoo.now.strftime("%Y-%m-%d %H:%M:%S")
    odoo.step(300)
    long.commit()
    assert FakeDoor(odoo).search_read("purchase.order", [["write_date", ">=", cursor]], ["state"])[0]["id"] != order
    new = [key for key in _keys(source, marks) if key not in before]
    assert [key.split("/")[5] for key in new] == [str(order)]


def test_short_page_loss() -> None:
    """Messages are filtered after the limit: an empty page ends the naive walk before ten readable ones, not ours."""
    odoo, marks = _lab(), dict[str, str]()
    odoo.unreadable.add("crm.lead")
    for record in range(30):
        odoo.insert("mail.message", model="crm.lead", res_id=record, date=odoo.now)
    wanted = {_tracked(odoo, record=record) for record in range(1, 11)}
    naive = FakeDoor(odoo).search_read("mail.message", [["id", ">", 0]], ["model"], limit=10)
    assert naive == []
    told = _keys(_source(odoo, "odoo/approvals", page=10), marks)
    assert {int(key.rsplit("/", 1)[1]) for key in told if "/tracking/" in key} == wanted
