"""What can go wrong at the edges: refused input, a source out of order, a broken store."""

from collections.abc import Sequence


class OdooOtelError(Exception):
    """The base of every error this program raises on purpose."""


class ConfigError(OdooOtelError):
    """The configuration is wrong; `faults` lists every fault found, one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Refused(OdooOtelError):
    """Somebody's input was refused: HTTP status to answer, reason to count, sentence that says what to change."""

    def __init__(self, status: int, reason: str, sentence: str = "") -> None:
        super().__init__(sentence or f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.sentence = sentence


class SourceError(OdooOtelError):
    """A source could not be read."""


class SourceDown(SourceError):
    """The source did not answer, or refused us: try again later, nothing was lost."""


class SourceRefused(SourceDown):
    """The source does not know us, or not any more: asking on is no use until a key or a right was changed."""


class BadRecord(SourceError):
    """The source answered something that is not what it promises: the record is counted and left out."""


class StoreError(OdooOtelError):
    """The store could not do what was asked."""


class StoreFull(StoreError):
    """No room left: refuse intake (503), keep what is there, drain."""


class StoreBroken(StoreError):
    """An I/O error at commit: nothing may be acknowledged any more; the process exits with 70."""


class Fenced(StoreError):
    """A Commit expected another offset than the store has: somebody else moved it; nothing was written."""
