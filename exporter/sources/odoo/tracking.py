"""mail.tracking.value and the message behind it: who moved a document's state when, from what to what."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from exporter.domain.bodies import FieldChanged, MessagePosted
from exporter.sources.odoo.counting import Page, count
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.labels import key_of
from exporter.sources.odoo.messages import messages
from exporter.sources.odoo.options import Approval
from exporter.sources.odoo.reading import Reading, Table, from_second, second
from exporter.sources.odoo.rows import required_instant, required_link, row_id, stamp, text
from exporter.sources.odoo.tail import Tail, read_tail, write_tail

MODEL = "mail.tracking.value"
FIELDS = ("mail_message_id", "old_value_char", "new_value_char", "create_date")
Change = tuple[int, int, str | None, str | None, datetime]


def read_tracking(reading: Reading, approval: Approval) -> None:
    """Changes of one model's state field behind its tail: to its end, or to a page of which a row is new.

    Rows stay behind the tail for two overlaps and are read again in every poll. If each poll read only one page of them
    the tails of two models would hardly ever be at their ends at once.
    """
    part = f"tracking/{approval.model}/{approval.state_field}"
    if f"start/{part}" not in reading.marks:
        start = reading.began_at - timedelta(days=reading.options.history_days)
        reading.note(f"start/{part}", str(second(start)))
    tail = before = read_tail(reading.marks.get(f"tail/{part}"))
    for _ in range(reading.options.pages):
        tail, is_news = _read_page(reading, approval, part, tail)
        if is_news or not tail.reached:
            break
    reading.note(f"tail/{part}", write_tail(tail))
    _say_how_far(reading, part, before.began, is_over=not tail.reached)


def _read_page(reading: Reading, approval: Approval, part: str, tail: Tail) -> tuple[Tail, bool]:
    """The next page, the tail behind it, and whether a row of it is new."""
    wanted = _wanted(reading, approval, part)
    table = Table(model=MODEL, page=reading.options.page, rows=wanted)
    tail, raw = reading.behind(tail, lambda of: reading.page(MODEL, wanted, FIELDS, after=of.after), table)
    read = Page(part=part, model=MODEL, domain=wanted, after=tail.after, rows=len(raw))
    changes = reading.parsed(MODEL, raw, _change)
    _tell(reading, approval, [change for change in changes if not tail.has(change[0])], tail)
    is_news = not all(tail.has(row_id(row)) for row in raw)
    tail = tail.told(row_id(row) for row in raw)
    reached = row_id(raw[-1]) if len(raw) >= reading.options.page else 0
    page = [(change[0], change[4]) for change in changes]
    tail = tail.read(page, reached=reached, now=reading.began_at, overlap=reading.options.overlap)
    count(reading, read, more=bool(reached))
    return tail, is_news


def _say_how_far(reading: Reading, part: str, began: int, *, is_over: bool) -> None:
    """All was told up to where the last round began that came to the tail's end; `began`: 0 if in this poll."""
    if is_over:
        reading.note(f"whole/{part}", str(began or second(reading.began_at)))
        if not began:
            return
    whole = reading.marks.get(f"whole/{part}")
    reading.told_to(from_second(whole) if whole else None, more=not is_over)


def _wanted(reading: Reading, approval: Approval, part: str) -> Domain:
    # By the field, not by mail_message_id.model: that one is silently cut to readable messages.
    start, field = from_second(reading.marks[f"start/{part}"]), reading.options.shows.tracked
    return [
        [f"{field}.model", "=", approval.model],
        [f"{field}.name", "=", approval.state_field],
        ["create_date", ">=", stamp(start)],
    ]


def _tell(reading: Reading, approval: Approval, changes: Sequence[Change], tail: Tail) -> None:
    found = messages(reading, "id", sorted({message for _, message, *_ in changes}))
    by_id = {message.message_id: message for message in found}
    for one, message_id, old, new, made in changes:
        message = by_id.get(message_id)
        if message is None:
            reading.refuse(f"{MODEL},{one}", f"Its message cannot be read: let the user read {approval.model}.")
            continue
        body = _body(reading, approval, message, (one, old, new))
        reading.emit("odoo.field.changed", f"tracking/{one}", message.date, body, epoch=tail.epoch(second(made)))


def _body(
    reading: Reading, approval: Approval, message: MessagePosted, change: tuple[int, str | None, str | None]
) -> FieldChanged:
    one, old, new = change
    return FieldChanged(
        tracking_id=one,
        message_id=message.message_id,
        model=message.model,
        record_id=message.record_id,
        field=approval.state_field,
        old=key_of(reading, approval.model, approval.state_field, old),
        new=key_of(reading, approval.model, approval.state_field, new),
        author=message.author,
        subtype=message.subtype,
    )


def _change(row: Row) -> Change:
    old, new = text(row, "old_value_char"), text(row, "new_value_char")
    return row_id(row), required_link(row, "mail_message_id"), old, new, required_instant(row, "create_date")
