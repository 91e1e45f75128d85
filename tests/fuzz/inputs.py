"""What the targets are fed: good samples with a few places damaged, and noise of the right alphabet.

Samples that are damaged get further than invented ones, and cost a tenth of them.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from exporter.domain.contract import EVENTS
from exporter.sources.mapped import SHIPPED
from exporter.telemetry import otlp
from tests.fakes.n8n import DATA, sample
from tests.fuzz.targets.signatures import SCHEMES

HOOKS = Path(__file__).parents[1] / "data" / "hooks"
Place = tuple[Any, ...]
# What breaks parsers: ends of ranges, other types, texts that look like something.
HOSTILE: Sequence[Any] = (
    *(None, True, False, [], {}, "", 0, -1, 0.5, -0.0, 1e308, 1e999, -1e999, float("nan")),
    *(2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 9e15),
    *("\x00", "\ud800", "\u202e", "a\nb", "\x1b[2J", "é" * 200, "x" * 5_000, "0", "-1", "9" * 400, "1e999"),
    *("0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "2026-03-01T12:00:00", "2026-03-01T12:00:00Z"),
    *("2026-11-22 13:24:51.182474", "(#561)", "Send order(#99999999999999999)", "sale.order,23", "sale.order:S1", ","),
    *([[[[]]]], [{}], {"": {"": {}}}, {"a": 1}, [1, "a", None], [0] * 300, ["sale.order,1"], [{"status": "firing"}]),
    *(0, 1_764_072_000, 1_764_072_000_000, 253_402_300_800, -62_135_596_801),
    *EVENTS,
)
VALUES = st.sampled_from(HOSTILE) | st.text(max_size=12) | st.integers()
NOISE = st.binary(max_size=40)
LETTERS = st.text(alphabet='{}[]",:0123456789.eE-+ \\untrfalsN', max_size=200).map(str.encode)
EDITS = st.lists(st.tuples(st.integers(0, 255), VALUES, st.integers(0, 4)), min_size=1, max_size=3)


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """The place of everything inside a document, itself first."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*at, key))


def _edited(sample: object, edits: Sequence[tuple[int, object, int]]) -> bytes:
    """Each edit changes what stands at a place, takes it out or doubles it."""
    whole = {"": deepcopy(sample)}
    for where, given, how in edits:
        value = deepcopy(given)  # another edit may change what stands in it
        found = [place for place in places(whole) if place]
        *path, last = found[where % len(found)] if found else ("",)
        parent: Any = whole
        for key in path:
            parent = parent[key]
        if how == 0 and path:
            del parent[last]
        elif how == 1 and isinstance(parent, list):
            parent.append(value)
        else:
            parent[last] = value
    return json.dumps(whole.get("", "")).encode()


def documents(samples: Sequence[object]) -> st.SearchStrategy[bytes]:
    """JSON documents with one to three places damaged."""
    return st.builds(_edited, st.sampled_from(samples), EDITS)


def broken(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes of a sample with a piece replaced by noise."""
    spot = st.tuples(st.floats(0, 1), st.integers(0, 20))
    return st.builds(_broken, st.sampled_from(samples), NOISE, spot)


def _broken(sample: bytes, noise: bytes, spot: tuple[float, int]) -> bytes:
    at = int(spot[0] * len(sample))
    return sample[:at] + noise + sample[at + spot[1] :]


def raws(samples: Sequence[object]) -> list[bytes]:
    """As they are sent."""
    return [json.dumps(one).encode() for one in samples]


def _samples(*prefixes: str) -> list[Any]:
    return [json.loads(path.read_bytes()) for path in sorted(HOOKS.glob("*.json")) if path.name.startswith(prefixes)]


SEEN = {
    "detector": "outlier.duration",
    "subject": "base.autovacuum_job",
    "severity": "warning",
    "example": "cron/7#41",
    "since": "2026-03-01T11:58:00Z",
    "sentence": "It took 412 s; 35 to 80 s are normal.",
}
ONE = {"tenant": "acme", "key": "k", "name": "finding.opened", "at": "2026-03-01T13:59:00.25+02:00", "body": SEEN}
CLOSED = {**ONE, "name": "finding.closed", "body": {"detector": "d", "subject": "s", "reason": "3 normal runs"}}
BEAT = {**ONE, "name": "detectors.series.judged", "body": {"series": 3, "judged": 2, "seconds": 0.5}}
POSTED: Sequence[Any] = ([ONE], [CLOSED, BEAT], [])
PAYLOADS = _samples("")
EXECUTIONS = [sample(path.stem) for path in sorted(DATA.glob("*.json")) if path.stem != "workflows"]
ODOO = {"_action": "Send order(#561)", "_id": 23, "_model": "sale.order", "id": 23, "state": "sale"}
ODOO |= {"write_date": "2026-11-22 13:24:51.182474"}
LOGGERS = ("base.models.ir_cron", "base.models.ir_actions", "base_automation.models.base_automation")
SAID = (
    *("Job 'x' (7) starting", "Job 'x' (7) fully done (#loop 1; done 0; remaining 0; duration 0.05s)", "Job `x` done."),
    *("Job done: `x` (1.234s).", "Job 'x' (7) server action #5 failed\nTraceback (most recent call last):\n  a.B: c"),
    *("Webhook call to https://u:p@h.example:8443/x?k=v - succeeded", "Webhook call failed: 500 for url: https://h/"),
    *("Webhook #11 triggered with payload {'name': 'x'}", "Webhook #11 failed with error:", "Starting job `x`."),
    *("Call from cron x for server action #5 failed in Job #7", "'" * 4000, "(" * 4000, "`" * 4000, "https://" * 500),
)
LINES = [
    f"2026-11-25 13:22:09,558 18744 ERROR acme odoo.addons.{logger}: {said}".encode()
    for logger in LOGGERS
    for said in SAID
]
PROTOBUF = otlp.encode_lines([line.decode() for line in LINES[:3]], "acme")
LOG_JSON = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "odoo.database", "value": {"stringValue": "acme"}}]},
            "scopeLogs": [{"logRecords": [{"body": {"stringValue": LINES[0].decode()}, "timeUnixNano": "1"}]}],
        }
    ]
}
DOMAINS = [
    b"[('state', '=', 'sale')]",
    b"['|', ('state', 'in', ['a', 'b']), '!', ('state', '!=', 'c')]",
    b"['&', ('state', 'not in', ('a',)), ('state', '=', False)]",
    b"[(" * 300,
    b"-" * 1_900 + b"1",
    b"__import__('os').system('x')",
]
SIGNED = [
    b"webhook-id:m\nwebhook-timestamp:1764072000\nwebhook-signature:v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n\n{}",
    b"x-hub-signature-256:sha256=" + b"0" * 64 + b"\nx-github-delivery:d\n\n{}",
    b"stripe-signature:t=1764072000,v1=" + b"0" * 64 + b",v0=\n\n{}",
    b"authorization:Bearer n3w-secret\n\n{}",
    b"token:n0body\n\n{}",
]
FORWARDED = [
    b"203.0.113.7, 10.0.0.9\n",
    b"[2001:db8::7]:443, ::ffff:10.0.0.1, fe80::1%eth0\nfor=1.1.1.1",
    b'unknown\nfor="[2001:db8::7]:443";proto=https;host="a,b", for=10.0.0.9',
    b'\nFor="x, for=1.1.1.1", for=_hidden;by="\\""',
]


def _any(count: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, count - 1).map(lambda number: bytes([number]))


def _after(first: st.SearchStrategy[bytes], rest: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(bytes.__add__, first, rest)


INPUTS: Mapping[str, st.SearchStrategy[bytes]] = {
    "conditions": broken(DOMAINS) | st.text(alphabet="[]()'=!&|, state0.", max_size=60).map(str.encode),
    "document": LETTERS | st.binary(max_size=300) | documents(PAYLOADS),
    "events": documents(POSTED) | broken(raws(POSTED)) | LETTERS,
    "log_lines": broken(LINES) | st.text(max_size=300).map(str.encode),
    "mapped": _after(_any(len(SHIPPED)), documents(PAYLOADS) | broken(raws(PAYLOADS))),
    "n8n": documents(EXECUTIONS) | broken(raws(EXECUTIONS)),
    "odoo_webhook": documents([ODOO]) | broken(raws([ODOO])) | LETTERS,
    "otlp_logs": _after(st.just(b"j"), documents([LOG_JSON]))
    | _after(st.just(b"p"), broken([PROTOBUF]))
    | _after(st.just(b"g"), broken([gzip.compress(PROTOBUF)])),
    "senders": broken(FORWARDED) | st.text(alphabet='for=;,"\\[]:.%0123456789af \n', max_size=60).map(str.encode),
    "signatures": _after(_any(len(SCHEMES)), broken(SIGNED)),
}
"""What each target in tests/fuzz/targets is fed, by its name."""
