"""Odoo's native webhook: an Event that can be stored and routed, or Refused with 422."""

from datetime import UTC, datetime

from exporter.domain.events import encode_body
from exporter.domain.posted import Posted
from exporter.errors import Refused
from exporter.sources.mapped import event_of
from exporter.sources.odoo.webhook import parse

NOW = datetime(2026, 11, 22, 13, 24, 52, tzinfo=UTC)


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """A delivery with a name of one line and a time that is not later than now; or a refusal."""
    about = Posted(hook="odoo", raw=data, received_at=NOW)
    try:
        (body,) = parse(about)
    except Refused as refused:
        assert (refused.status, bool(refused.sentence)) == (422, True)  # noqa: PT017 - both ends are right
        return
    assert event_of(about, body).at <= NOW
    assert encode_body(body)
    assert len(body.delivery) < 300
    assert body.delivery.isprintable()
