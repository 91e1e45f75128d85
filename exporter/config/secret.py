"""A value that is not shown: whatever prints, formats, logs or encodes it gets a placeholder."""

from hmac import compare_digest
from typing import Literal

REDACTED = "[REDACTED]"
Scheme = Literal["standard", "github", "stripe", "bearer", "token"]  # how the sender of a webhook proves himself
SHOWN: frozenset[Scheme] = frozenset({"bearer", "token"})  # by a token that is shown, not by what it signs


class Secret:
    """A password or key; `reveal()` is the only way to its value, so that every use can be found by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        """The placeholder."""
        return REDACTED

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """The placeholder, whatever format was asked for."""
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        """Compared in constant time."""
        return isinstance(other, Secret) and compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        """Of the value, so that equal secrets are one."""
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        """Whether there is a value at all."""
        return bool(self._value)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """A pickle or a deep copy (dataclasses.asdict) is the placeholder."""
        return (str, (REDACTED,))
