"""Tier reviews of every model; of configured ones the documents and the history of their state, and shared keys."""

from datetime import timedelta

from exporter.sources.odoo.documents import read_documents
from exporter.sources.odoo.doubles import read_doubles
from exporter.sources.odoo.options import Approval
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.reviews import MODEL as REVIEW
from exporter.sources.odoo.reviews import read_reviews
from exporter.sources.odoo.tracking import MODEL as TRACKING
from exporter.sources.odoo.tracking import read_tracking

FIELD = "ir.model.fields"
LOOKED_FOR = timedelta(hours=1)  # between two looks at what hardly ever changes


def read_approvals(reading: Reading) -> None:
    """One poll of `odoo/approvals`."""
    reading.part(REVIEW, lambda: read_reviews(reading))
    for approval in reading.options.approvals:
        _read_model(reading, approval)
    read_doubles(reading)


def _read_model(reading: Reading, approval: Approval) -> None:
    reading.part(approval.model, lambda: read_documents(reading, approval))
    if approval.model not in reading.memory.absent:
        reading.part(TRACKING, lambda: read_tracking(reading, approval))
        reading.part(FIELD, lambda: _look_closer(reading, approval))


def _look_closer(reading: Reading, approval: Approval) -> None:
    """Now and then, whether its documents still show, and Odoo keeps the history of their state."""
    name = f"tracked/{approval.model}"
    asked = reading.marks.get(name)
    if asked is not None and timedelta(0) <= reading.began_at - from_second(asked) < LOOKED_FOR:
        return
    reading.sees_no_more(approval.model)
    _look_whether_tracked(reading, approval)
    reading.note(name, str(second(reading.began_at)))


def _look_whether_tracked(reading: Reading, approval: Approval) -> None:
    """Of a state that is not tracked only the present value can be read, which tells no Run."""
    field = approval.state_field
    wanted = [["model", "=", approval.model], ["name", "=", field]]
    for row in reading.door.search_read(FIELD, wanted, ["tracking"], limit=1):
        reading.sees(f"{approval.model}.{field}", "" if row.get("tracking") else "tracking_off")
