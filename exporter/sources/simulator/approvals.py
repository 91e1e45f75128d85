"""Purchases (two people, and tiers above an amount) and refunds (tiers) that are asked for on a day, to their end."""

from exporter.domain.times import SECOND
from exporter.sources.simulator.cast import CAST, Tier
from exporter.sources.simulator.documents import Document, Review
from exporter.sources.simulator.facts import MINUTE, Fact, dice, micro, usual
from exporter.sources.simulator.incidents import Scene
from exporter.sources.simulator.rhythm import after_work, arrivals

_A_DAY = {"purchase.order": 13.0, "account.move": 11.0}
_AMOUNT = {"purchase.order": 3_200.0, "account.move": 650.0}
_RECORDS_A_DAY = 200
_REFUSED, _RESTARTED, _GIVEN_UP = 0.06, 0.1, 0.4
_SUBTYPES = {"to approve": "purchase.mt_rfq_confirmed", "purchase": "purchase.mt_rfq_approved"}


def facts(scene: Scene, number: int, day: int) -> list[Fact]:
    """Everything that ever becomes visible of the documents of a local day; `number` counts the company's days."""
    found: list[Fact] = []
    for family, (model, wanted) in enumerate(_A_DAY.items()):
        for place, at in enumerate(arrivals(dice(scene.seed, model, day), scene.zone, day, wanted)):
            rng = dice(scene.seed, "document", model, day, place)
            document = Document(
                model=model,
                id=number * _RECORDS_A_DAY + place + 1,
                origin=(scene.zone, day - number),
                slot=number % 16 * 256 + family * 128 + place % 128,
                amount=round(usual(rng, _AMOUNT[model], 1.3, 60.0), 2),
                owner=rng.choice(CAST.buyers if model == "purchase.order" else CAST.clerks),
                rng=rng,
            )
            found += _Story(scene, document).tell(at)
    return found


class _Story:
    """What becomes of one document; every method takes the moment it begins and returns the moment it is through."""

    def __init__(self, scene: Scene, document: Document) -> None:
        self.scene, self.document = scene, document

    def tell(self, at: int) -> list[Fact]:
        at = self.document.create(at)
        tiers = [t for t in CAST.tiers if t.model == self.document.model and self.document.amount > t.above]
        at, approved = self._reviews(at, tiers) if tiers else (at, True)
        if self.document.model == "purchase.order":
            self._purchase(at, approved=approved)
        return self.document.facts

    def _purchase(self, at: int, *, approved: bool) -> None:
        buyer = self.document.owner
        at = self._soon(at, 5, 90)
        if not approved:
            self._track(at, "cancel", buyer)
        elif self.document.amount <= CAST.double_validation:
            self._track(at, "purchase", buyer)
        else:
            self._track(at, "to approve", buyer)
            approver = self.document.rng.choice(CAST.purchase_approvers)
            refused = self.document.rng.random() < _REFUSED
            self._track(self._decides(approver, at), "cancel" if refused else "purchase", approver)

    def _track(self, at: int, state: str, author: int) -> None:
        self.document.track(at, state, author, _SUBTYPES.get(state, "mail.mt_note"))

    def _soon(self, at: int, least: int, most: int) -> int:
        """Some working minutes later."""
        return after_work(self.scene.zone, at, self.document.rng.uniform(least, most) * 60)

    def _decides(self, user: int, at: int) -> int:
        """When somebody who is asked decides; who is away decides after coming back."""
        decided = after_work(self.scene.zone, at, usual(self.document.rng, CAST.approvers[user] * 3600, 0.8, 6.0))
        for span in self.scene.troubles(f"user/{user}"):
            if span.holds(decided) and span.ended is not None:
                return after_work(self.scene.zone, span.ended, self.document.rng.uniform(0, 2 * 3600))
        return decided

    def _reviews(self, at: int, tiers: list[Tier]) -> tuple[int, bool]:
        """Rounds of reviews until all tiers approve, or one refuses for good."""
        at = self._soon(at, 2, 40)
        if self.document.rng.random() < _RESTARTED:
            round_ = self.document.request(at, tiers)
            at = max(self._soon(at, 10, 30), at + 2 * MINUTE)
            self.document.vanish(round_, at)
            at = self._soon(at, 5, 60)
        at, approved = self._round(at, tiers)
        if approved or self.document.rng.random() < _GIVEN_UP:
            return at, approved
        asked_again = self._soon(at, 30, 300)
        self.document.vanish(self.document.reviews, asked_again)
        return self._round(asked_again + micro(40), tiers)

    def _round(self, at: int, tiers: list[Tier]) -> tuple[int, bool]:
        round_ = self.document.request(at, tiers)
        at = round_[0].shown
        for place, review in enumerate(round_):
            user = self.document.rng.choice(review.tier.reviewers)
            at = self.document.moment(max(self._decides(user, at), at + SECOND * 5))
            if self.document.rng.random() < _REFUSED:
                self.document.decide(review, at, "rejected", user)
                self._cancel(round_[place + 1 :], at)
                return at, False
            self.document.decide(review, at, "approved", user)
            if place + 1 < len(round_):
                self.document.change(round_[place + 1], at, "pending")
        return at, True

    def _cancel(self, rest: list[Review], at: int) -> None:
        """Tiers that still waited behind a refusal."""
        for review in rest:
            self.document.decide(review, at, "cancel", None)
