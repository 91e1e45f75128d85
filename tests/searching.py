"""How long a search looks for a counterexample: a moment among the unit tests, long in tests/fuzz."""

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import settings

FEW = 25
_wide = False


def searching(examples: int = 100, *, derandomize: bool = False) -> settings:
    """Few examples where the property stands among the unit tests, all of these where tests/fuzz runs it."""
    return settings(max_examples=examples if _wide else min(examples, FEW), deadline=None, derandomize=derandomize)


@contextmanager
def wide() -> Iterator[None]:
    """Modules of unit tests that are imported in here try all examples."""
    global _wide  # noqa: PLW0603 - a property takes its number while its module is imported
    _wide = True
    try:
        yield
    finally:
        _wide = False
