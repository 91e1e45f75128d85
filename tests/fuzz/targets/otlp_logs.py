"""`POST /v1/logs`: what it says becomes Events that can be stored, or it is Refused; the first byte chooses the form.

`j` is JSON, `g` gzip of protobuf, anything else protobuf.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from exporter.domain.events import Event, encode_body
from exporter.errors import Refused
from exporter.intake.otlp_logs import Lines
from exporter.store.entries import Appended

NOW = {"acme": datetime(2026, 11, 25, 14, tzinfo=UTC)}
TOKEN = "the-one-that-is-known"
KINDS = {b"j": "application/json; charset=utf-8"}
PACKED = {b"g": "gzip"}


class Storing:
    """An Inbox that encodes what it gets, and keeps nothing."""

    def append(self, tenant: str, events: Sequence[Event], *_: object, **__: object) -> Appended:
        """Every Event has a key of one line and a body that can be encoded."""
        assert tenant in NOW
        assert all(event.key.isprintable() and encode_body(event.body) for event in events)
        return Appended(appended=len(events), repeated=0)


LINES = Lines(
    inbox=Storing(),  # type: ignore[arg-type] # its marks are not asked for
    digests=lambda: [sha256(TOKEN.encode()).digest()],
    tenants={"acme": "acme"},
    now=lambda: NOW,
    appended=lambda: None,
)


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """An answer in the form that was sent; or 400, 413 and a sentence of one line."""
    form = data[:1]
    kind = KINDS.get(form, "application/x-protobuf")
    try:
        answer = LINES.receive(data[1:], authorization=f"Bearer {TOKEN}", encoding=PACKED.get(form, ""), kind=kind)
    except Refused as refused:
        assert refused.status in {400, 413}  # noqa: PT017 - both ends are right
        assert refused.sentence.isprintable()  # noqa: PT017
        return
    assert (answer[:1] == b"{") == (form == b"j")
