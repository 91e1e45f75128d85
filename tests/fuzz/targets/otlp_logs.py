"""`POST /v1/logs`: records as OTLP has them, or ValueError; the first byte says whether it is JSON or protobuf."""

from contextlib import suppress

from exporter.telemetry import otlp


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """Every record has a text and a database, both of text."""
    with suppress(ValueError):
        for one in otlp.decode_logs(data[1:], as_json=data[:1] == b"j"):
            assert isinstance(one.text + one.database, str)
