"""OTLP over HTTP that tells the truth: one request, and what the server really said about it.

The stock exporter takes any 2xx and 3xx for success and never reads the body (facts/reliability.md finding 2): a
redirect or a partial success is counted as sent. Here the transport is driven directly and the answer is read.
"""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException

import requests
import urllib3
from opentelemetry.exporter.otlp.proto.http import Compression

from exporter.clock import Clock
from exporter.sinks import ExportResult, Misconfigured, Retry, Row
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.faults import fault
from exporter.sinks.meaning import BODY_LIMIT, DETAIL, LONGEST_AFTER, Asked, accepted, line, refused
from exporter.telemetry import otlp
from exporter.telemetry.otlp import Signal

_READ = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the two headers that matter, and at most BODY_LIMIT bytes."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str = ""
    too_long: bool = False


def _accepted(answer: Answer, asked: Asked) -> ExportResult:
    """200 and its kin: only a body that is an OTLP response makes it true."""
    kind = answer.content_type.partition(";")[0].strip().lower()
    if answer.too_long or (answer.body and kind not in {"application/x-protobuf", "application/protobuf"}):
        return Retry(reason="garbage", detail=f"{answer.status} with {kind or 'no type'}, not an OTLP answer")
    return accepted(answer.body, asked, str(answer.status))


def _refused(answer: Answer, asked: Asked) -> ExportResult:
    return refused(f"http_{answer.status}", _excerpt(answer), asked)


def _later(answer: Answer, asked: Asked) -> ExportResult:
    """A passing trouble of the server's."""
    after = retry_after(answer.retry_after, asked.at)
    return Retry(reason=f"http_{answer.status}", after=after, detail=_excerpt(answer))


def _stranger(answer: Answer, _: Asked) -> ExportResult:
    """Not the server we think, or it does not know us: a human must look, nothing may be thrown away."""
    return Misconfigured(reason=f"http_{answer.status}", detail=_excerpt(answer))


Meaning = Callable[[Answer, Asked], ExportResult]
# 202 and 204 are what some vendors and Loki answer in place of 200. Any other 2xx is no word of OTLP, and 203, 206 and
# 207 even say that something is missing, so nothing is taken for delivered. Only 400 and 413 can be cured by halving.
ANSWERS: Mapping[int, Meaning] = {
    200: _accepted,
    202: _accepted,
    204: _accepted,
    400: _refused,
    408: _later,
    413: _refused,
    425: _later,
    429: _later,
}
CLASSES: Mapping[int, Meaning] = {1: _stranger, 2: _stranger, 3: _stranger, 4: _stranger, 5: _later}


def meaning(answer: Answer, asked: Asked) -> ExportResult:
    """What an answer means (decision 21): the status' own line of the table, else that of its class."""
    return ANSWERS.get(answer.status, CLASSES.get(answer.status // 100, _stranger))(answer, asked)


def retry_after(header: str, now: datetime) -> float | None:
    """Seconds the server asks for, from seconds or an HTTP date; None when it does not, or nobody can read it."""
    if header.isascii() and header.isdigit():
        return min(float(header), LONGEST_AFTER)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_AFTER)


def _excerpt(answer: Answer) -> str:
    return line(answer.body[:DETAIL].decode(errors="ignore"))


_COMPRESS: Mapping[Compression, Callable[[bytes], bytes]] = {
    Compression.NoCompression: lambda raw: raw,
    # Level 1: the same size on repetitive spans for a quarter of the time. mtime=0: the same bytes each time.
    Compression.Gzip: lambda raw: gzip.compress(raw, 1, mtime=0),
    Compression.Deflate: lambda raw: zlib.compress(raw, 1),
}


class HttpSink:
    """Sends to one endpoint per signal, a connection of its own for each; reads every answer."""

    def __init__(self, endpoints: Mapping[Signal, Endpoint], clock: Clock, agent: str = "odoo-otel") -> None:
        self._endpoints = dict(endpoints)
        self._clock = clock
        self._sessions = {signal: _session(endpoint, agent) for signal, endpoint in endpoints.items()}

    def export(self, signal: Signal, rows: Sequence[Row]) -> ExportResult:
        """One request, one answer, no retry of its own; raises KeyError for a signal without an endpoint."""
        endpoint = self._endpoints[signal]
        asked = Asked(signal=signal, rows=len(rows), at=self._clock.now())
        payload = _COMPRESS[endpoint.compression](otlp.request(signal, rows))
        try:
            answer = self._post(self._sessions[signal], endpoint, payload)
        except (OSError, HTTPException, ValueError, urllib3.exceptions.HTTPError) as error:
            return fault(error)
        return meaning(answer, asked)

    def close(self) -> None:
        """Close idle connections."""
        for session in self._sessions.values():
            session.close()

    def _post(self, session: requests.Session, endpoint: Endpoint, payload: bytes) -> Answer:
        deadline = self._clock.monotonic() + endpoint.timeout
        with session.post(
            endpoint.url, data=payload, timeout=endpoint.timeout, allow_redirects=False, stream=True
        ) as response:
            body = self._read(response, deadline)
            return Answer(
                status=response.status_code,
                body=body[:BODY_LIMIT],
                content_type=response.headers.get("Content-Type", ""),
                retry_after=response.headers.get("Retry-After", ""),
                too_long=len(body) > BODY_LIMIT,
            )

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        """The body, no longer than the limit and the deadline: a server that drips must not hold us."""
        body = b""
        while len(body) <= BODY_LIMIT and (chunk := response.raw.read1(_READ, decode_content=True)):
            body += chunk
            if self._clock.monotonic() > deadline:
                message = "the answer did not end in time"
                raise requests.Timeout(message)
        return body


def _session(endpoint: Endpoint, agent: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc of whoever started us: only configured hosts are called
    session.headers.update({"User-Agent": agent, "Accept-Encoding": "identity", **endpoint.headers})
    session.headers["Content-Type"] = "application/x-protobuf"
    if endpoint.compression is not Compression.NoCompression:
        session.headers["Content-Encoding"] = endpoint.compression.value
    if endpoint.proxy:
        session.proxies = {"http": endpoint.proxy, "https": endpoint.proxy}
    session.verify = endpoint.certificate or True
    if endpoint.client_certificate:
        pair = (endpoint.client_certificate, endpoint.client_key)
        session.cert = pair if endpoint.client_key else endpoint.client_certificate
    return session
