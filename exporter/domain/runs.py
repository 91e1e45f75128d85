"""Runs: one execution of something, cut from the facts of a Subject; Steps, Waits and Failures inside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec import Struct

Result = Literal["success", "failure", "error", "timeout", "cancellation", "skip", "partial", "unknown"]
BAD: frozenset[str] = frozenset({"failure", "error", "timeout"})  # the only results that make a span an error
WaitKind = Literal["queue", "human", "external"]
FailureClass = Literal["technical", "business", "human_delay"]
Cause = Literal["auth", "schema", "timeout", "rate_limit", "outage", "data", "business_rule", "unknown"]
Origin = Literal["live", "history"]
Teller = Literal["us", "us, as theirs", "them"]
Scalar = str | bool | int | float
Attributes = tuple[tuple[str, Scalar], ...]
CLAMPED: Attributes = (
    ("odoo.time.clamped", True),
)  # clocks lied: a time was moved so that nothing ends before it began
ENDLESS: Attributes = (("odoo.time.end_unknown", True),)  # it is over, but nobody saw when: its span has no length


def known(found: Mapping[str, Scalar | None]) -> Attributes:
    """Those attributes of which something is known."""
    return tuple((name, value) for name, value in found.items() if value is not None)


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """Why something ended badly; `message` is masked, `fingerprint` is of the masked text."""

    type: str
    message: str = ""
    failure_class: FailureClass = "technical"
    cause: Cause = "unknown"
    transient: bool = False
    fingerprint: str = ""


class RunLink(Struct, frozen=True, kw_only=True, gc=False):
    """A Run elsewhere that this one belongs to: enough to compute its ids. `reason` becomes `odoo.link.reason`.

    `traceparent` is W3C's header of its root where that stands in another trace than its own.
    """

    reason: str
    model: str
    record_id: str
    key: str
    trace_key: str
    traceparent: str = ""


class Step(Struct, frozen=True, kw_only=True, gc=False):
    """A part of a Run. `role` is its path inside the Run (`attempt/2`) and the last field of its span id.

    `within` is the role of the Step that it is a part of; "" where it is one of the Run itself.
    """

    role: str
    name: str
    started_at: datetime
    ended_at: datetime | None = None
    wait: WaitKind | None = None
    result: Result | None = None
    failure: Failure | None = None
    attributes: Attributes = ()
    within: str = ""


class Run(Struct, frozen=True, kw_only=True, gc=False):
    """One execution.

    Attributes:
        kind: `cron`, `job`, `record`, ...: which file of the fold cut it.
        workflow: the definition it is an execution of; low-cardinality, a metric label.
        subject: the Subject it was cut from.
        model, record_id, key, trace_key: what its ids are computed from (domain/ids.py).
        joins: the Run in whose trace it stands, as a child of its root; `traceparent`: W3C's header of the span that
            called it, which counts more. Without either it has a trace of its own.
        started_at: when the work began; `scheduled_at`: when it was wanted, if earlier.
        steps: sorted by (started_at, role).
        state, since: of an open Run: what it is doing or waiting for, and since when.
        teller: who exports its root span: `us`; `us, as theirs` under the id in `traceparent`, which somebody else gave
            out and will never export; `them`: somebody else does, and only what that lacks is told.
    """

    kind: str
    workflow: str
    subject: str
    model: str
    record_id: str
    key: str
    trace_key: str
    title: str
    started_at: datetime
    scheduled_at: datetime | None = None
    ended_at: datetime | None = None
    result: Result | None = None
    failure: Failure | None = None
    origin: Origin = "live"
    steps: tuple[Step, ...] = ()
    links: tuple[RunLink, ...] = ()
    attributes: Attributes = ()
    state: str = ""
    since: datetime | None = None
    joins: RunLink | None = None
    traceparent: str = ""
    teller: Teller = "us"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """That a Subject has an open Run: what the open-Run gauges count."""

    workflow: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Wake the Subject at `due`, but only after a successful poll of `source` that began later than that."""

    subject: str
    name: str
    due: datetime
    source: str
