"""What a hook does with a request that is authentic, when the store is slow, broken or moved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from exporter.config import Secret
from exporter.config.secret import Scheme
from exporter.domain.bodies import WebhookReceived
from exporter.domain.posted import Posted
from exporter.errors import Refused, StoreBroken, StoreError
from exporter.intake.hooks import Hooks, Served
from exporter.intake.reviewing import Reviewing, aside, keeper, posted_of
from exporter.intake.signatures import Shown
from exporter.store.review import SetAside
from tests.unit.intake.test_signatures import NEW, SCHEMES
from tests.unit.intake.test_signatures import NOW as AT
from tests.unit.intake.test_signatures import shown as signed

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SECRET = "a-secret-of-a-hook"
WHY = Refused(422, "no_list", "why")


@dataclass
class Store:
    """An inbox and what is set aside: keeps nothing, or raises."""

    trouble: StoreError | None = None
    within: list[float | None] = field(default_factory=list)
    kept: SetAside | None = None

    def append(self, _tenant: str, _events: Sequence[Any], *, within: float | None = None) -> Any:
        """See Inbox."""
        return self._asked(within)

    def keep(self, _aside: SetAside, *, within: float | None = None) -> Any:
        """See Review."""
        return self._asked(within)

    def find(self, _number: int) -> SetAside | None:
        """See Review."""
        self._asked(None)
        return self.kept

    def drop(self, _number: int) -> None:
        """See Review."""

    def _asked(self, within: float | None) -> None:
        self.within.append(within)
        if self.trouble:
            raise self.trouble


def parse(posted: Posted) -> tuple[WebhookReceived, ...]:
    """A body that is "bad" is not understood."""
    if posted.raw == b"bad":
        raise WHY
    return (WebhookReceived(hook="shop", delivery="d", result="success"),)


def hooks(store: Any, tenant: str = "acme") -> Hooks:
    """One hook, shop."""
    served = Served(tenant=tenant, name="shop", scheme="bearer", secrets=(Secret(SECRET),), parse=parse)
    return Hooks(
        inbox=store, served={"shop": served}, now=lambda: {tenant: NOW}, appended=lambda: None, keep=keeper(store)
    )


def shown(raw: bytes) -> Shown:
    """An authentic request."""
    return Shown(headers={"authorization": f"Bearer {SECRET}"}, token="", raw=raw)


def test_what_is_kept_for_review_says_from_where_it_came() -> None:
    """The sender's address stands in the row's head, so that a person knows whom to ask; a retry needs it not."""
    posted = Posted(hook="shop", raw=b"bad", received_at=NOW, sender="203.0.113.7")
    kept = aside("acme", posted, WHY)
    assert '"sender":"203.0.113.7"' in kept.head
    assert posted_of(kept).sender == "203.0.113.7"
    assert "sender" not in aside("acme", Posted(hook="shop", raw=b"bad", received_at=NOW), WHY).head


@pytest.mark.parametrize("raw", [b"good", b"bad"])
def test_no_sender_waits_longer_than_a_second(raw: bytes) -> None:
    """Odoo gives its webhook one second and never retries: the store has less, to take a request or to set it aside."""
    store = Store(StoreError("slow"))
    with pytest.raises(Refused) as caught:
        hooks(store).receive("shop", shown(raw))
    assert caught.value.status == (503 if raw == b"good" else 422)
    assert [within is not None and within < 1 for within in store.within] == [True]


@pytest.mark.parametrize("raw", [b"good", b"bad"])
def test_a_broken_store_is_said_whatever_met_it(raw: bytes) -> None:
    """The process must end with 70, also where only the review of a refused request met it."""
    receiving = hooks(Store(StoreBroken("fsync")))
    with pytest.raises(Refused):
        receiving.receive("shop", shown(raw))
    assert isinstance(receiving.fault, StoreBroken)


def test_a_retry_says_what_the_store_cannot() -> None:
    """503 and a sentence while it does not answer."""
    store: Any = Store(StoreError("slow"))
    with pytest.raises(Refused) as caught:
        Reviewing(review=store, hooks=hooks(store), digests=lambda: ()).retry(1)
    assert caught.value.status == 503


def test_what_was_set_aside_stays_with_its_database() -> None:
    """A hook that moved to another database takes nothing of the old one there."""
    posted = Posted(hook="shop", raw=b"good", received_at=NOW)
    store: Any = Store(kept=aside("acme", posted, WHY))
    with pytest.raises(Refused) as caught:
        Reviewing(review=store, hooks=hooks(store, tenant="beta"), digests=lambda: ()).retry(1)
    assert (caught.value.status, caught.value.sentence) == (409, "The hook shop belongs to beta now, and this to acme.")
    assert store.within == [None]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_good_for_one_hook_is_nothing_to_another(scheme: Scheme) -> None:
    """R11: the same request at a second hook of the same scheme is refused, also where both have made tokens."""
    store, made = Store(StoreError("slow")), {"hooks/shop": b"a" * 32, "hooks/bank": sha256(b"of the bank").digest()}
    keys = {"shop": NEW, "bank": Secret("another-secret-of-a-hook")}
    served = {
        name: Served(tenant="acme", name=name, scheme=scheme, secrets=(key,), parse=parse) for name, key in keys.items()
    }
    receiving = Hooks(
        inbox=store,  # type: ignore[arg-type]
        served=served,
        now=lambda: {"acme": AT},
        appended=lambda: None,
        digests=lambda opens: [made[opens]],
    )
    with pytest.raises(Refused) as caught:
        receiving.receive("bank", signed(scheme))
    assert (caught.value.status, caught.value.reason, store.within) == (401, "signature", [])
    with pytest.raises(Refused) as caught:
        receiving.receive("shop", signed(scheme))
    assert (caught.value.status, len(store.within)) == (503, 1)  # negative control: it came as far as the store
