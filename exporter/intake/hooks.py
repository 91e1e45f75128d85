"""What happens to a webhook: signature, unpack, parse, append, in this order; all is counted by hook and outcome.

Whoever cannot prove who he is learns nothing: an unknown hook and a wrong signature are answered alike, after the same
work. What is authentic and cannot be understood is answered with a sentence and kept for review.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from exporter.config.secret import Scheme, Secret
from exporter.domain import ids
from exporter.domain.bodies import WebhookReceived
from exporter.domain.posted import Posted
from exporter.errors import Refused, StoreBroken, StoreError, StoreFull
from exporter.intake.complaining import Complaints
from exporter.intake.packed import unpacked
from exporter.intake.receiving import LARGEST
from exporter.intake.signatures import Proof, Shown, prove
from exporter.sources.mapped import event_of
from exporter.store.protocols import Inbox
from exporter.tokens import HOOKS

WITHIN = 0.8  # seconds until a sender is told to come again: Odoo's webhook waits one second and never retries
MASKED = re.compile(r"\[(?:EMAIL|TOKEN|IBAN|PHONE|NUMBER|REDACTED)\]")  # domain/redact.py
Parse = Callable[[Posted], tuple[WebhookReceived, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One hook: whose it is, how its sender proves himself, what its payload means."""

    tenant: str
    name: str
    scheme: Scheme
    secrets: tuple[Secret, ...]
    parse: Parse


def _nobody_looks(tenant: str, posted: Posted, why: Refused) -> bool:
    del tenant, posted, why
    return False


def _nothing(opens: str) -> Sequence[bytes]:
    del opens
    return ()


# For a hook that does not exist the same work is done as for one that does.
NOBODY = Served(tenant="", name="", scheme="standard", secrets=(Secret("nobody"),), parse=lambda _: ())


def _caller(shown: Shown) -> str:
    """The sender's `traceparent`, "" where that header holds something else."""
    found = shown.headers.get("traceparent", "")
    return found if ids.traceparent(found) else ""


@dataclass(slots=True, kw_only=True)
class Hooks:
    """Takes webhooks of several threads at once.

    Attributes:
        served: by name.
        now: the time on the clock of every tenant that may be appended to.
        appended: called after Events became durable.
        digests: of the tokens that open something (`hooks/<name>`) beside what is configured.
        complaints: where who was refused is told.
        keep: keeps what is authentic and cannot be understood; False where that was not possible.
        fault: set once the store is broken: the process must exit with 70.
    """

    inbox: Inbox
    served: Mapping[str, Served]
    now: Callable[[], Mapping[str, datetime]]
    appended: Callable[[], None]
    digests: Callable[[str], Sequence[bytes]] = _nothing
    keep: Callable[[str, Posted, Refused], bool] = _nobody_looks
    complaints: Complaints = field(default_factory=Complaints)
    fault: StoreBroken | None = None
    _counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def receive(self, name: str, shown: Shown) -> Sequence[str]:
        """Make a webhook's deliveries durable; their ids, after the fsync.

        Raises:
            Refused: 400, 401, 413, 415, 422 or 503; counted.
        """
        hook = self.served.get(name, NOBODY)
        try:
            return self._receive(hook, shown)
        except Refused as refused:
            self.turned_away(name, refused, shown.sender)
            raise

    def turned_away(self, name: str, refused: Refused, sender: str) -> None:
        """Count a request that was refused, and log from where it came."""
        hook = self.served.get(name, NOBODY).name
        self._count(hook or "unknown", refused.reason)
        self.complaints.refused(f"/hooks/{hook or '?'}", refused.reason, sender)

    def counted(self) -> dict[tuple[str, str], int]:
        """How many webhooks there were, by (hook, outcome): accepted, repeated, or why they were refused."""
        with self._lock:
            return dict(self._counted)

    def _receive(self, hook: Served, shown: Shown) -> Sequence[str]:
        now = self.now()
        at = now.get(hook.tenant) or next(iter(now.values()))
        proof = prove(hook.scheme, hook.secrets, shown, at, digests=self.digests(HOOKS + hook.name))
        if not isinstance(proof, Proof) or hook is NOBODY:
            raise Refused(401, proof if isinstance(proof, str) else "unknown")
        posted = Posted(
            hook=hook.name,
            raw=unpacked(shown.raw, shown.headers.get("content-encoding", ""), most=LARGEST),
            received_at=at,
            delivery=proof.delivery,
            kind=proof.kind,
            traceparent=_caller(shown),
            signed_at=proof.signed_at,
            sender=shown.sender,
        )
        return self._take(hook, posted, self._understood(hook, posted))

    def again(self, posted: Posted, tenant: str) -> Sequence[str]:
        """Take a request of a tenant that was kept for review; the ids of its deliveries.

        Raises:
            Refused: 404, its hook is served no more; 409, it was masked too much, or the hook belongs to another tenant
                now; 422, it is still not understood; 503.
        """
        hook = self.served.get(posted.hook)
        if hook is None:
            raise Refused(404, "no_hook", f"The hook {posted.hook} is not configured any more.")
        if hook.tenant != tenant:
            raise Refused(409, "moved", f"The hook {posted.hook} belongs to {hook.tenant} now, and this to {tenant}.")
        bodies = hook.parse(posted)
        if any(MASKED.search(one) for body in bodies for one in (body.delivery, body.run, *body.correlation)):
            raise Refused(409, "masked", "What tells it apart was masked when it was kept: have it sent again.")
        return self._take(hook, posted, bodies)

    def _understood(self, hook: Served, posted: Posted) -> tuple[WebhookReceived, ...]:
        try:
            return hook.parse(posted)
        except Refused as refused:
            if not self._kept(hook.tenant, posted, refused):
                self._count(hook.name, "not_kept")
            raise

    def _kept(self, tenant: str, posted: Posted, refused: Refused) -> bool:
        try:
            return self.keep(tenant, posted, refused)
        except StoreBroken as error:
            self.fault = error
            return False

    def _take(self, hook: Served, posted: Posted, bodies: Sequence[WebhookReceived]) -> Sequence[str]:
        try:
            found = self.inbox.append(hook.tenant, [event_of(posted, body) for body in bodies], within=WITHIN)
        except StoreFull as error:
            raise Refused(503, "store_full", "The store has no room: try again later.") from error
        except StoreError as error:
            if isinstance(error, StoreBroken):
                self.fault = error
            raise Refused(
                503, "store", "The store did not answer in time: try again, a repeat changes nothing."
            ) from error
        self._count(hook.name, "accepted", found.appended)
        self._count(hook.name, "repeated", found.repeated)
        if found.appended:
            self.appended()
        return [body.delivery for body in bodies]

    def _count(self, hook: str, outcome: str, number: int = 1) -> None:
        with self._lock:
            self._counted[hook, outcome] += number
