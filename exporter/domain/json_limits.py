"""JSON that strangers send: what is no plain, small document is refused before anybody looks into it.

No duplicate keys, no NaN, nothing infinite, no integer beyond 64 bits, at most DEEPEST levels and KEYS keys
(facts/reliability.md 4).
"""

import json
from math import isinf
from typing import Any

DEEPEST, KEYS = 32, 2_000
_WHOLE = 2**63
_DIGITS = 20


class NotPlain(ValueError):
    """A document that is not taken; the text completes "The body ..."."""


def document(raw: bytes) -> Any:  # noqa: ANN401 - JSON is anything
    """The parsed document.

    Raises:
        NotPlain: no JSON in UTF-8, or beyond a limit.
    """
    try:
        found = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_fraction,
        )
    except UnicodeDecodeError as error:
        raise NotPlain("is not UTF-8 text") from error
    except RecursionError as error:
        raise NotPlain(f"is nested deeper than {DEEPEST} levels") from error
    except json.JSONDecodeError as error:
        raise NotPlain(f"is not JSON (line {error.lineno}, column {error.colno})") from error
    _measure(found)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotPlain("gives a key twice")
    return found


def _constant(name: str) -> None:
    raise NotPlain(f"holds {name}, which is not a number of JSON")


def _integer(text: str) -> int:
    number = int(text) if len(text) <= _DIGITS else _WHOLE
    if not -_WHOLE <= number < _WHOLE:
        raise NotPlain("holds a whole number of more than 64 bits")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if isinf(number):  # `1e999` cannot be written down again as JSON
        raise NotPlain("holds a number that is too large")
    return number


def _measure(found: object) -> None:
    """Level by level: what is too deep or too wide is not walked to its end."""
    level, keys = [found], 0
    for _ in range(DEEPEST + 1):
        below: list[object] = []
        for one in level:
            children = list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else ()
            keys += len(children) if isinstance(one, dict) else 0
            below.extend(children)
        if keys > KEYS:
            raise NotPlain(f"has more than {KEYS} keys")
        if not below:
            return
        level = below
    raise NotPlain(f"is nested deeper than {DEEPEST} levels")
