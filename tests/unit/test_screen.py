"""Bars stay at the foot of a terminal, and what is logged meanwhile stays whole above them."""

import io

import pytest

from exporter.screen import MOST, Screen, bar, screen_on
from tests.fakes.screen import seen


def test_what_is_logged_goes_by_above_the_bars() -> None:
    """Every line that was written stands there whole, the newest bars stand last, once."""
    stream = io.StringIO()
    shown = Screen(stream)
    shown.write("first\n")
    shown.show([bar(0.1, "acme"), bar(0.2, "beta")])
    shown.write("second\n")
    shown.show([bar(0.5, "acme"), bar(0.6, "beta")])
    shown.write("third\n")
    assert seen(stream.getvalue()) == ["first", "second", "third", bar(0.5, "acme"), bar(0.6, "beta")]
    shown.show(())
    shown.write("last\n")
    assert seen(stream.getvalue()) == ["first", "second", "third", "last"]


def test_without_bars_nothing_is_added() -> None:
    """What is written before the first bar and after the last is what the stream gets."""
    stream = io.StringIO()
    shown = Screen(stream)
    shown.show(())
    shown.write("a\n")
    shown.flush()
    assert stream.getvalue() == "a\n"


def test_bars_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar longer than a line is cut, else it could not be erased; of many databases the rest is one line."""
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    Screen(stream).show([bar(0.5, "x" * 100) for _ in range(60)])
    lines = seen(stream.getvalue())
    assert len(lines) == MOST
    assert max(map(len, lines)) < 40
    assert lines[-1] == "and 51 more"


def test_a_terminal_that_is_gone_is_no_fault() -> None:
    """A bar never ends the service."""
    stream = io.StringIO()
    shown = Screen(stream)
    stream.close()
    shown.show([bar(0.5, "acme")])
    shown.write("a\n")


def test_only_a_terminal_that_can_erase_has_a_screen() -> None:
    """A file, a pipe and a dumb terminal get lines, never a bar."""
    file, terminal = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    assert screen_on(file, {"TERM": "xterm"}) is None
    assert screen_on(terminal, {"TERM": "dumb"}) is None
    assert screen_on(terminal, {}) is None
    assert screen_on(terminal, {"TERM": "xterm"}) is not None


def test_a_name_cannot_draw() -> None:
    """ANSI in the name of a database arrives escaped (R16)."""
    assert bar(0.25, "a\x1b[2J\n").isprintable()
