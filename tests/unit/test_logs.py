"""Our own log: one line each, no secret in any."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import REDACTED, Secret
from exporter.logs import JsonLines, configure

CANARY = Secret("c4n4ry/key+of=acme")
HOSTILE = ["a\nb", "a\r\nb", "\x1b[31mred", "\u202egnp", "a\u2028b\u2029c", "\x85", "\x7f\x00", '"},{"', "%d", "\ud800"]


def line(message: str, *args: object, **extra: object) -> str:
    """One formatted record."""
    record = logging.makeLogRecord({"name": "exporter.x", "levelname": "INFO", "msg": message, "args": args} | extra)
    return JsonLines([CANARY]).format(record)


def is_one_line(text: str) -> bool:
    """Whether a terminal and a line reader see one harmless line."""
    return text.isascii() and all(31 < ord(character) < 127 for character in text)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_stays_inside_its_line(text: str) -> None:
    """Newlines, ANSI, bidi and separators are escaped in message, arguments and extra fields, and read back (R16)."""
    found = line("%s", text, tenant=text)

    assert is_one_line(found)
    assert json.loads(found)["message"] == text
    assert json.loads(found)["tenant"] == text


@given(st.text())
def test_any_text_is_one_line(text: str) -> None:
    """Whatever the text is, as message without arguments or as an extra's name, the line is one line of JSON (R16)."""
    found = line(text, **{"x" + text: text})

    assert is_one_line(found)
    assert json.loads(found)["message"] == text


@pytest.mark.parametrize("end", ["", " now", "?x=1", "'", "\n", "/more"])
def test_what_ends_the_address_of_a_hook_is_masked(end: str) -> None:
    """Of a token that is kept hashed nobody knows the text: waitress logs the address of a client that left (R15)."""
    found = json.loads(line("Client disconnected while serving /hooks/odoo/c4n4ry-t0ken" + end))["message"]

    assert "c4n4ry" not in found
    assert found.startswith(f"Client disconnected while serving /hooks/odoo/{REDACTED}")
    assert json.loads(line("served /hooks/odoo and /hooks/"))["message"] == "served /hooks/odoo and /hooks/"


@pytest.mark.parametrize("shown", ["c4n4ry/key+of=acme", "c4n4ry%2Fkey%2Bof%3Dacme"])
def test_a_secret_is_masked_wherever_it_stands(shown: str) -> None:
    """A configured secret does not appear in message, arguments, extras or traceback, not even encoded (R15)."""
    error = OSError(f"https://x/?key={shown}")

    found = line("asked %s with " + shown, shown, url=shown, key=CANARY, exc_info=(OSError, error, None))

    assert shown not in found
    assert found.count(REDACTED) == 5


def test_what_does_not_fit_its_arguments_is_still_logged() -> None:
    """A wrong number of arguments loses nothing and raises nothing."""
    assert json.loads(line("%s and %s", "one"))["message"] == "%s and %s ('one',)"


def test_an_endless_message_is_cut() -> None:
    """A field longer than 8000 characters says how much is missing."""
    assert json.loads(line("x" * 9000))["message"].endswith("... (1000 more)")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A configured root logger writing here, put back afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    found = io.StringIO()
    configure("info", [CANARY], found)
    yield found
    logging.captureWarnings(capture=False)
    root.handlers, root.level = before, level


def test_everything_of_the_process_goes_through_it(stream: io.StringIO) -> None:
    """Our loggers, other people's and warnings all arrive as JSON; below the level nothing does."""
    logging.getLogger("exporter.a").info("one", extra={"tenant": "acme"})
    logging.getLogger("exporter.a").debug("two")
    logging.getLogger("odoorpc.rpc").info("three")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("four", stacklevel=1)

    found = [json.loads(text) for text in stream.getvalue().splitlines()]

    assert [entry["logger"] for entry in found] == ["exporter.a", "py.warnings"]
    assert found[0]["tenant"] == "acme"
    assert found[0]["level"] == "info"
