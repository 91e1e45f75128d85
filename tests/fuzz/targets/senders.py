"""Forwarded headers, behind a proxy that is believed and before one that is not: an address, and never a forged one.

The first line is X-Forwarded-For, the second Forwarded.
"""

from ipaddress import ip_address, ip_network

from exporter.intake.senders import sender

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
PROXY, CLIENT, STRANGER = "10.0.0.2", "203.0.113.7", "198.51.100.66"
APPENDED = {"x-forwarded-for": CLIENT, "forwarded": f'for="{CLIENT}:80";proto=https'}


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """A stranger is himself; what a proxy appends decides, whatever stands before it."""
    one, _, two = data.decode("latin-1").partition("\n")
    given = {"x-forwarded-for": one, "forwarded": two}
    assert ip_address(sender(PROXY, given, TRUSTED))
    assert sender(STRANGER, given, TRUSTED) == STRANGER
    for name, last in APPENDED.items():
        assert sender(PROXY, {name: f"{given[name]}, {last}"}, TRUSTED) in {CLIENT, PROXY}
