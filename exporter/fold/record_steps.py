"""The Steps of a business document: one a tier review, one a tracked state; both are waits for somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.domain.bodies import FieldChanged, RecordVanished, ReviewChanged
from exporter.domain.events import Event
from exporter.domain.runs import CLAMPED, Attributes, Result, Step, known
from exporter.fold.epochs import named, placed
from exporter.fold.workflows import Workflow

# tier.review.status -> what was decided (facts/odoo.md section 4).
DECISIONS = {"approved": "approved", "rejected": "refused", "cancel": "cancelled", "forwarded": "forwarded"}
_RESULTS: dict[str, Result] = {"approved": "success", "refused": "success", "forwarded": "success"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """One tier review: `pending_at` is since when somebody could decide it; behind a lower tier, later than asked."""

    review_id: int
    asked_at: datetime
    pending_at: datetime
    ended_at: datetime | None
    decision: str
    row: ReviewChanged
    clamped: bool = False

    def step(self, nth: int = 1) -> Step:
        """The human wait for this decision; `nth`: how many reviews of the Run had this id, with it."""
        return Step(
            role=f"review/{self.review_id}" if nth == 1 else f"review/{self.review_id}/{nth}",
            name=f"review {self.row.tier}",
            started_at=self.pending_at,
            ended_at=self.ended_at,
            wait="human",
            result=_RESULTS.get(self.decision, "cancellation") if self.ended_at else None,
            attributes=_attributes(self) + (CLAMPED if self.clamped else ()),
        )


def _attributes(one: Reviewed) -> Attributes:
    found: dict[str, str | int | None] = {
        "odoo.approval.tier": one.row.tier,
        "odoo.approval.decision": one.decision or None,
        "odoo.approval.requester.id": one.row.requested_by,
        "odoo.approval.approver.id": one.row.done_by,
    }
    return known(found)


Rows = dict[tuple[int, datetime | None], Event]


def identity(row: ReviewChanged) -> tuple[int, datetime | None]:
    """Which review it is: in a restored database its id may be that of another one, asked for before."""
    return row.review_id, row.create_date


def review_steps(seen: Sequence[Reviewed]) -> list[Step]:
    """A Step a review, in the order of `seen`."""
    ids = [one.review_id for one in seen]
    return [one.step(ids[: place + 1].count(one.review_id)) for place, one in enumerate(seen)]


def reviews(facts: Sequence[Event]) -> list[Reviewed]:
    """Every review the facts speak of, by (asked, id); a vanished one (restarted) counts as cancelled."""
    rows: Rows = {}
    gone: dict[int, list[datetime]] = {}
    for event in facts:
        body = event.body
        if isinstance(body, RecordVanished) and body.model == "tier.review":
            gone.setdefault(body.record_id, []).append(event.at)
        elif isinstance(body, ReviewChanged):
            known = rows.get(identity(body))
            if known is None or _decided(event) >= _decided(known):
                rows[identity(body)] = event
    found = [_reviewed(event, gone, rows) for event in rows.values()]
    return sorted(found, key=lambda one: (one.asked_at, one.review_id))


def _decided(event: Event) -> tuple[bool, datetime, str]:
    return (event.name == "odoo.review.decided", event.at, event.key)


def _gone_at(row: ReviewChanged, asked: datetime, gone: dict[int, list[datetime]], rows: Rows) -> datetime | None:
    """When it was not there any more: it vanished, or another one was asked for under its id."""
    others = [made for one, made in rows if one == row.review_id and made is not None and made > asked]
    return min([*others, *(at for at in gone.get(row.review_id, ()) if at >= asked)], default=None)


def _reviewed(event: Event, gone: dict[int, list[datetime]], rows: Rows) -> Reviewed:
    row = event.body
    assert isinstance(row, ReviewChanged)  # noqa: S101 - rows holds reviews alone
    asked = row.create_date or event.at
    decided = event.name == "odoo.review.decided"
    end = (row.reviewed_date or event.at) if decided else _gone_at(row, asked, gone, rows)
    lower = _lower_tiers(row, rows, end)
    never = end is not None and row.status == "waiting" and not lower
    pending = end if never and end else max([asked, *lower])
    return Reviewed(
        review_id=row.review_id,
        asked_at=asked,
        pending_at=min(pending, end) if end else pending,
        ended_at=max(end, asked) if end else None,
        decision=DECISIONS.get(row.status, "") if decided else "cancelled" if end else "",
        row=row,
        clamped=end is not None and end < asked,
    )


def _lower_tiers(row: ReviewChanged, rows: Rows, end: datetime | None) -> list[datetime]:
    """When the tiers before this one were decided: Odoo does not store when waiting became pending.

    What was decided after this review was over belongs to another round.
    """
    if not row.in_sequence:
        return []
    others = [event.body for event in rows.values() if isinstance(event.body, ReviewChanged)]
    lower = [other.reviewed_date for other in others if other.sequence < row.sequence]
    return [at for at in lower if at is not None and (end is None or at <= end)]


def states(
    facts: Sequence[Event], workflow: Workflow, initial: tuple[datetime | None, str], end: datetime | None
) -> list[Step]:
    """One Step a tracked state the document was in; `initial` is since when (if known) it was in which state."""
    if not workflow.final:
        return []
    steps: list[Step] = []
    since, state = initial
    role = "state/0"
    for event in facts:
        change = event.body
        if not isinstance(change, FieldChanged):
            continue
        if since is not None:
            steps.append(_state(workflow, role, (change.old or state, since), event.at))
        message = named(placed(event, change.message_id))
        since, state, role = event.at, change.new or "", f"state/{message}"
    if end is None and since is not None:
        steps.append(_state(workflow, role, (state, since), None))
    return steps


def _state(workflow: Workflow, role: str, began: tuple[str, datetime], left: datetime | None) -> Step:
    state, since = began
    return Step(
        role=role,
        name=f"state {state}",
        started_at=since,
        ended_at=max(left, since) if left else None,
        wait=workflow.waits.get(state),
        result="success" if left else None,
        attributes=(("odoo.record.state", state),),
    )
