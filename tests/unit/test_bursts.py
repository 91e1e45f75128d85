"""A stream as bursts: nothing is held back by silence but half a line, and nothing is lost or cut."""

import os
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.bursts import SILENCE, Bursts, Take, taking


def script(steps: Iterable[bytes | None], waits: list[float | None] | None = None) -> Take:
    """What comes: None is silence, b"" the end."""
    left = iter(steps)

    def take(seconds: float | None) -> bytes | None:
        if waits is not None:
            waits.append(seconds)
        return next(left)

    return take


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([b"a\nb\n", None, b"c\n", b""], [["a", "b"], ["c"]]),
        ([b"a\nb", None, b"c\n", None, b""], [["a"], ["bc"], []]),  # half a line is none
        ([b"a\n", b"b\n", b"c", b""], [["a", "b", "c"]]),
        ([b"a\r", b"\nb\rc\n", b""], [["a", "b", "c"]]),  # ends of lines, as of a file
        ([b"\xc3", None, b"\xa9\n\xff\n", b""], [[], ["\u00e9", "\ufffd"]]),
        ([b"a", b""], [["a"]]),  # the end ends a line, too
        ([b""], [[]]),
    ],
)
def test_silence_ends_a_burst(steps: list[bytes | None], expected: list[list[str]]) -> None:
    """A burst goes on as long as something comes, and the last one ends with the stream."""
    assert [list(burst) for burst in Bursts(script(steps))] == expected


def test_the_first_line_is_waited_for_without_end() -> None:
    """Only behind something is silence an end: an idle stream costs nothing."""
    waits: list[float | None] = []
    assert [list(one) for one in Bursts(script([b"a\n", None, b"b\n", b""], waits))] == [["a"], ["b"]]
    assert waits == [None, SILENCE, None, SILENCE]


@given(st.text(alphabet="ab\n\u00e9", max_size=30), st.lists(st.integers(1, 5)), st.lists(st.booleans()))
def test_whatever_the_pieces_the_lines_are_the_same(text: str, sizes: list[int], silent: list[bool]) -> None:
    """Cut anywhere, also within a character, with silence anywhere."""
    raw, steps = text.encode(), list[bytes | None]()
    for size in sizes:
        piece, raw = raw[:size], raw[size:]
        steps += [piece] if piece else []
        steps += [None] if silent and silent.pop() and steps and steps[-1] is not None else []
    steps += [raw] if raw else []
    found = [line for burst in Bursts(script([*steps, b""])) for line in burst]
    assert found == (text.removesuffix("\n").split("\n") if text else [])


def test_a_pipe_that_stays_open_is_read_as_it_comes() -> None:
    """Negative control of the scripts above: what was written is there, and then nothing is."""
    reading, writing = os.pipe()
    try:
        os.write(writing, b"a\n")
        take = taking(reading)
        assert take(None) == b"a\n"
        assert take(0.0) is None
        os.close(writing)
        assert take(None) == b""
    finally:
        os.close(reading)
