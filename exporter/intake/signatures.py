"""How a sender proves itself: Standard Webhooks, GitHub's and Stripe's signatures, a bearer token, a token in the path.

Pure. Everything is compared in constant time, every secret with every signature, whatever came out before: the time
taken says nothing. Of tokens that are only shown a digest suffices; what signs has to be known as it is. A signature is
of the raw bytes, before anything is parsed.
Sources: the Standard Webhooks specification (webhook-id, webhook-timestamp, webhook-signature), GitHub's "Validating
webhook deliveries", Stripe's "Verify webhook signatures manually".
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from exporter.config.secret import Scheme, Secret

TOLERANCE = timedelta(seconds=300)  # both ways: a time of the future is no better than one of the past
LONGEST_ID = 200
MOST_SIGNATURES = 16  # that are looked at: rotation needs two
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request shows: its headers by lower-case name, the token in its path ("" if none), its raw body.

    Attributes:
        sender: an address, "" where there is none; it proves nothing.
    """

    headers: Headers
    token: str
    raw: bytes
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That the sender is who it says.

    Attributes:
        delivery: its id where the scheme signs one; "": a digest of the body names it.
        kind: what the scheme says it is about; not signed.
        signed_at: when it was signed, where the scheme says so.
    """

    delivery: str = ""
    kind: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a sender may prove himself by: secrets as they are, and SHA-256 digests of tokens that are kept hashed."""

    secrets: Sequence[Secret] = ()
    digests: Sequence[bytes] = ()

    def plain(self) -> list[str]:
        """The secrets, for whoever computes a signature with them."""
        return [secret.reveal() for secret in self.secrets]


def prove(
    scheme: Scheme, secrets: Sequence[Secret], shown: Shown, now: datetime, *, digests: Sequence[bytes] = ()
) -> Proof | str:
    """A Proof, or in one word why there is none: `missing`, `signature` or `timestamp`. `digests`: as in Keys."""
    return _SCHEMES[scheme](Keys(secrets=secrets, digests=digests), shown, now)


def is_bearer(authorization: str, digests: Sequence[bytes]) -> bool:
    """Whether an Authorization header carries a token of one of the digests; in the same time whatever it carries."""
    scheme, _, presented = authorization.partition(" ")
    same = _is_token(presented.strip(), Keys(digests=digests))
    return same and scheme.lower() == "bearer"


def _standard(keys: Keys, shown: Shown, now: datetime) -> Proof | str:
    delivery, stamp = shown.headers.get("webhook-id", ""), shown.headers.get("webhook-timestamp", "")
    given = _words(shown.headers.get("webhook-signature", ""), " ")
    signatures = [word.removeprefix("v1,") for word in given if word.startswith("v1,")]
    if not delivery or not stamp or not given or len(delivery) > LONGEST_ID:
        return "missing"
    signed = f"{delivery}.{stamp}.".encode() + shown.raw
    wanted = [_base64(hmac.digest(_key(secret), signed, "sha256")) for secret in keys.plain()]
    return _fresh(_any_same(signatures, wanted), stamp, now, delivery)


def _stripe(keys: Keys, shown: Shown, now: datetime) -> Proof | str:
    parts = [word.strip().partition("=") for word in _words(shown.headers.get("stripe-signature", ""), ",")]
    stamps = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(stamps) != 1 or not signatures:
        return "missing"
    signed = f"{stamps[0]}.".encode() + shown.raw
    wanted = [hmac.digest(secret.encode(), signed, "sha256").hex() for secret in keys.plain()]
    return _fresh(_any_same(signatures, wanted), stamps[0], now, "")


def _github(keys: Keys, shown: Shown, now: datetime) -> Proof | str:
    # GitHub signs the body alone, so that alone names the delivery: X-GitHub-Delivery makes no replay a new one.
    del now
    given = shown.headers.get("x-hub-signature-256", "")
    if not given.startswith("sha256="):
        return "missing"
    wanted = [hmac.digest(secret.encode(), shown.raw, "sha256").hex() for secret in keys.plain()]
    if not _any_same([given.removeprefix("sha256=")], wanted):
        return "signature"
    return Proof(kind=shown.headers.get("x-github-event", "")[:LONGEST_ID])


def _bearer(keys: Keys, shown: Shown, now: datetime) -> Proof | str:
    del now
    scheme, _, token = shown.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return "missing"
    return Proof() if _is_token(token.strip(), keys) else "signature"


def _token(keys: Keys, shown: Shown, now: datetime) -> Proof | str:
    del now
    if not shown.token:
        return "missing"
    return Proof() if _is_token(shown.token, keys) else "signature"


_SCHEMES: Mapping[Scheme, Callable[[Keys, Shown, datetime], Proof | str]] = {
    "standard": _standard,
    "stripe": _stripe,
    "github": _github,
    "bearer": _bearer,
    "token": _token,
}


def _fresh(same: bool, stamp: str, now: datetime, delivery: str) -> Proof | str:  # noqa: FBT001 - the verdict itself
    if not same:
        return "signature"
    seconds = int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 else None  # noqa: PLR2004 - year 33658
    if seconds is None or abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
        return "timestamp"
    return Proof(delivery=delivery, signed_at=datetime.fromtimestamp(seconds, UTC))


def _any_same(given: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether one of the signatures is one of the wanted; all pairs are compared."""
    pairs = [(one.encode("utf-8", "surrogatepass"), two.encode()) for one in given for two in wanted]
    return sum([hmac.compare_digest(one, two) for one, two in pairs]) > 0


def _is_token(given: str, keys: Keys) -> bool:
    """Digests are compared: their length says nothing of the token's."""
    digest = sha256(given.encode("utf-8", "surrogatepass")).digest()
    wanted = [*keys.digests, *(sha256(secret.encode()).digest() for secret in keys.plain())]
    return sum([hmac.compare_digest(digest, one) for one in wanted]) > 0


def _key(secret: str) -> bytes:
    """The bytes of a Standard Webhooks secret: base64 behind `whsec_`, else the text itself."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _words(header: str, by: str) -> list[str]:
    return header.split(by)[:MOST_SIGNATURES]
