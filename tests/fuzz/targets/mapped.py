"""Payloads of the shipped mappings: deliveries that can be stored, or Refused with 422; the first byte chooses."""

from datetime import UTC, datetime

from exporter.domain.events import encode_body
from exporter.domain.posted import Posted
from exporter.errors import Refused
from exporter.sources.mapped import SHIPPED, event_of, load_mapping, parse

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MAPPINGS = [load_mapping(name) for name in SHIPPED]


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """Keys on one line, times not later than now, bodies that can be encoded; or a refusal."""
    about = Posted(hook="h", raw=data[1:], received_at=NOW)
    try:
        found = parse(MAPPINGS[(data or b"\0")[0] % len(MAPPINGS)], about)
    except Refused as refused:
        assert (refused.status, bool(refused.sentence)) == (422, True)  # noqa: PT017 - both ends are right
        return
    for body in found:
        event = event_of(about, body)
        assert event.key.isprintable()
        assert event.at <= NOW
        assert encode_body(body)
