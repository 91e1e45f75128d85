"""A living stream of text as bursts of lines: each ends with silence, and the last one with the stream."""

import codecs
import io
import os
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

SILENCE = 1.0  # seconds in which nothing came
PIECE = 64 * 1024  # bytes read at once
Take = Callable[[float | None], bytes | None]
"""Bytes as soon as there are some, b"" at the end; None where none came within so many seconds (None: wait on)."""


def taking(descriptor: int) -> Take:
    """From a file descriptor; in no thread, for one that reads stdin cannot be ended."""

    def take(seconds: float | None) -> bytes | None:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return os.read(descriptor, PIECE) if ready else None

    return take


def _decoder() -> io.IncrementalNewlineDecoder:
    """As a text file is read: what is no UTF-8 is replaced, and every way to end a line is one."""
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)


@dataclass(slots=True)
class Bursts:
    """The lines of a stream; half a line waits for its other half, however silent it is meanwhile."""

    take: Take
    _half: str = ""
    _ended: bool = False
    _text: io.IncrementalNewlineDecoder = field(default_factory=_decoder)

    def __iter__(self) -> Iterator[Iterator[str]]:
        """Each is to be read before the next."""
        while not self._ended:
            yield self._burst()

    def _burst(self) -> Iterator[str]:
        patience = None
        while not self._ended and (piece := self.take(patience)) is not None:
            self._ended, patience = not piece, SILENCE
            *lines, self._half = (self._half + self._text.decode(piece, final=self._ended)).split("\n")
            yield from lines
        if self._ended and self._half:
            yield self._half
