"""What goes wrong, when and with whom: labels on which detectors are scored, and the truth the facts follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Literal

from exporter.domain.times import SECOND, from_micros, micros
from exporter.sources.simulator.cast import CAST, Action
from exporter.sources.simulator.facts import HOUR, MINUTE, dice
from exporter.sources.simulator.rhythm import wall_clock, workday_before
from exporter.sources.simulator.schedule import last_due

IncidentKind = Literal["cron_failing", "cron_hung", "cron_missed", "cron_slow", "jobs_piled", "approver_absent"]
HELD: frozenset[str] = frozenset({"cron_hung", "cron_missed"})  # while it lasts the action does not start
_CRON_KINDS: tuple[IncidentKind, ...] = ("cron_failing", "cron_hung", "cron_missed", "cron_slow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that goes wrong.

    Attributes:
        subject: `cron/<id>`, `channel/<name>` or `user/<id>`.
        label: the XML id, channel or user as telemetry names it.
        began: inclusive; `ended`: exclusive, None if it lasts.
    """

    kind: IncidentKind
    subject: str
    label: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An Incident's time in microseconds, as the generators compare it."""

    kind: IncidentKind
    began: int
    ended: int | None

    def holds(self, at: int) -> bool:
        """Whether a moment lies inside."""
        return self.began <= at and (self.ended is None or at < self.ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every generator is told: the seed, where the clocks hang, and what goes wrong with each subject."""

    seed: int
    zone: str
    spans: Mapping[str, Sequence[Span]]

    def troubles(self, subject: str) -> Sequence[Span]:
        """What goes wrong with a subject."""
        return self.spans.get(subject, ())


def plan(seed: int, zone: str, start: datetime, live: datetime) -> tuple[Incident, ...]:
    """The incidents of the last days before `live` and of the first hour behind it, in order of time."""
    rng = dice(seed, "incidents")
    at = micros(live)
    pool = [action for action in CAST.actions if action.fragile]
    past = rng.sample(pool, 4)
    # The slow one of the live hour is not one that was slow before: it must be slower than ever.
    coming = rng.sample([action for action in pool if action is not past[3]], 4)
    found = [*_past(rng, zone, at, past), *_coming(rng, zone, at, coming)]
    return tuple(sorted((i for i in found if i.began >= start), key=lambda i: (i.began, i.kind)))


def _past(rng: Random, zone: str, live: int, actions: Sequence[Action]) -> list[Incident]:
    days = {"cron_failing": (3, 9, 4), "cron_hung": (4, 10, 6), "cron_missed": (2, 13, 4), "cron_slow": (1, 9, 4)}
    found = []
    for kind, action in zip(_CRON_KINDS, actions, strict=True):
        back, hour, lasts = days[kind]
        began = wall_clock(zone, workday_before(zone, live, back), hour * 3600) + rng.randrange(60) * MINUTE
        found.append(_cron(kind, action, began, _apart(zone, action, began + lasts * HOUR)))
    piled = wall_clock(zone, workday_before(zone, live, 2), 10 * 3600)
    found.append(_jobs(rng.choice(sorted(CAST.channels)), piled, piled + 3 * HOUR))
    away = wall_clock(zone, workday_before(zone, live, 4))
    found.append(_absent(rng.choice(sorted(CAST.approvers)), away, wall_clock(zone, workday_before(zone, live, 1))))
    return found


def _coming(rng: Random, zone: str, live: int, actions: Sequence[Action]) -> list[Incident]:
    minutes: dict[str, tuple[int, int | None]] = {
        "cron_failing": (5, 95),
        "cron_hung": (10, None),
        "cron_missed": (15, 135),
        "cron_slow": (8, 98),
    }
    found = []
    for kind, action in zip(_CRON_KINDS, actions, strict=True):
        began, ended = minutes[kind]
        over = None if ended is None else _apart(zone, action, live + ended * MINUTE)
        found.append(_cron(kind, action, live + began * MINUTE, over))
    found.append(_jobs(rng.choice(sorted(CAST.channels)), live + 6 * MINUTE, live + 50 * MINUTE))
    found.append(_absent(rng.choice(sorted(CAST.approvers)), live + 2 * MINUTE, live + 50 * HOUR))
    return found


def _apart(zone: str, action: Action, at: int) -> int:
    """About then, half-way between two times the action is due: a run that comes back late meets no other."""
    return last_due(action, zone, at) + action.step * SECOND // 2


def _cron(kind: IncidentKind, action: Action, began: int, ended: int | None) -> Incident:
    return _incident(kind, (f"cron/{action.id}", action.xmlid), began, ended)


def _jobs(channel: str, began: int, ended: int) -> Incident:
    return _incident("jobs_piled", (f"channel/{channel}", channel), began, ended)


def _absent(user: int, began: int, ended: int) -> Incident:
    return _incident("approver_absent", (f"user/{user}", str(user)), began, ended)


def _incident(kind: IncidentKind, who: tuple[str, str], began: int, ended: int | None) -> Incident:
    over = None if ended is None else from_micros(ended)
    return Incident(kind=kind, subject=who[0], label=who[1], began=from_micros(began), ended=over)


def spans(incidents: Sequence[Incident]) -> Mapping[str, Sequence[Span]]:
    """The incidents of each subject."""
    found: dict[str, list[Span]] = {}
    for one in incidents:
        ended = None if one.ended is None else micros(one.ended)
        found.setdefault(one.subject, []).append(Span(kind=one.kind, began=micros(one.began), ended=ended))
    return found
