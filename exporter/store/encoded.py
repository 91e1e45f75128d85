"""What is put into the outbox, whoever encoded it."""

from datetime import datetime
from typing import Literal, Protocol

Signal = Literal["traces", "logs", "metrics"]


class Encoded(Protocol):
    """What is put into the outbox: an OutboxRow without an id, whoever encoded it."""

    @property
    def signal(self) -> Signal:
        """Which of the three it is."""

    @property
    def context(self) -> bytes:
        """Encoded resource and scope."""

    @property
    def body(self) -> bytes:
        """The encoded span, log record or metric."""

    @property
    def at(self) -> datetime:
        """When it happened."""
