"""The whole body of an HTTP answer: no more of it than is allowed, and no later.

The timeout of a socket is one of each read: a server that sends a byte a second is never late by it (R7). So a body is
read as it comes, and the clock is looked at after each part.
"""

from collections.abc import Callable

from exporter.errors import SourceDown

_PART = 2**16


class Overlong(SourceDown):
    """The answer is larger than any that is wanted."""


class Overdue(SourceDown):
    """The answer was not whole in time."""


def whole(who: str, read1: Callable[[int], bytes], *, most: int, late: Callable[[], bool]) -> bytes:
    """The body, read to its end.

    Args:
        who: whose answer it is, for the sentence.
        read1: gives what has come of it, at most so many bytes; nothing at its end.
        most: bytes it may have.
        late: whether its time is over.

    Raises:
        Overlong, Overdue: SourceDown with a sentence.
    """
    parts: list[bytes] = []
    size = 0
    while part := read1(_PART):
        parts.append(part)
        size += len(part)
        if size > most:
            raise Overlong(f"{who}'s answer is over {most} bytes: it is none that was asked for.")
        if late():
            raise Overdue(f"{who}'s answer was not whole in time: find out why it is so slow.")
    return b"".join(parts)
