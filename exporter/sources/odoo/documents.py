"""Business documents whose approval is followed: read by write_date, each version told once."""

from collections.abc import Iterable
from datetime import datetime

from exporter.domain.bodies import RecordChanged
from exporter.domain.events import encode_body
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.known import forget_absent, new_version
from exporter.sources.odoo.naming import currencies
from exporter.sources.odoo.options import Approval
from exporter.sources.odoo.reading import Reading
from exporter.sources.odoo.rows import instant, link, number, required_instant, row_id, stamp, text
from exporter.sources.odoo.tail import Span
from exporter.sources.odoo.window import Live, Past, live_done, live_rows, page_of_the_past


def read_documents(reading: Reading, approval: Approval) -> None:
    """Documents of one model: those written since, then a page of the past (which still wait first)."""
    part, model = f"record/{approval.model}", approval.model
    live = live_rows(reading, part, model, Live(fields=_fields(approval)))
    for _ in forget_absent(reading, part, {row_id(row) for row in live}):
        pass  # every document is noted as settled: nothing is yielded, those outside the window are forgotten
    _tell(reading, approval, live)
    _tell(reading, approval, _of_the_past(reading, approval, part), keep=False)
    live_done(reading, part)


def _of_the_past(reading: Reading, approval: Approval, part: str) -> list[Row]:
    waits: Domain = [approval.state_field, "in", list(approval.open_states)]

    def wanted(span: Span) -> Domain:
        written: Domain = [["write_date", ">=", stamp(span.since)]]
        return [["write_date", "<", stamp(span.until)], *(written if span.looks else ["|", waits, *written])]

    return page_of_the_past(reading, part, approval.model, Past(fields=_fields(approval), wanted=wanted))


def _tell(reading: Reading, approval: Approval, rows: Iterable[Row], *, keep: bool = True) -> None:
    rows = list(rows)
    codes = currencies(reading, _linked(rows, approval.currency_field))
    for record, written in reading.parsed(approval.model, rows, lambda row: _record(row, approval, codes)):
        content = f"{stamp(written)} ".encode() + encode_body(record)
        kind = f"record/{approval.model}"
        version = new_version(reading, kind, record.record_id, content, settled=True, keep=keep)
        if version is not None:
            reading.emit("odoo.record.changed", f"{kind}/{record.record_id}/{version}", written, record)


def _linked(rows: Iterable[Row], field: str | None) -> set[int]:
    found = (row.get(field) for row in rows) if field else ()
    return {one for one in found if isinstance(one, int) and not isinstance(one, bool)}


def _fields(approval: Approval) -> tuple[str, ...]:
    named = (
        approval.state_field,
        approval.name_field,
        approval.amount_field,
        approval.currency_field,
        approval.company_field,
        approval.partner_field,
        approval.owner_field,
        approval.approved_field,
    )
    return (*(one for one in named if one is not None), "create_date", "write_date")


def _record(row: Row, approval: Approval, codes: dict[int, str | None]) -> tuple[RecordChanged, datetime]:
    """The record and its write_date. A field the model does not have reads as empty."""
    record = RecordChanged(
        model=approval.model,
        record_id=row_id(row),
        state=text(row, approval.state_field),
        name=text(row, approval.name_field or ""),
        amount=number(row, approval.amount_field or ""),
        currency=codes.get(link(row, approval.currency_field or "") or 0),
        company=link(row, approval.company_field or ""),
        partner=link(row, approval.partner_field or ""),
        owner=link(row, approval.owner_field or ""),
        create_date=instant(row, "create_date"),
        approved_at=instant(row, approval.approved_field or ""),
    )
    return record, required_instant(row, "write_date")
