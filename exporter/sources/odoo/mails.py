"""Outgoing mail that failed (mail.mail): a customer who was not told. No address, no subject, no text is asked for.

Odoo deletes most mail that was sent, so only failures are read, by write_date; one that failed is followed for a day,
in case somebody sends it again.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from exporter.domain.bodies import MailChanged
from exporter.domain.events import encode_body
from exporter.domain.redact import mask
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.known import Version, forget_absent, new_version
from exporter.sources.odoo.messages import messages
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import instant, link, links, required_instant, required_text, row_id, stamp, text
from exporter.sources.odoo.tail import Span
from exporter.sources.odoo.window import Live, Past, live_done, live_rows, page_of_the_past

MODEL = "mail.mail"
FAILED = "exception"
FIELDS = ("state", "failure_type", "failure_reason", "mail_message_id", "recipient_ids", "create_date", "write_date")
FOLLOWED = timedelta(days=1)
MOST = 500  # that are followed at once; of the others their failure is told and no more
OF_A_RECORD: Domain = (["model", "!=", False], ["res_id", "!=", 0])
Sent = tuple[MailChanged, int, datetime]


def read_mails(reading: Reading) -> None:
    """One poll of `odoo/mails`."""
    reading.part(MODEL, lambda: _read(reading))


def _read(reading: Reading) -> None:
    failed = live_rows(reading, "mails", MODEL, Live(fields=FIELDS, only=[["state", "=", FAILED]]))
    again = _followed(reading, dict(forget_absent(reading, "mail", {row_id(row) for row in failed})))
    _tell(reading, [*failed, *again])
    _tell(reading, page_of_the_past(reading, "mails", MODEL, Past(fields=FIELDS, wanted=_past)), keep=False)
    live_done(reading, "mails")


def _followed(reading: Reading, known: dict[int, Version]) -> list[Row]:
    """Mails that failed within a day and are not among the newest failures: as they are now."""
    failed = sorted((from_second(version.about), one) for one, version in known.items())
    fresh = [one for at, one in failed if reading.began_at - at < FOLLOWED][-MOST:]
    for one in known.keys() - set(fresh):
        reading.note(f"mail/{one}", None)
    rows = list(reading.pages(MODEL, [["id", "in", fresh]], FIELDS)) if fresh else []
    for one in set(fresh) - {row_id(row) for row in rows}:
        reading.note(f"mail/{one}", None)  # sent and deleted, or only deleted: nobody can say
    return rows


def _past(span: Span) -> Domain:
    written: Domain = [["write_date", ">=", stamp(span.since)], ["write_date", "<", stamp(span.until)]]
    return [*written, ["state", "=", FAILED]]


def _tell(reading: Reading, rows: Iterable[Row], *, keep: bool = True) -> None:
    mails = reading.parsed(MODEL, list(rows), _mail)
    wanted = sorted({message for _, message, _ in mails if message})
    about = {one.message_id: one for one in messages(reading, "id", wanted, *OF_A_RECORD)} if wanted else {}
    for mail, message, written in mails:
        of = about.get(message)
        whole = _about(mail, (of.model, of.record_id) if of else None)
        content = f"{stamp(written)} ".encode() + encode_body(whole)
        version = new_version(
            reading,
            "mail",
            mail.mail_id,
            content,
            settled=mail.state != FAILED,
            about=str(second(written)),
            keep=keep,
        )
        if version is not None:  # named by its content, which holds when it was written: read again it is a repeat
            path = f"mail/{mail.mail_id}/{version.rpartition('-')[2]}"
            reading.emit("odoo.mail.changed", path, written, whole)


def _about(mail: MailChanged, of: tuple[str, int] | None) -> MailChanged:
    return mail if of is None else replace(mail, model=of[0], record_id=of[1])


def _mail(row: Row) -> Sent:
    """The mail, the message it carries, and when it was last written."""
    mail = MailChanged(
        mail_id=row_id(row),
        state=required_text(row, "state"),
        failure_type=text(row, "failure_type") or "",
        failure=_masked(row),
        create_date=instant(row, "create_date"),
        recipients=len(links(row, "recipient_ids")),
    )
    return mail, link(row, "mail_message_id") or 0, required_instant(row, "write_date")


def _masked(row: Row) -> str:
    """What the mail server said, which names the person more often than not."""
    value = row.get("failure_reason", False)
    return mask(value) if isinstance(value, str) else ""
