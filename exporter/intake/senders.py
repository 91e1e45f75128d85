"""Whose address a request comes from: the peer's, or what a proxy that is configured says of it. Pure.

A forwarded header is a list to which each proxy appends who spoke to it; its beginning is written by whoever sends the
request. So it is read from its end, and only as far as the proxies go: the first hop that is none of them is the
sender, and what stands before it is anybody's word. Sources: RFC 7239 (`Forwarded`), MDN on X-Forwarded-For.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import islice

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MOST = 20  # hops that are looked at
_QUOTED = r'"[^"\\]*"'
_ELEMENTS = re.compile(rf"(?:[^\",\\]|{_QUOTED})+")
_WHOLE = re.compile(rf"(?:[^\"\\]|{_QUOTED})*")
_PAIR = re.compile(rf"\s*(?P<name>[A-Za-z]+)=(?P<value>[^\s\";]+|{_QUOTED})\s*(?:;|$)")
_PORTED = re.compile(r"\[(?P<six>[^\[\]]+)\](?::\d{1,5})?|(?P<four>[\d.]+):\d{1,5}")


def sender(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """The address of who sent a request, "" where even the peer has none (a socket of this machine).

    Args:
        peer: who is connected to us.
        headers: by lower-case name.
        trusted: the proxies that are believed.
    """
    near = _address(peer)
    if near is None:
        return ""
    if not _is_in(near, trusted):
        return str(near)
    chains = [chain for name, read in _HEADERS.items() if (chain := read(headers.get(name, ""))) is not None]
    found = {_sender(near, chain, trusted) for chain in chains}
    return str(found.pop() if len(found) == 1 else near)  # two that disagree: one of them is not the proxy's


def _sender(near: Address, hops: Sequence[str], trusted: Sequence[Network]) -> Address:
    """The first hop from the end that is no proxy; behind one that says no address nobody is known."""
    for hop in islice(reversed(hops), MOST):
        found = _address(hop)
        if found is None:
            return near
        near = found
        if not _is_in(found, trusted):
            break
    return near


def _address(text: str) -> Address | None:
    """An address as it stands in headers, without its port and zone; an IPv4 address that is mapped is that one."""
    ported = _PORTED.fullmatch(text.strip())
    bare = (ported["six"] or ported["four"]) if ported else text.strip()
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_in(found: Address, networks: Sequence[Network]) -> bool:
    return any(found in network for network in networks)


def _x_forwarded_for(header: str) -> Sequence[str] | None:
    return header.split(",") if header else None


def _forwarded(header: str) -> Sequence[str] | None:
    """Who stands under `for` in each element, "" where nobody does; a header that is not well-formed tells nothing."""
    if not header:
        return None
    if not _WHOLE.fullmatch(header):
        return [""]
    return [next(_named(element, "for"), "") for element in _ELEMENTS.findall(header)]


def _named(element: str, wanted: str) -> Iterator[str]:
    """The value of a name in one element of `Forwarded`, if all its pairs are well-formed and it stands there once."""
    pairs, end = [], 0
    while found := _PAIR.match(element, end):
        pairs.append((found["name"].lower(), found["value"].strip('"')))
        end = found.end()
    values = [value for name, value in pairs if name == wanted]
    if end == len(element) and len(values) == 1:
        yield values[0]


_HEADERS = {"x-forwarded-for": _x_forwarded_for, "forwarded": _forwarded}
