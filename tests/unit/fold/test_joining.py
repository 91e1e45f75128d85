"""A Run that names a record stands in that record's trace."""

from dataclasses import replace

import pytest
from msgspec import structs

from exporter.domain import ids
from exporter.domain.links import key, names
from exporter.domain.runs import Run, RunLink
from exporter.fold.joining import asked, joined, unresolved
from exporter.fold.speaking import context_of, root_of, speech
from tests.worlds import FLOW, T0, TENANT

KNOWN = replace(FLOW, links={"sale.order:S00023": "record/sale.order/23", ":EDI import": "job/7"})
ORDER = RunLink(reason="record", model="sale.order", record_id="23", key="1", trace_key="")
RUN = Run(
    kind="record",
    workflow="w",
    subject="s",
    model="m",
    record_id="1",
    key="k",
    trace_key="k",
    title="t",
    started_at=T0,
    ended_at=T0,
)


@pytest.mark.parametrize(
    ("written", "link"),
    [
        ("sale.order,23", "sale.order,23"),
        ("sale.order/23", "sale.order,23"),
        (" sale.order:S00023 ", "sale.order:S00023"),
        ("S00023", ":S00023"),
        ("sale.order,0", ":sale.order,0"),
        ("", ""),
        ("a\nb", ""),
        ("x" * 201, ""),
    ],
)
def test_what_people_write_becomes_a_link_key(written: str, link: str) -> None:
    """References in Odoo's form, with a slash, by name, by name alone; anything else is no reference (feature 7)."""
    assert key(written) == link


@pytest.mark.parametrize("name", [None, "", "/", "New", "x" * 201])
def test_a_document_without_a_number_makes_no_link(name: str | None) -> None:
    """Drafts share their names."""
    assert names("account.move", name, 5) == ()


def test_the_first_record_that_is_known_is_joined() -> None:
    """A reference needs no look-up, a name needs a link, and a job is no document (feature 7)."""
    assert joined(("sale.order,23",), FLOW) == ORDER
    assert joined((":nobody", "sale.order:S00023"), KNOWN) == ORDER
    assert joined((":EDI import",), KNOWN) is None
    assert asked(("sale.order,23", ":S1")) == (":S1",)


def test_only_a_name_nobody_bears_yet_is_unresolved() -> None:
    """Without any reference there is nothing to wait for."""
    assert [unresolved(wanted, KNOWN) for wanted in ((), ("sale.order,9",), (":S00024",))] == [False, False, True]


def test_a_joined_run_is_a_child_of_the_records_root() -> None:
    """Its trace is the record's; a traceparent counts more; a broken one counts nothing (features 7, 99)."""
    trace = ids.trace_id(TENANT, "sale.order", "23", "")
    root = ids.span_id(TENANT, ("sale.order", "23", "1"))
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    run = replace_run(joins=ORDER)
    assert context_of(run, TENANT) == (trace, root)
    span = root_of(speech(run, TENANT), TENANT)
    assert (span.trace_id, span.parent_id) == (trace, root)
    called = context_of(replace_run(joins=ORDER, traceparent=header), TENANT)
    assert called == ids.traceparent(header)
    assert context_of(replace_run(joins=ORDER, traceparent="nonsense"), TENANT) == (trace, root)
    assert context_of(RUN, TENANT) == (ids.trace_id(TENANT, "m", "1", "k"), b"")


def replace_run(**changes: object) -> Run:
    """RUN, differently."""
    return structs.replace(RUN, **changes)
