"""Conditions of automation rules: which values of one field fulfil them; everything else cannot be judged from outside.

Odoo keeps a domain as the text of a Python literal (`[('state', '=', 'sale')]`); where it holds an expression (`uid`,
`context_today()`) or asks for another field, nobody can say it without Odoo.
"""

import ast
from collections.abc import Sequence

from msgspec import Struct

LONGEST = 2_000  # characters of a condition that is looked at


class Values(Struct, frozen=True, kw_only=True):
    """A set of values: these, or with `but` all but these."""

    of: frozenset[str]
    but: bool = False

    def both(self, other: "Values") -> "Values":
        """What is in both."""
        if self.but and other.but:
            return Values(of=self.of | other.of, but=True)
        if self.but:
            return other.both(self)
        return Values(of=self.of - other.of if other.but else self.of & other.of)

    def turned(self) -> "Values":
        """What is not in it."""
        return Values(of=self.of, but=not self.but)

    def either(self, other: "Values") -> "Values":
        """What is in one of them."""
        return self.turned().both(other.turned()).turned()


ALL = Values(of=frozenset(), but=True)
NONE = Values(of=frozenset())


def values(condition: str | None, field: str) -> Values | None:
    """The values of `field` that fulfil a condition which asks for nothing else; None where it cannot be said."""
    text = (condition or "").strip()
    if not text:
        return ALL
    if len(text) > LONGEST:
        return None
    try:
        domain = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return _joined(domain, field) if isinstance(domain, list) else None


def _joined(domain: Sequence[object], field: str) -> Values | None:
    """Leaves without an operator before them are joined by `and`."""
    rest, found = list(domain), ALL
    while rest:
        one = _term(rest, field)
        if one is None:
            return None
        found = found.both(one)
    return found


def _term(rest: list[object], field: str) -> Values | None:
    """The first term of a domain in Polish notation, which is taken off it."""
    term = rest.pop(0) if rest else None
    if term == "!":
        one = _term(rest, field)
        return one.turned() if one else None
    if term in ("&", "|"):
        left, right = _term(rest, field), _term(rest, field)
        if left is None or right is None:
            return None
        return left.both(right) if term == "&" else left.either(right)
    return _leaf(term, field)


def _leaf(term: object, field: str) -> Values | None:
    """One comparison. An empty state (False) is no state that is tracked."""
    if not isinstance(term, tuple | list) or len(term) != 3 or term[0] != field:  # noqa: PLR2004 - a triplet
        return None
    _, operator, wanted = term  # of any type, so they are looked up in tuples: a list has no hash
    if operator in ("=", "!=") and isinstance(wanted, str):
        return Values(of=frozenset({wanted}), but=operator == "!=")
    if (
        operator in ("in", "not in")
        and isinstance(wanted, tuple | list)
        and all(isinstance(one, str) for one in wanted)
    ):
        return Values(of=frozenset(str(one) for one in wanted), but=operator == "not in")
    return None
