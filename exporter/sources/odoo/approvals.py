"""Approvals: tier reviews of every model, and for configured models their documents and the history of their state."""

from exporter.sources.odoo.documents import read_documents
from exporter.sources.odoo.options import Approval
from exporter.sources.odoo.reading import Reading
from exporter.sources.odoo.reviews import MODEL as REVIEW
from exporter.sources.odoo.reviews import read_reviews
from exporter.sources.odoo.tracking import MODEL as TRACKING
from exporter.sources.odoo.tracking import read_tracking


def read_approvals(reading: Reading) -> None:
    """One poll of `odoo/approvals`."""
    reading.part(REVIEW, lambda: read_reviews(reading))
    for approval in reading.options.approvals:
        _read_model(reading, approval)


def _read_model(reading: Reading, approval: Approval) -> None:
    reading.part(approval.model, lambda: read_documents(reading, approval))
    if approval.model not in reading.memory.absent:
        reading.part(TRACKING, lambda: read_tracking(reading, approval))
