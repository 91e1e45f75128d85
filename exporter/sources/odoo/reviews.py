"""tier.review (OCA base_tier_validation): open ones in full, decided ones by write_date; restarted ones are deleted."""

from collections.abc import Iterable
from datetime import datetime

from exporter.domain.bodies import RecordVanished, ReviewChanged
from exporter.domain.events import encode_body
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.known import Version, forget_absent, new_version, recall
from exporter.sources.odoo.reading import Reading
from exporter.sources.odoo.rows import (
    instant,
    integer,
    link,
    links,
    required_link,
    required_text,
    row_id,
    stamp,
    text,
    yes,
)
from exporter.sources.odoo.tail import Span
from exporter.sources.odoo.window import Live, Past, live_done, live_rows, page_of_the_past

MODEL = "tier.review"
OPEN = ("waiting", "pending")
FIELDS = (
    "name",
    "status",
    "model",
    "res_id",
    "definition_id",
    "company_id",
    "sequence",
    "approve_sequence",
    "requested_by",
    "done_by",
    "reviewer_ids",
    "create_date",
    "reviewed_date",
    "write_date",
)
Seen = tuple[ReviewChanged, datetime | None]


def read_reviews(reading: Reading) -> None:
    """Tier reviews of every model."""
    live = Live(fields=FIELDS, always=[["status", "in", list(OPEN)]])
    reviews = reading.parsed(MODEL, live_rows(reading, "reviews", MODEL, live), _review)
    lost = dict(forget_absent(reading, "review", {review.review_id for review, _ in reviews}))
    _tell(reading, [*reviews, *_lost(reading, lost)])
    _tell(reading, _of_the_past(reading), keep=False)
    live_done(reading, "reviews")


def _lost(reading: Reading, lost: dict[int, Version]) -> list[Seen]:
    """Open reviews that are not found as such: decided between two pages, or deleted by a restart.

    Also all that were decided in a window that was postponed: so many at once as a poll reads of a window.
    """
    if not lost:
        return []
    most = reading.options.pages * reading.options.page
    is_all, lost = len(lost) <= most, dict(list(lost.items())[:most])
    rows = list(reading.pages(MODEL, [["id", "in", sorted(lost)]], FIELDS))
    present = {row.get("id") for row in rows}
    about = {version.about for version in lost.values()}  # a restart deletes the reviews of one document
    if not present and len(about) > 1 and reading.sees_no_more(MODEL):
        return []
    if not is_all:
        reading.told_to(None, more=True)
    for one, version in lost.items():
        if one not in present:
            model, _, record = version.about.partition(",")
            body = RecordVanished(model=MODEL, record_id=one, subject_model=model, subject_id=int(record))
            path = f"review/{one}/{version.number}/vanished"
            reading.emit("odoo.record.vanished", path, reading.began_at, body)
            reading.note(f"review/{one}", None)
    return reading.parsed(MODEL, rows, _review)


def _past(span: Span) -> Domain:
    written: Domain = [["write_date", ">=", stamp(span.since)], ["write_date", "<", stamp(span.until)]]
    return [*written, ["status", "not in", list(OPEN)]]


def _of_the_past(reading: Reading) -> list[Seen]:
    rows = page_of_the_past(reading, "reviews", MODEL, Past(fields=FIELDS, wanted=_past))
    reviews = reading.parsed(MODEL, rows, _review)
    return [seen for seen in reviews if recall(reading, "review", seen[0].review_id) is None]


def _tell(reading: Reading, reviews: Iterable[Seen], *, keep: bool = True) -> None:
    for review, written in reviews:
        settled = review.status not in OPEN
        about = f"{review.model},{review.record_id}"
        before = recall(reading, "review", review.review_id)
        version = new_version(
            reading, "review", review.review_id, encode_body(review), settled=settled, about=about, keep=keep
        )
        if version is None:
            continue
        requested = review.create_date if before is None else written
        at = (review.reviewed_date or written if settled else requested) or reading.began_at
        name = "odoo.review.decided" if settled else "odoo.review.requested"
        reading.emit(name, f"review/{review.review_id}/{version}", at, review)


def _review(row: Row) -> Seen:
    """The review and its write_date, which is no part of it: reminders move it (facts/odoo.md, trap 5)."""
    review = ReviewChanged(
        review_id=row_id(row),
        model=required_text(row, "model"),
        record_id=required_link(row, "res_id"),
        status=required_text(row, "status"),
        tier=text(row, "name") or "",
        definition_id=link(row, "definition_id"),
        sequence=integer(row, "sequence"),
        in_sequence=yes(row, "approve_sequence"),
        requested_by=link(row, "requested_by"),
        done_by=link(row, "done_by"),
        reviewers=links(row, "reviewer_ids"),
        create_date=instant(row, "create_date"),
        reviewed_date=instant(row, "reviewed_date"),
        company=link(row, "company_id"),
    )
    return review, instant(row, "write_date")
