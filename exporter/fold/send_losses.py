"""Webhooks that went wrong, rule by rule: counted whole, the newest of them remembered."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace

from exporter.fold.send_memory import Arrival, Change, Draft, Gone, Loss

Timed = TypeVar("Timed", Change, Arrival, Gone)


def lose(draft: Draft, name: str, loss: Loss) -> None:
    """One more that went wrong."""
    known = draft.losses.get(name)
    if known is not None:
        newest = max(known, loss, key=lambda one: (one.last, one.example))
        loss = replace(newest, first=min(known.first, loss.first), count=known.count + 1)
    draft.losses[name] = loss


def regain(draft: Draft, keys: Iterable[str]) -> None:
    """These were dropped and came after all: a loss is of those that did not, and tells of the last of them."""
    for rule, came in Counter(draft.gone.pop(key).rule for key in keys).items():
        known = draft.losses.pop(f"send.lost/{rule}")
        left = sorted((one.at, key, one.record) for key, one in draft.gone.items() if one.rule == rule)
        if left:
            last, example, record = left[-1]
            count = known.count - came
            first = left[0][0] if count == len(left) else known.first  # else there were more than are remembered
            draft.losses[f"send.lost/{rule}"] = replace(
                known, first=first, last=last, count=count, example=example, record=record
            )


def bounded(found: dict[str, Timed], most: int) -> dict[str, Timed]:
    """The newest ones: what goes on being wrong for days must not be remembered whole."""
    if len(found) <= most:
        return found
    kept = sorted(found, key=lambda key: (found[key].at, key))[-most:]
    return {key: found[key] for key in kept}
