"""The settings of one scheduled action."""

from dataclasses import dataclass, field

from exporter.config import kinds as k
from exporter.config.kinds import setting
from exporter.config.quiet import QUIET, Quiet

YEAR = 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is declared of one scheduled action: when it is late, missed, stuck or failing, and when to be quiet."""

    name: str = ""
    late: float = field(
        default=120.0, metadata=setting(k.seconds(1, YEAR), "It has not begun: seconds after it was due, an info.")
    )
    missed: float | None = field(
        default=None,
        metadata=setting(
            k.seconds(1, YEAR),
            "It still has not begun: seconds after it was due, more than `late`, critical. Left out, it is the "
            "action's interval, at most an hour and at least twice `late`.",
        ),
    )
    stuck: float = field(
        default=3600.0, metadata=setting(k.seconds(1, YEAR), "It has been running for so many seconds, critical.")
    )
    failures: int = field(
        default=1,
        metadata=setting(k.whole(1, 1000), "So many runs in a row must go wrong before that is told, a warning."),
    )
    recoveries: int = field(
        default=1, metadata=setting(k.whole(1, 1000), "So many runs in a row must go well before that is over.")
    )
    quiet: tuple[Quiet, ...] = field(
        default=(), metadata=setting(QUIET, "Quiet windows of this action, beside those of the database.")
    )
