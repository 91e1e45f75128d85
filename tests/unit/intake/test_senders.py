"""Whose address is told: the peer's, unless a configured proxy says another; nobody else's word counts."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.intake.senders import MOST, sender

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"), ip_network("127.0.0.1/32")]
PROXY, OTHER, CLIENT, SPOOFED = "10.0.0.2", "10.9.9.9", "203.0.113.7", "198.51.100.66"


def of(peer: str, **headers: str) -> str:
    """The sender, with headers by name."""
    return sender(peer, {name.replace("_", "-"): value for name, value in headers.items()}, TRUSTED)


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded"])
def test_a_stranger_is_not_believed(header: str) -> None:
    """Whoever is no configured proxy is himself, whatever he forwards; without any proxy nobody is believed."""
    said = {"x_forwarded_for": SPOOFED, "forwarded": f"for={SPOOFED}"}[header]
    assert of(CLIENT, **{header: said}) == CLIENT
    assert sender(PROXY, {header.replace("_", "-"): said}, []) == PROXY
    assert of(PROXY, **{header: said}) == SPOOFED


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (CLIENT, CLIENT),
        (f"{SPOOFED}, {CLIENT}", CLIENT),
        (f"{SPOOFED}, {CLIENT}, {OTHER}", CLIENT),
        (f"127.0.0.1, {SPOOFED}, {CLIENT} , {OTHER},10.1.1.1", CLIENT),
        (f"{SPOOFED}, 10.0.0.7, {CLIENT}", CLIENT),  # a proxy's address before the sender is the sender's word
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        (f"{SPOOFED}, 2001:db8::7, 2001:db8:ffff::1", "2001:db8::7"),
        (f"::ffff:{CLIENT}", CLIENT),
        (f"[::ffff:{CLIENT}]:1", CLIENT),
        ("fe80::1%eth0", "fe80::1"),
        ("10.3.3.3, 10.4.4.4", "10.3.3.3"),  # all are proxies: the furthest
    ],
)
def test_the_last_hop_that_is_no_proxy_is_the_sender(said: str, found: str) -> None:
    """X-Forwarded-For is read from its end, with ports, brackets, zones and mapped addresses."""
    assert of(PROXY, x_forwarded_for=said) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (f"for={CLIENT}", CLIENT),
        (f"For={CLIENT};proto=https;by={OTHER}", CLIENT),
        (f'proto=https; for="{CLIENT}:4711"', CLIENT),
        ('for="[2001:db8::7]:443"', "2001:db8::7"),
        ('for="[2001:db8::7]"', "2001:db8::7"),
        (f"for={SPOOFED}, for={CLIENT}", CLIENT),
        (f'for={SPOOFED};host="a,b;for=1.1.1.1", for={CLIENT}, for={OTHER}', CLIENT),
        (f'for="x, for={SPOOFED}", for={CLIENT}', CLIENT),
    ],
)
def test_the_standard_header_is_read_as_well(said: str, found: str) -> None:
    """RFC 7239: pairs in any order and case, quoted values with commas in them."""
    assert of(PROXY, forwarded=said) == found


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "unknown"},
        {"x_forwarded_for": f"{SPOOFED}, unknown"},
        {"x_forwarded_for": f"{SPOOFED}, "},
        {"x_forwarded_for": f"{SPOOFED}, <script>"},
        {"x_forwarded_for": f"{SPOOFED}, 1.2.3.4.5"},
        {"x_forwarded_for": f"{SPOOFED}, 1.2.3.4:x"},
        {"x_forwarded_for": f"{SPOOFED}, [2001:db8::7"},
        {"x_forwarded_for": f"{SPOOFED}, 0x7f.1"},
        {"x_forwarded_for": f"{SPOOFED}, 01.02.03.04"},
        {"x_forwarded_for": f"{SPOOFED}; {CLIENT}"},
        {"forwarded": f"for={SPOOFED}, for=_hidden"},
        {"forwarded": f"for={SPOOFED}, for=unknown"},
        {"forwarded": f"for={SPOOFED}, proto=https"},
        {"forwarded": f"for={SPOOFED}, for={CLIENT};for={OTHER}"},
        {"forwarded": f"for={SPOOFED}, for={CLIENT} x"},
        {"forwarded": f'for="{SPOOFED}, for={CLIENT}'},
        {"forwarded": f'for="\\", for={SPOOFED}'},
        {"forwarded": CLIENT},
        {"forwarded": f"for={SPOOFED}", "x_forwarded_for": CLIENT},
        {"forwarded": "nonsense", "x_forwarded_for": CLIENT},
        {"x_real_ip": SPOOFED},
        {},
    ],
    ids=str,
)
def test_what_says_no_address_leaves_the_proxys_own(headers: Mapping[str, str]) -> None:
    """Garbage, hidden hops, half a quote, two headers that disagree: the nearest address that is certain is told."""
    assert of(PROXY, **headers) == PROXY


def test_a_hop_that_says_nothing_ends_the_way_behind_it() -> None:
    """What stands before garbage is not looked at; the proxy that was there is known."""
    assert of(PROXY, x_forwarded_for=f"{SPOOFED}, nonsense, {OTHER}") == OTHER
    assert of(PROXY, forwarded=f"for={CLIENT}", x_forwarded_for=CLIENT) == CLIENT  # two that agree


def test_a_peer_without_an_address_is_nobody() -> None:
    """A socket of this machine has none, and believes nothing."""
    assert of("", x_forwarded_for=SPOOFED) == of("localhost", x_forwarded_for=SPOOFED) == ""
    assert of("::ffff:10.0.0.2", x_forwarded_for=CLIENT) == CLIENT
    assert of("fe80::1%eth0") == "fe80::1"


def test_an_endless_header_costs_no_endless_work() -> None:
    """R12: of a list of proxies the last 20 are looked at."""
    assert of(PROXY, x_forwarded_for=f"{CLIENT}" + f", {OTHER}" * MOST) == OTHER
    assert of(PROXY, x_forwarded_for=f"{CLIENT}" + f", {OTHER}" * (MOST - 1)) == CLIENT
    assert of(PROXY, forwarded='"' * 16_000) == of(PROXY, forwarded="for=" * 4_000) == PROXY


MARKS = [",", ";", '"', "\\", "[", "]", ":", " ", "%"]
WORDS = st.sampled_from([SPOOFED, PROXY, OTHER, "for=", "unknown", "é", "1", *MARKS])
HEADER = st.lists(WORDS, max_size=12).map("".join) | st.text(max_size=30)


@given(before=HEADER, header=st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_no_beginning_of_a_header_forges_a_sender(before: str, header: str) -> None:
    """R11: whatever a client writes, what the proxy appends decides: the client's own address, or the proxy's (R13)."""
    appended = CLIENT if header == "x-forwarded-for" else f'for="{CLIENT}:80"'
    found = sender(PROXY, {header: f"{before}, {appended}"}, TRUSTED)
    assert found in {CLIENT, PROXY}


@given(HEADER, HEADER)
def test_what_is_told_is_an_address(one: str, two: str) -> None:
    """R13, R16: never an error, and never a word of a header: what goes into logs and rows is an address."""
    assert ip_address(of(PROXY, x_forwarded_for=one, forwarded=two))
