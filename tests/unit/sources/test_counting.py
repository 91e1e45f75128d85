"""How much of the past is read is counted where there is more than a page of it, once, and kept with what was read."""

import pytest

from exporter.domain.counted import COUNTED, Counted, read_counted, write_counted
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import OdooSource
from tests.fakes.odoo import FakeDoor, OdooFault, drained, keep
from tests.fakes.odoo_live import LiveOdoo
from tests.fakes.past import long_past

ROWS = {"odoo/jobs": {"jobs": 40}, "odoo/crons": {"progress": 33}}
APPROVALS = {"reviews": 22, "record/purchase.order": 22, "tracking/purchase.order/state": 44}
ALL = {**ROWS, "odoo/approvals": APPROVALS}


def _past() -> LiveOdoo:
    return long_past(jobs=40, runs=33, orders=22)


def _source(odoo: LiveOdoo, name: str, page: int = 10) -> OdooSource:
    return OdooSource(name=name, door=FakeDoor(odoo), options=OdooOptions(page=page))


def _counted(marks: dict[str, str]) -> dict[str, Counted]:
    return {key.removeprefix(COUNTED): read_counted(mark) for key, mark in marks.items() if key.startswith(COUNTED)}


@pytest.mark.parametrize("name", ALL)
def test_every_part_is_counted_once_and_read_to_its_count(name: str) -> None:
    """Feature 15: rows read grow by pages to the rows Odoo counted; it is asked once for each part."""
    odoo, marks = _past(), dict[str, str]()
    seen = [_counted(marks) for _ in drained(_source(odoo, name), marks)]
    assert seen[0] == {part: Counted(read=10, of=rows) for part, rows in ALL[name].items()}
    assert seen[1] == {part: Counted(read=20, of=rows) for part, rows in ALL[name].items()}
    assert seen[-1] == {part: Counted(read=rows, of=rows) for part, rows in ALL[name].items()}
    assert sum(method == "search_count" for _, method in odoo.calls) == len(ALL[name])


def test_another_process_counts_on() -> None:
    """After a kill the marks say how far it is: nothing is counted again, and the sum is the same."""
    odoo, marks = _past(), dict[str, str]()
    keep(marks, _source(odoo, "odoo/jobs").poll(dict(marks)))
    for _ in drained(_source(odoo, "odoo/jobs"), marks):
        pass
    assert _counted(marks) == {"jobs": Counted(read=40, of=40)}
    assert sum(method == "search_count" for _, method in odoo.calls) == 1


def test_a_past_of_one_page_is_not_counted() -> None:
    """No call is spent on what one page holds, and what happens later is not counted either."""
    odoo, marks = _past(), dict[str, str]()
    source = _source(odoo, "odoo/jobs", page=1000)
    for _ in range(3):
        for _ in drained(source, marks):
            pass
    assert _counted(marks) == {}
    assert ("queue.job", "search_count") not in odoo.calls


def test_a_count_that_odoo_does_not_give_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a count rows are read as ever, the share stays unknown (0), and at the end all that was read is all."""
    odoo, marks = _past(), dict[str, str]()
    execute = odoo.execute

    def refusing(model: str, method: str, named: dict[str, object]) -> object:
        if method == "search_count":
            raise OdooFault(500, "psycopg2.errors.QueryCanceled", "canceling statement due to statement timeout")
        return execute(model, method, named)

    monkeypatch.setattr(odoo, "execute", refusing)
    seen = [_counted(marks)["jobs"] for _ in drained(_source(odoo, "odoo/jobs"), marks)]
    assert seen[:2] == [Counted(read=10), Counted(read=20)]
    assert seen[-1].over


def test_a_part_that_grew_or_shrank_ends_at_its_count() -> None:
    """Rows that came or went while it was read change no total: never more than all, and all at the end."""
    grown = Counted(read=20, of=25).and_read(10, more=True)
    assert (grown, grown.over) == (Counted(read=25, of=25), True)
    assert Counted(read=10, of=25).and_read(5, more=False) == Counted(read=25, of=25)
    assert not Counted(read=10, of=25).over
    assert not Counted(read=10).over
    assert read_counted(write_counted(grown)) == grown
