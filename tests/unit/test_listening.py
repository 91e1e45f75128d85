"""What our listener changes about waitress: its loop leaves to a request's thread what that thread writes by itself."""

from types import SimpleNamespace

import pytest

from exporter.listening import _channel

WATERMARK = 1000


@pytest.mark.parametrize(
    ("requests", "waiting", "closing", "expected"),
    [
        (1, 10, False, False),  # the thread is about to write it
        (1, 0, False, False),
        (1, WATERMARK + 1, False, True),  # the thread waits for the loop to make room
        (1, 10, True, True),  # the connection is to be closed, by the loop alone
        (0, 10, False, True),  # the thread is done, the rest is the loop's
        (0, 0, False, False),
    ],
)
def test_the_loop_writes_only_what_no_thread_writes(
    *, requests: int, waiting: int, closing: bool, expected: bool
) -> None:
    """Else poll() is ready at once for a socket under another's lock: a hundred turns a request (decision 0015)."""
    channel = object.__new__(_channel(lambda _status: None))
    channel.requests, channel.total_outbufs_len = [object()] * requests, waiting
    channel.will_close, channel.close_when_flushed = closing, False
    channel.adj = SimpleNamespace(outbuf_high_watermark=WATERMARK)
    assert channel.writable() is expected
