"""Trace and span ids as functions of the facts, so that any program can compute the same id and join the trace.

digest = blake2b(fields, digest_size, person=b"odoo-otel-v1"); every field is a 4-byte big-endian length and UTF-8; an
absent field is empty. Fields, from general to specific: scheme, database uuid, environment, model, record id, run key,
role. Trace: 16 bytes, run key = the Run's trace key, role "trace". Span: 8 bytes, role = the Step's path, "root" for
the root. Test vectors: tests/data/ids.json.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from exporter.domain.tenants import Tenant

SCHEME = "1"
PERSON = b"odoo-otel-v1"
ROOT = "root"
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_PADDED_PERSON = PERSON.ljust(16, b"\0")


def field(text: str) -> bytes:
    """One length-prefixed field."""
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


_TRACE = field("trace")
_role = lru_cache(maxsize=1024)(field)


@lru_cache(maxsize=1024)
def _record(model: str, record_id: str) -> bytes:
    return field(model) + field(record_id)


@lru_cache(maxsize=4096)
def _prefix(uuid: str, environment: str, size: int) -> "blake2b":
    return blake2b(field(SCHEME) + field(uuid) + field(environment), digest_size=size, person=_PADDED_PERSON)


def _whole(digest: bytes) -> bytes:
    """A digest that may be an id: all-zero ones are invalid in W3C Trace Context."""
    return digest if any(digest) else b"\x01" * len(digest)


def trace_id(tenant: Tenant, model: str, record_id: str, trace_key: str) -> bytes:
    """The 16-byte trace id of a Run."""
    state = _prefix(tenant.uuid, tenant.environment, 16).copy()
    state.update(_record(model, record_id) + field(trace_key) + _TRACE)
    return _whole(state.digest())


def traceparent(header: str) -> tuple[bytes, bytes] | None:
    """(trace id, span id) of a W3C `traceparent` header; None where it is not one (Trace Context, section 3.2)."""
    found = _TRACEPARENT.fullmatch(header.strip())
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    trace, span = bytes.fromhex(found["trace"]), bytes.fromhex(found["span"])
    return (trace, span) if any(trace) and any(span) else None


def is_sampled(header: str) -> bool:
    """Whether a W3C `traceparent` header says that whoever made its span records it; False where it is not one."""
    found = _TRACEPARENT.fullmatch(header.strip())
    return found is not None and bool(int(found["flags"], 16) & 1)


def span_ids(tenant: Tenant, run: tuple[str, str, str]) -> Callable[[str], bytes]:
    """From a role to the 8-byte id of that span of the Run (model, record id, run key), hashed once for all roles."""
    model, record_id, key = run
    state = _prefix(tenant.uuid, tenant.environment, 8).copy()
    state.update(_record(model, record_id) + field(key))

    def of(role: str) -> bytes:
        one = state.copy()
        one.update(_role(role))
        return _whole(one.digest())

    return of


def span_id(tenant: Tenant, run: tuple[str, str, str], role: str = ROOT) -> bytes:
    """The 8-byte id of one span of the Run (model, record id, run key)."""
    return span_ids(tenant, run)(role)
