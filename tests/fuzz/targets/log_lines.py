"""Records of Odoo's log: something that is said, of one line each, or nothing."""

from datetime import UTC, datetime

from exporter.domain.events import encode_body
from exporter.sources.odoo.log_lines import event_of, parse

NOW = datetime(2026, 11, 25, 14, tzinfo=UTC)


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """Whatever the bytes, also read with the wrong encoding."""
    found = parse(data.decode(errors="replace"))
    if found is not None:
        assert not set("\r\n\x1b") & set(found.body.error)
        assert encode_body(event_of(found, NOW).body)
