"""gzip is taken where it is whole and small, and costs no more memory than that (promise R12)."""

import gzip
import tracemalloc

import pytest

from exporter.errors import Refused
from exporter.intake.packed import unpacked

MOST = 1000


@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP"])
def test_what_was_packed_is_had_again(size: int, encoding: str) -> None:
    """Up to the limit itself; without gzip the body is what was sent."""
    assert unpacked(gzip.compress(b"x" * size), encoding, most=MOST) == b"x" * size
    assert unpacked(b"x" * size, "identity", most=MOST) == unpacked(b"x" * size, "", most=MOST) == b"x" * size


WHOLE = gzip.compress(b"{}")


@pytest.mark.parametrize(
    ("raw", "encoding", "status"),
    [
        (gzip.compress(b"x" * (MOST + 1)), "gzip", 413),
        (b"", "gzip", 400),
        (b"{}", "gzip", 400),
        (WHOLE[:-1], "gzip", 400),
        (WHOLE[:-8] + b"00000000", "gzip", 400),
        (WHOLE + WHOLE, "gzip", 400),
        (WHOLE, "br", 415),
        (WHOLE, "gzip, gzip", 415),
    ],
)
def test_anything_else_is_refused(raw: bytes, encoding: str, status: int) -> None:
    """Too much, none, cut, damaged, more than one member, another encoding: each with its status and a sentence."""
    with pytest.raises(Refused) as refused:
        unpacked(raw, encoding, most=MOST)
    assert refused.value.status == status
    assert refused.value.sentence.endswith(".")


def test_a_bomb_is_not_unpacked() -> None:
    """20 MB in 20 KB: no more than the limit is ever made of it."""
    bomb = gzip.compress(b"\0" * 20_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            unpacked(bomb, "gzip", most=MOST)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
