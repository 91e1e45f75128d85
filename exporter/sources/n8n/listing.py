"""One page of n8n's list: the executions on it; of what is none, which one it is, as far as that shows, and why."""

from dataclasses import dataclass, field

import msgspec

from exporter.sources.n8n.rows import Listed, Numbered, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a page says.

    Attributes:
        rows: the executions that can be read, newest first.
        faults: (id, or "?", and the reason) of those that cannot.
        numbers: the ids of both, newest first: a page on which nothing can be read is still a page.
    """

    rows: list[Listed] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


def listing_of(page: Page) -> Listing:
    """Every execution on a page, each for itself."""
    found = Listing()
    for raw in page.data:
        try:
            row = msgspec.json.decode(raw, type=Listed)
            number = row.number
        except (msgspec.MsgspecError, ValueError) as error:
            number = _number(raw)
            reason = f"An execution in n8n's list is not what it promises ({type(error).__name__})."
            found.faults.append((str(number or "?"), reason))
        else:
            found.rows.extend([row] if number > 0 else [])
        found.numbers.extend([number] if number > 0 else [])
    return found


def _number(raw: msgspec.Raw) -> int:
    """The id of an execution that says nothing else; 0 where not even that can be read."""
    try:
        return max(int(msgspec.json.decode(raw, type=Numbered).id), 0)
    except (msgspec.MsgspecError, ValueError):
        return 0
