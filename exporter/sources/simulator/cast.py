"""Who and what is in the company, as cast.yaml lists it: scheduled actions, jobs and their channels, people, tiers."""

from dataclasses import dataclass, replace
from importlib.resources import files

import msgspec
import yaml

MINUTES, HOURS, DAYS = 60, 3600, 86400
_UNITS = {"m": MINUTES, "h": HOURS, "d": DAYS, "w": 7 * DAYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One scheduled action; ids follow the list.

    Attributes:
        every: the interval (`5m`); whole days follow the clock on the wall.
        at: local time, where it runs daily or weekly (on Mondays).
        median, sigma: seconds of a run and their spread (log-normal).
        loaded: whether busy hours make it longer.
        asked: how often it is triggered on an ordinary workday.
        backlog: whether busy hours leave it more than one batch.
        flaky: the chance that a run fails.
        fragile: runs often enough for an incident to show within an hour.
    """

    xmlid: str
    name: str
    model: str
    every: str
    median: float
    id: int = 0
    at: str = "00:00"
    sigma: float = 0.3
    loaded: bool = False
    asked: float = 0.0
    backlog: bool = False
    flaky: float = 0.0
    fragile: bool = False
    priority: int = 5

    @property
    def step(self) -> int:
        """The interval in seconds."""
        return int(self.every[:-1]) * _UNITS[self.every[-1]]

    @property
    def time(self) -> int:
        """Seconds after local midnight, where it runs daily or weekly."""
        hours, minutes = self.at.split(":")
        return int(hours) * HOURS + int(minutes) * MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What a queue job does: its channel, how long it takes, how often it must be tried again, fails or has parents."""

    channel: str
    model: str
    method: str
    title: str
    per_day: float
    median: float
    retries: float = 0.0
    fails: float = 0.0
    parents: int = 0
    error: str = "odoo.addons.queue_job.exception.JobError"
    message: str = "Job failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One tier definition: who may approve documents of a model above an amount."""

    id: int
    model: str
    name: str
    above: float
    reviewers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All of cast.yaml."""

    actions: tuple[Action, ...]
    channels: dict[str, int]
    functions: tuple[Function, ...]
    buyers: tuple[int, ...]
    clerks: tuple[int, ...]
    approvers: dict[int, float]
    purchase_approvers: tuple[int, ...]
    double_validation: float
    tiers: tuple[Tier, ...]


def _read() -> Cast:
    text = files("exporter.sources.simulator").joinpath("cast.yaml").read_text(encoding="utf-8")
    cast = msgspec.convert(yaml.safe_load(text), Cast)
    actions = tuple(replace(action, id=number) for number, action in enumerate(cast.actions, start=1))
    return replace(cast, actions=actions)


CAST = _read()
