"""`POST /v1/events`: what is accepted can be stored and folded; the rest is Refused with 400 or 413 and a sentence."""

from datetime import UTC, datetime, timedelta

from exporter.domain.contract import EVENTS
from exporter.domain.events import encode_body
from exporter.domain.redact import plain
from exporter.domain.times import micros
from exporter.errors import Refused
from exporter.intake.parsing import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = "detectors/findings"
KNOWN = {"acme": NOW, "beta": NOW - timedelta(days=1)}


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """Known tenant, right Source, a time that fits, a body that can be encoded; or one line of a refusal."""
    try:
        found = parse(data, source=SOURCE, now=KNOWN)
    except Refused as refused:
        assert refused.status in {400, 413}  # noqa: PT017 - both ends are right
        assert 0 < len(refused.sentence) <= 256  # noqa: PT017
        assert plain(refused.sentence) == refused.sentence  # noqa: PT017
        return
    for tenant, event in found:
        assert tenant in KNOWN
        assert EVENTS[event.name].source == event.source == SOURCE
        assert micros(event.at) < 2**63
        assert encode_body(event.body)
