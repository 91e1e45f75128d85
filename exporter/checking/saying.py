"""A sentence of `odoo-otel check`, and how grave it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["ok", "note", "warning", "error"]
# The exit code: what is only noted (a module that is not there, a version nobody tested) stops no deployment.
CODES: Mapping[Severity, int] = {"ok": 0, "note": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that was found: `about` is a database, or what stands around them."""

    severity: Severity
    about: str
    sentence: str

    def __str__(self) -> str:
        """As one line."""
        return f"{self.severity:<8}{self.about}: {self.sentence}"


def worst(said: Iterable[Said]) -> int:
    """The exit code of all that was said."""
    return max((CODES[one.severity] for one in said), default=0)
