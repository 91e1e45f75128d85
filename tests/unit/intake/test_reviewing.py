"""What is kept of a request that was not understood: enough to mend a mapping, nothing of anybody (promise R15)."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.domain.posted import Posted
from exporter.domain.redact import REDACTED
from exporter.errors import Refused
from exporter.intake.reviewing import aside, masked, posted_of
from tests.searching import searching

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
WHY = Refused(422, "no_list", "The body has no list of objects at /alerts: x expects one.")


def posted(raw: bytes, **others: object) -> Posted:
    """A request of the hook shop."""
    return Posted(hook="shop", raw=raw, received_at=NOW, **others)  # type: ignore[arg-type]


def test_texts_are_masked_and_shapes_stay() -> None:
    """Addresses, phones, tokens and all under secret keys go; names, structure, numbers and UUIDs stay (feature 94)."""
    uuid = "3f2b8c1e-0d4a-4c8e-9a51-0c3f6f0a7b11"
    body = {
        "id": uuid,
        "customer": {"mail": "jane.doe@example.com", "phone": "+43 660 1234567", "Api-Key": "abc"},
        "lines": [{"sku": "A-1", "qty": 2, "price": 12.5}, None, True],
        "client_secret": "x",
        "tokens": ["abcd", {"n": 3, "used": True}],
        "a@b.example": 1,
        "c@d.example": 2,
    }
    assert json.loads(masked(json.dumps(body).encode())) == {
        "id": uuid,
        "customer": {"mail": "[EMAIL]", "phone": "[PHONE]", "Api-Key": REDACTED},
        "lines": [{"sku": "A-1", "qty": 2, "price": 12.5}, None, True],
        "client_secret": REDACTED,
        "tokens": [REDACTED, {"n": REDACTED, "used": True}],
        "[EMAIL]": 1,
        "[EMAIL] (6)": 2,
    }


@pytest.mark.parametrize(
    "raw", [b"order=jane.doe%40example.com&mail=jane.doe@example.com", b"\xff\xfe{", b"", b"[" * 99]
)
def test_what_is_no_json_is_kept_as_masked_text(raw: bytes) -> None:
    """Forms, noise and depth are a line of text without an address."""
    assert b"jane.doe@" not in masked(raw)
    assert masked(raw).isascii() or raw.startswith(b"\xff")


@searching(200)
@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@example({"": 2**63, "TOKEN": "0"})
@example("GB33BUKB20201555555555token token")
@example({"://user:secret@host": "0"})
def test_masking_twice_changes_nothing(found: object) -> None:
    """What was masked is masked: a body that is tried again is the one that was kept."""
    once = masked(json.dumps(found).encode())
    assert masked(once) == once


def test_what_came_with_it_comes_back() -> None:
    """Ids of the sender, kind, trace context and times are those of the request; without an id its digest stands."""
    kept = aside("acme", posted(b'{"a": 1}', delivery="msg_1", kind="paid", traceparent="00-x", signed_at=NOW), WHY)
    assert (kept.tenant, kept.origin) == ("acme", "hooks/shop")
    assert kept.reason == "no_list: The body has no list of objects at /alerts: x expects one."
    assert posted_of(kept) == posted(b'{"a": 1}', delivery="msg_1", kind="paid", traceparent="00-x", signed_at=NOW)
    one, two = (posted_of(aside("acme", posted(raw), WHY)) for raw in (b'"a@example.com"', b'"b@example.com"'))
    assert one.raw == two.raw == b'"[EMAIL]"'
    assert one.delivery != two.delivery
