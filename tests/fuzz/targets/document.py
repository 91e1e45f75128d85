"""JSON of strangers: a document within its limits, or NotPlain."""

from contextlib import suppress

from exporter.domain.json_limits import NotPlain, document


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """Raise anything but NotPlain, and it is a fault."""
    with suppress(NotPlain):
        document(data)
