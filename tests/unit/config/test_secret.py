"""A Secret is not shown."""

import dataclasses
import json
import pickle

import pytest

from exporter.config import REDACTED, Database, Secret

CANARY = "c4n4ry"
SECRET = Secret(CANARY)


@pytest.mark.parametrize(
    "shown",
    [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>20}",
        f"{SECRET:>20}",
        "%s %r" % (SECRET, SECRET),  # noqa: UP031 the old way of writing it must be safe, too
        json.dumps({"key": SECRET}, default=str),
        repr(Database(url="http://x", database="d", user="u", api_key=SECRET)),
        str(dataclasses.asdict(Database(url="http://x", database="d", user="u", api_key=SECRET))),
    ],
    ids=range(9),
)
def test_however_it_is_shown_it_is_the_placeholder(shown: str) -> None:
    """Printing, formatting and encoding show the placeholder and never the value (R15)."""
    assert CANARY not in shown
    assert REDACTED in shown


def test_only_reveal_gives_the_value() -> None:
    """The value is there for the one call that asks for it by name."""
    assert SECRET.reveal() == CANARY
    assert Secret(CANARY) == SECRET
    assert Secret("other") != SECRET
    assert CANARY != SECRET
    assert len({SECRET, Secret(CANARY)}) == 1


def test_a_copy_holds_no_value() -> None:
    """What is pickled is the placeholder; an empty secret is known as such (R15)."""
    assert pickle.loads(pickle.dumps(SECRET)) == REDACTED  # noqa: S301 our own bytes
    assert not Secret("")
    assert SECRET
