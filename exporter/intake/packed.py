"""Bodies in gzip: no more of one is ever made than is taken."""

import zlib

from exporter.errors import Refused

PLAIN = frozenset({"", "identity"})
TAKEN = frozenset({*PLAIN, "gzip"})
"""What `Content-Encoding` may say."""


def unpacked(raw: bytes, encoding: str, *, most: int) -> bytes:
    """The body without gzip; `most` bytes of it are made at most, however small it was when it was sent.

    Raises:
        Refused: 400, it is not one whole gzip member; 413, there is more; 415, another encoding.
    """
    if encoding.lower() in PLAIN:
        return raw
    if encoding.lower() not in TAKEN:
        raise Refused(415, "encoded", "Send the body as it is, or with Content-Encoding: gzip.")
    unpack = zlib.decompressobj(wbits=31)
    try:
        found = unpack.decompress(raw, most)
        more = not unpack.eof and unpack.decompress(unpack.unconsumed_tail, 1)
    except zlib.error as error:
        raise Refused(400, "not_gzip", "The body is not gzip.") from error
    if more:
        raise Refused(413, "too_large", f"Send at most {most} bytes at once, unpacked.")
    if not unpack.eof or unpack.unused_data:
        raise Refused(400, "not_gzip", "Send the gzip whole, and nothing behind it.")
    return found
