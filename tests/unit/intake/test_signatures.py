"""Who may post: every scheme's own words are accepted, and nothing else is (promise R11, feature 94)."""

import base64
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from exporter.config import Secret
from exporter.config.secret import Scheme
from exporter.intake.signatures import Proof, Shown, prove

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
RAW = b'{"type": "invoice.paid", "id": "evt_1"}'
OLD, NEW = Secret("whsec_" + base64.b64encode(b"old key, 24 bytes long!!").decode()), Secret("n3w-secret")
BOTH = (NEW, OLD)


def hexed(secret: Secret, signed: bytes) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.digest(secret.reveal().encode(), signed, "sha256").hex()


def standard(raw: bytes = RAW, stamp: str = STAMP, delivery: str = "msg_1", secret: bytes = b"n3w-secret") -> str:
    """A Standard Webhooks signature."""
    signed = hmac.digest(secret, f"{delivery}.{stamp}.".encode() + raw, "sha256")
    return "v1," + base64.b64encode(signed).decode()


GOOD: Mapping[Scheme, tuple[dict[str, str], str]] = {
    "standard": ({"webhook-id": "msg_1", "webhook-timestamp": STAMP, "webhook-signature": standard()}, ""),
    "github": (
        {"x-hub-signature-256": f"sha256={hexed(NEW, RAW)}", "x-github-delivery": "d1", "x-github-event": "push"},
        "",
    ),
    "stripe": ({"stripe-signature": f"t={STAMP},v1={hexed(NEW, STAMP.encode() + b'.' + RAW)},v0=00"}, ""),
    "bearer": ({"authorization": "Bearer n3w-secret"}, ""),
    "token": ({}, "n3w-secret"),
}
SCHEMES = tuple(GOOD)


def shown(scheme: Scheme, raw: bytes = RAW, **changes: str) -> Shown:
    """A good request of a scheme, with some headers (or the token) changed."""
    headers, token = GOOD[scheme]
    named = {name.replace("_", "-"): value for name, value in changes.items() if name != "token"}
    return Shown(headers=headers | named, token=changes.get("token", token), raw=raw)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_good_request_is_believed(scheme: Scheme) -> None:
    """With the new secret beside the old one, and with either alone only if it is the right one (rotation)."""
    assert isinstance(prove(scheme, BOTH, shown(scheme), NOW), Proof)
    assert isinstance(prove(scheme, (NEW,), shown(scheme), NOW), Proof)
    assert prove(scheme, (OLD,), shown(scheme), NOW) == "signature"


def test_proofs_carry_what_the_scheme_tells() -> None:
    """Ids, kinds and times that were signed."""
    found = prove("standard", BOTH, shown("standard"), NOW)
    assert found == Proof(delivery="msg_1", signed_at=NOW)
    assert prove("github", BOTH, shown("github"), NOW) == Proof(kind="push")
    assert prove("stripe", BOTH, shown("stripe"), NOW) == Proof(signed_at=NOW)


def test_the_published_vector_is_accepted() -> None:
    """The example of the Standard Webhooks libraries: secret, id, time, payload, signature."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    then = datetime.fromtimestamp(1614265330, UTC)
    raw = b'{"test": 2432232314}'
    assert isinstance(prove("standard", (secret,), Shown(headers=headers, token="", raw=raw), then), Proof)
    assert prove("standard", (secret,), Shown(headers=headers, token="", raw=raw + b" "), then) == "signature"


def test_several_signatures_are_a_rotation_on_the_senders_side() -> None:
    """One of the space-separated signatures is enough; versions nobody knows are not looked at."""
    several = f"v2,{standard()[3:]} v1,AAAA {standard()}"
    assert isinstance(prove("standard", BOTH, shown("standard", webhook_signature=several), NOW), Proof)
    unknown = f"v2,{standard()[3:]}"
    assert prove("standard", BOTH, shown("standard", webhook_signature=unknown), NOW) == "signature"
    text = "whsec_" + base64.b64encode(b"key").decode()
    old = standard(secret=b"key")
    assert isinstance(prove("standard", (Secret(text),), shown("standard", webhook_signature=old), NOW), Proof)


@pytest.mark.parametrize("scheme", ["standard", "stripe"])
@pytest.mark.parametrize(("seconds", "believed"), [(299, True), (-299, True), (301, False), (-301, False)])
def test_times_are_checked_both_ways(scheme: Scheme, seconds: int, *, believed: bool) -> None:
    """A signature of the future is refused as one of the past is."""
    later = NOW + timedelta(seconds=seconds)
    found = prove(scheme, BOTH, shown(scheme), later)
    assert isinstance(found, Proof) if believed else found == "timestamp"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_request_without_anything_is_refused(scheme: Scheme) -> None:
    """No header, no token: `missing`."""
    assert prove(scheme, BOTH, Shown(headers={}, token="", raw=RAW), NOW) == "missing"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("other", SCHEMES)
def test_one_schemes_words_are_nothing_to_another(scheme: Scheme, other: Scheme) -> None:
    """A request that is good for one scheme is refused by every other."""
    found = prove(other, BOTH, shown(scheme), NOW)
    assert isinstance(found, Proof) == (scheme == other)


def test_hostile_headers_are_bounded() -> None:
    """R12: of signatures the first 16 are looked at, and no id is longer than 200 characters."""
    wrong = "v1,d3Jvbmc="
    among = [wrong] * 15
    assert isinstance(
        prove("standard", BOTH, shown("standard", webhook_signature=" ".join([*among, standard()])), NOW), Proof
    )
    beyond = " ".join([*among, wrong, standard()])
    assert not isinstance(prove("standard", BOTH, shown("standard", webhook_signature=beyond), NOW), Proof)
    for length, welcome in ((200, True), (201, False)):
        long = "m" * length
        request = shown("standard", webhook_id=long, webhook_signature=standard(delivery=long))
        assert isinstance(prove("standard", BOTH, request, NOW), Proof) is welcome
