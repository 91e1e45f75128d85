"""Rows of one document and of its tier reviews.

As the Odoo source does by default, only purchases are read themselves; refunds are followed by their reviews alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from exporter.domain.bodies import FieldChanged, RecordChanged, RecordVanished, ReviewChanged
from exporter.domain.times import SECOND, micros
from exporter.sources.simulator.cast import Tier
from exporter.sources.simulator.facts import Fact, micro, second
from exporter.sources.simulator.rhythm import wall_clock

# Ids are moments in steps of 20 ms, and every document has one step of 4,096 to itself: ids grow with time and never
# meet, without anybody counting across days.
_STEP = micro(0.02)
_STEPS = 4096
_TIERS_AT_MOST = 8
_PARTNERS = 55  # users are partners too; messages name the partner
PURCHASE = "purchase.order"
REQUESTED, DECIDED = "odoo.review.requested", "odoo.review.decided"


@dataclass(slots=True, kw_only=True)
class Review:
    """One tier.review and where in the list of facts its newest version stands."""

    id: int
    tier: Tier
    sequence: int
    created: int
    shown: int
    newest: int


@dataclass(slots=True, kw_only=True)
class Document:
    """One record, its facts so far, and the reviews of its current round."""

    model: str
    id: int
    origin: tuple[str, int]
    slot: int
    amount: float
    owner: int
    rng: Random
    created: int = 0
    status: str = "draft"
    approved: int | None = None
    newest: int | None = None
    facts: list[Fact] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)

    def moment(self, at: int) -> int:
        """The next moment that belongs to this document alone (at most 82 s later)."""
        step = -(-at // _STEP)
        return (step + (self.slot - step) % _STEPS) * _STEP

    def number(self, at: int) -> int:
        """The id of a row that is written at a moment of this document."""
        return (at - wall_clock(*self.origin)) // _STEP + 1

    def create(self, at: int) -> int:
        """The draft."""
        self.created = self.moment(at)
        if self.model == PURCHASE:
            self._version(self.created)
        return self.created

    def track(self, at: int, state: str, author: int, subtype: str) -> None:
        """A new state, tracked by a message."""
        at, old = self.moment(at), self.status
        self.approved = at if state == "purchase" else None
        self.status = state
        self._version(at)
        number = self.number(at)
        self._add(
            at,
            f"tracking/{number}",
            FieldChanged(
                tracking_id=number,
                message_id=number,
                model=self.model,
                record_id=self.id,
                field="state",
                old=old,
                new=state,
                author=author + _PARTNERS,
                subtype=subtype,
            ),
        )

    def request(self, at: int, tiers: Sequence[Tier]) -> list[Review]:
        """One review a tier, in one transaction: the first can be decided, the others wait for it."""
        at = self.moment(at)
        first = self.number(at) * _TIERS_AT_MOST
        self.reviews = []
        for place, tier in enumerate(tiers):
            review = Review(id=first + place, tier=tier, sequence=place + 1, created=at, shown=at, newest=-1)
            self.change(review, at, "waiting" if place else "pending")
            self.reviews.append(review)
        return list(self.reviews)

    def change(self, review: Review, at: int, status: str) -> None:
        """A review that is not decided, in a new status."""
        self._review(review, REQUESTED, at, (status, None))

    def decide(self, review: Review, at: int, status: str, by: int | None) -> None:
        """A review is approved, rejected or cancelled."""
        self._review(review, DECIDED, at, (status, by))

    def vanish(self, round_: Sequence[Review], at: int) -> None:
        """Restarted: Odoo deletes the reviews; nobody looks for decided ones any more, so only open ones are missed."""
        at = self.moment(at)
        for review in round_:
            if self.facts[review.newest].name == DECIDED:
                continue
            self._hide(review.newest, at)
            body = RecordVanished(
                model="tier.review", record_id=review.id, subject_model=self.model, subject_id=self.id
            )
            self.facts.append(
                Fact(
                    shown=at, name="odoo.record.vanished", key=f"review/{review.id}/{at // SECOND}/vanished", body=body
                )
            )

    def _review(self, review: Review, name: str, at: int, outcome: tuple[str, int | None]) -> None:
        status, by = outcome
        self._hide(review.newest, at)
        review.newest = len(self.facts)
        body = ReviewChanged(
            review_id=review.id,
            model=self.model,
            record_id=self.id,
            status=status,
            tier=review.tier.name,
            definition_id=review.tier.id,
            sequence=review.sequence,
            in_sequence=True,
            requested_by=self.owner,
            done_by=by,
            reviewers=review.tier.reviewers,
            create_date=second(review.created),
            reviewed_date=second(at) if by is not None else None,
            company=1,
        )
        key = f"review/{review.id}/{at // SECOND}-{status}"
        self.facts.append(Fact(shown=at, name=name, key=key, at=micros(second(at)), body=body))

    def _version(self, at: int) -> None:
        self._hide(self.newest, at)
        self.newest = len(self.facts)
        body = RecordChanged(
            model=self.model,
            record_id=self.id,
            state=self.status,
            name=f"P{self.id:05d}",
            amount=self.amount,
            currency="EUR",
            company=1,
            partner=1000 + self.id % 97,
            owner=self.owner,
            create_date=second(self.created),
            approved_at=None if self.approved is None else second(self.approved),
        )
        key = f"record/{self.model}/{self.id}/{at // SECOND}"
        self.facts.append(Fact(shown=at, name="odoo.record.changed", key=key, at=micros(second(at)), body=body))

    def _add(self, at: int, key: str, body: FieldChanged) -> None:
        self.facts.append(Fact(shown=at, name="odoo.field.changed", key=key, at=micros(second(at)), body=body))

    def _hide(self, newest: int | None, at: int) -> None:
        """The version that stood until now is gone."""
        if newest is None or newest < 0:
            return
        old = self.facts[newest]
        self.facts[newest] = Fact(shown=old.shown, name=old.name, key=old.key, body=old.body, at=old.at, gone=at)
