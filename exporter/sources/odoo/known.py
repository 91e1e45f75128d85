"""Rows that change in place: which version of each was told, kept in the marks (decision 8).

A row that can return to what it was (A -> B -> A) is numbered; a settled one is named by its content, whose end time
never comes twice. The first number is the server's second, so a row that was forgotten and comes back reuses no key.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.sources.odoo.reading import Reading, digest, second


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What was last told of one row; `about` is what the collection wants to know of it when it is gone."""

    number: int
    digest: str
    settled: bool
    about: str


def recall(reading: Reading, kind: str, one: int) -> Version | None:
    """What was last told of row `one`."""
    return parsed(reading.marks.get(f"{kind}/{one}"))


def parsed(mark: str | None) -> Version | None:
    """From a mark."""
    if mark is None:
        return None
    number, found, settled, about = mark.split(" ", 3)
    return Version(number=int(number), digest=found, settled=settled == "1", about=about)


def new_version(
    reading: Reading, kind: str, one: int, content: bytes, *, settled: bool = False, about: str = "", keep: bool = True
) -> str | None:
    """The version for the Event's key when this row was not told like this; None when it was.

    The mark follows, unless `keep` is False: rows of the past are named by their content and come once.
    """
    old, now = recall(reading, kind, one), digest(content)
    if old is not None and old.digest == now:
        return None
    number = second(reading.began_at) if old is None else old.number + 1
    if keep:
        reading.note(f"{kind}/{one}", f"{number} {now} {int(settled)} {about}")
    return now if settled else f"{number}-{now}"


def forget_absent(reading: Reading, kind: str, present: set[int]) -> Iterator[tuple[int, Version]]:
    """Forget settled rows that are not present any more; yield the others, which nobody saw settle."""
    for key in [key for key in reading.marks if key.startswith(f"{kind}/")]:
        one = int(key.rpartition("/")[2])
        if one in present:
            continue
        found = recall(reading, kind, one)
        if found is not None and not found.settled:
            yield one, found
        else:
            reading.note(key, None)
