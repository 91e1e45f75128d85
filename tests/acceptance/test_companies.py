"""One database with two companies: each run says whose it is, and whose are told is the operator's choice (76)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

FIRST, SECOND = 1, 2
EACH = {("process root.mail", "success"), ("process root.mail", "failure"), ("workflow purchase", "success")}
Told = dict[int, set[tuple[str, str]]]


def said(span: Span) -> dict[str, str | int]:
    """Attributes of a span that matter here."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def happened(odoo: LiveOdoo) -> None:
    """In both companies a job succeeds, one fails, a purchase is approved; an action, which is nobody's, runs."""
    live.ran(odoo, live.cron(odoo, "LAB ok"))
    for company in (FIRST, SECOND):
        live.done(odoo, live.job(odoo, company_id=company))
        live.failed(odoo, live.job(odoo, company_id=company))
        order = live.order(odoo)
        odoo.write("purchase.order", order, company_id=company)
        review = live.submitted(odoo, order)
        odoo.write("tier.review", review, company_id=company)
        live.approved(odoo, order, review)


@contextmanager
def telling(folder: Path, **cost: list[int]) -> Iterator[tuple[Exporter, FakeCollector]]:
    """An exporter with that choice that has read and told everything."""
    odoo = live_lab()
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(folder, [server.entry("acme", cost=cost)], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        with odoo.transaction():
            happened(odoo)
        until(lambda: exporter.value("odoo_cron_runs_total", odoo_database="acme") == 1)
        yield exporter, collector


def by_company(collector: FakeCollector) -> Told:
    """The roots of jobs and purchases with their results, by the company that they say."""
    found: Told = {}
    for span in collector.spans():
        words = said(span)
        if not span.parent_span_id and words.get("odoo.model") in {"queue.job", "purchase.order"}:
            found.setdefault(int(words["odoo.company.id"]), set()).add((span.name, str(words["odoo.run.result"])))
    return found


def left_out(exporter: Exporter) -> float:
    """How many spans of companies that are not chosen were not told."""
    return exporter.value("odoo_otel_left_out_total", reason="excluded", signal="traces")


@pytest.mark.parametrize(
    ("cost", "companies"),
    [
        ({}, {FIRST, SECOND}),
        ({"exclude_companies": [FIRST]}, {SECOND}),
        ({"include_companies": [FIRST]}, {FIRST}),
    ],
)
def test_each_run_says_its_company_and_only_chosen_ones_are_told(
    tmp_path: Path, cost: dict[str, list[int]], companies: set[int]
) -> None:
    """Spans, failures and decisions of the chosen companies only; what belongs to none is told (features 76, 77)."""
    with telling(tmp_path, **cost) as (exporter, collector):
        until(lambda: by_company(collector) == dict.fromkeys(companies, EACH))
        until(lambda: bool(left_out(exporter)) == bool(cost) and exporter.settled("acme"))
        assert by_company(collector) == dict.fromkeys(companies, EACH)
        counted = [
            exporter.value("odoo_job_runs_total", odoo_database="acme", result="success"),
            exporter.value("odoo_job_errors_total", odoo_database="acme"),
            exporter.value("odoo_approval_decisions_total", odoo_database="acme", decision="approved"),
        ]
        names = {span.name for span in collector.spans()}
    assert counted == [len(companies)] * 3
    assert "cron LAB ok" in names
