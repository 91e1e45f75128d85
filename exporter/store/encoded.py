"""What is written as it comes, whoever made it: encoded rows for the outbox, and totals."""

from datetime import datetime
from typing import Literal, Protocol

from exporter.domain.told import Labels

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


class Total(Protocol):
    """One series of one metric, absolute: a TotalRow, or what telemetry makes."""

    @property
    def name(self) -> str:
        """The instrument's name."""

    @property
    def labels(self) -> Labels:
        """Label pairs in the instrument's order."""

    @property
    def state(self) -> bytes:
        """What it stands at, encoded."""
