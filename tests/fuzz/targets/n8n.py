"""One execution as n8n's API answers it: what is said of it can be stored, with times in order; or BadRecord."""

from datetime import UTC, datetime

from exporter.domain.events import encode_body
from exporter.domain.times import MICRO
from exporter.errors import BadRecord
from exporter.sources.n8n.door import decode
from exporter.sources.n8n.parsing import detailed, parent_of, wants_words
from exporter.sources.n8n.rows import Detail

NOW = datetime(2026, 11, 22, 13, 24, 52, tzinfo=UTC)


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """An execution that can be stored, whose nodes end behind their start; or a refusal."""
    try:
        detail = decode(data, Detail)
        wants_words(detail)
        parent_of(detail)
        body = detailed(detail, NOW, reference="odoo_ref", native=True)
    except BadRecord as refused:
        assert str(refused)  # noqa: PT017 - both ends are right
        return
    assert encode_body(body)
    assert all(node.ended_at is None or node.ended_at >= node.started_at - MICRO for node in body.nodes)
