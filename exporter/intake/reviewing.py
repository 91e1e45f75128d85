"""Requests that were authentic and not understood: kept masked for a person, and tried again when they say so.

What is kept is the body with its texts masked, so that its shape can be looked at and its mapping mended; where the id
that an Event would have was masked, only the sender can send it again.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from logging import getLogger

import msgspec

from exporter.domain.json_limits import NotPlain, document
from exporter.domain.posted import Posted
from exporter.domain.redact import REDACTED, mask
from exporter.errors import Refused, StoreBroken, StoreError
from exporter.intake.hooks import WITHIN, Hooks
from exporter.sources.mapped import digest
from exporter.store.review import HOOKS, Review, SetAside

log = getLogger(__name__)
TEXT = 4_096  # characters of one text that are kept
WORDS = 500  # of the reason
MOST_OFTEN = 8  # that a body is masked
_SECRET = re.compile(
    r"(?i)token|secret|passw|passphrase|(?:api|access|private).?key|authorization|signature|cookie|credential|session.?id|"
    r"(?:resume|webhook).?url|(?:^|[^a-z])(?:auth|pwd|otp|pin|jwt|cvc|cvv)(?:$|[^a-z])"
)
_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")  # a UUID says nothing of anybody


class _Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What else came with a body."""

    received_at: datetime
    delivery: str = ""
    kind: str = ""
    traceparent: str = ""
    signed_at: datetime | None = None
    sender: str = ""


def masked(raw: bytes) -> bytes:
    """A body without what is personal or secret: texts masked, what stands under a key that names a secret left out.

    Until that changes nothing more: what stands for a secret may make one of what stands beside it.
    """
    for _ in range(MOST_OFTEN):
        before, raw = raw, _masked_once(raw)
        if raw == before:
            break
    return raw


def _masked_once(raw: bytes) -> bytes:
    try:
        found = document(raw)
    except NotPlain:
        return mask(raw.decode(errors="replace"), TEXT).encode()
    return json.dumps(_masked(found)).encode()


def _masked(value: object, *, secret: bool = False) -> object:
    if isinstance(value, dict):
        found: dict[str, object] = {}
        for key, one in value.items():
            name = mask(key)
            while name in found:  # keys that are masked alike
                name = f"{name} ({len(found)})"
            found[name] = _masked(one, secret=secret or _SECRET.search(f"{key} {name}") is not None)
        return found
    if isinstance(value, list):
        return [_masked(one, secret=secret) for one in value]
    if secret and value is not None and not isinstance(value, bool):
        return REDACTED
    return mask(value, TEXT) if isinstance(value, str) and not _ID.fullmatch(value) else value


def aside(tenant: str, posted: Posted, why: Refused) -> SetAside:
    """The row that is kept of a request."""
    head = _Head(
        received_at=posted.received_at,
        delivery=posted.delivery or digest(posted.raw),  # what is kept has another one
        kind=posted.kind,
        traceparent=posted.traceparent,
        signed_at=posted.signed_at,
        sender=posted.sender,
    )
    return SetAside(
        tenant=tenant,
        origin=HOOKS + posted.hook,
        key=blake2b(posted.raw, digest_size=16).hexdigest(),
        reason=mask(f"{why.reason}: {why.sentence}", WORDS),
        head=msgspec.json.encode(head).decode(),
        body=masked(posted.raw),
    )


def posted_of(kept: SetAside) -> Posted:
    """The request as it can be tried again."""
    head = msgspec.json.decode(kept.head, type=_Head)
    return Posted(hook=kept.origin.removeprefix(HOOKS), raw=kept.body, **msgspec.structs.asdict(head))


def keeper(review: Review) -> Callable[[str, Posted, Refused], bool]:
    """What keeps a request of a tenant; False where the store cannot: the sender hears of the refusal in any case.

    It raises StoreBroken.
    """

    def keep(tenant: str, posted: Posted, why: Refused) -> bool:
        try:
            review.keep(aside(tenant, posted, why), within=WITHIN)
        except StoreBroken:
            raise
        except StoreError as error:
            log.warning("a refused webhook of %s could not be kept for review: %s", posted.hook, error)
            return False
        return True

    return keep


@dataclass(slots=True, kw_only=True)
class Reviewing:
    """Keeps requests, and tries them again.

    Attributes:
        hooks: what a hook does with a request that is authentic.
        digests: of the operators' tokens that are good now.
    """

    review: Review
    hooks: Hooks
    digests: Callable[[], Sequence[bytes]]

    def retry(self, number: int) -> Sequence[str]:
        """Try one again; the ids of its deliveries. It is dropped once it was taken.

        Raises:
            Refused: 404, there is none; 409, its id was masked, or its hook is another database's now; 422, it is still
                not understood; 503.
        """
        try:
            return self._retried(number)
        except StoreError as error:
            sentence = "The store does not answer: try again later, what was taken is not taken twice."
            raise Refused(503, "store", sentence) from error

    def _retried(self, number: int) -> Sequence[str]:
        kept = self.review.find(number)
        if kept is None or not kept.origin.startswith(HOOKS):
            raise Refused(404, "unknown", f"No webhook was set aside under {number}: see `odoo-otel refused list`.")
        ids = self.hooks.again(posted_of(kept), kept.tenant)
        self.review.drop(number)
        return ids
