"""JSON of strangers: taken or refused with a sentence, and nothing else (promise R13)."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.json_limits import DEEPEST, KEYS, NotPlain, document

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_plain_documents_are_taken_as_they_are(value: object) -> None:
    """What json.dumps writes comes back equal."""
    assert document(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff", "is not UTF-8 text"),
        (b"{", "is not JSON"),
        (b'{"a": 1, "a": 2}', "gives a key twice"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -1e999}', "too large"),
        (b"[9223372036854775808]", "more than 64 bits"),
        (b"9" * 200_000, "more than 64 bits"),
        (b"[" * (DEEPEST + 1) + b"1" + b"]" * (DEEPEST + 1), "deeper than 32 levels"),
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 32 levels"),
        (json.dumps({str(n): n for n in range(KEYS + 1)}).encode(), "more than 2000 keys"),
        (json.dumps([{"k": 1}] * (KEYS + 1)).encode(), "more than 2000 keys"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_quickly(raw: bytes, said: str) -> None:
    """One sentence, a few milliseconds."""
    began = time.process_time()
    with pytest.raises(NotPlain, match=said):
        document(raw)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("depth", [1, DEEPEST])
def test_the_deepest_that_is_allowed_is_taken(depth: int) -> None:
    """Exactly so many levels."""
    assert document(b"[" * depth + b"]" * depth) is not None
