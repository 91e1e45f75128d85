"""`POST /v1/events` on real sockets: honest and hostile senders, a service that is killed; its Odoo never answers."""

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
import requests

from exporter.domain.events import Event
from exporter.intake.server import Intake
from exporter.store import open_store
from exporter.store.entries import Appended
from exporter.tokens import DETECTORS, FILE, Tokens
from tests.fakes.exporter import Exporter, until

DARK = {"url": "http://127.0.0.1:1", "database": "acme", "user": "bot", "api_key": "c4n4ry", "poll_seconds": 3600}
TAKEN = "events are taken on http://"
Posted = dict[str, Any]


def beat(number: int, **other: object) -> Posted:
    """One heartbeat."""
    body = {"series": number, "judged": 0, "seconds": 0.1}
    fixed = {"tenant": "acme", "name": "detectors.series.judged", "at": "2026-03-01T12:00:00Z"}
    return {**fixed, "key": f"beat/{number}", "body": body, **other}


def intake(exporter: Exporter) -> str:
    """Where this life of the exporter takes events."""
    said = next(line for line in reversed(exporter.lines) if TAKEN in line)
    return "http://" + said.partition(TAKEN)[2].partition('"')[0]


def token(exporter: Exporter) -> str:
    """A token of a detector's."""
    return exporter.token(DETECTORS)


def post(url: str, secret: str, posted: Sequence[Posted]) -> requests.Response:
    """Post as the detectors do."""
    return requests.post(f"{url}/v1/events", json=posted, headers={"Authorization": f"Bearer {secret}"}, timeout=10)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    """The service; its Odoo is dark."""
    with Exporter(folder=tmp_path / "exporter", databases=[DARK]) as running:
        yield running


def stored(exporter: Exporter) -> list[Event]:
    """Every Event of the stopped exporter's store."""
    store = open_store(exporter.store)
    try:
        return [one.event for one in store.read("acme", 0, 100_000) if hasattr(one, "event")]
    finally:
        store.close()


def test_what_was_accepted_survives_kill_9(exporter: Exporter) -> None:
    """R1: four senders, the process killed under them three times: every 202 is in the store, once."""
    acknowledged: list[str] = []
    for life in range(3):
        url, secret, killed = intake(exporter), token(exporter), Flag()

        def send(sender: int, life: int = life, url: str = url, secret: str = secret, killed: Flag = killed) -> None:
            for number in range(100_000):
                key = f"{life}/{sender}/{number}"
                try:
                    answer = post(url, secret, [beat(number, key=key)])
                except requests.RequestException:
                    assert killed.is_set()
                    return
                assert answer.status_code == 202
                acknowledged.append(key)

        with ThreadPoolExecutor(4) as senders:
            running = [senders.submit(send, sender) for sender in range(4)]
            until(lambda life=life: len([key for key in acknowledged if key.startswith(f"{life}/")]) >= 40)
            killed.set()
            exporter.kill()
            for one in running:
                one.result(20)
        exporter.start()
    exporter.stop()
    found = stored(exporter)
    keys = [event.key for event in found]
    assert len(acknowledged) >= 120
    assert set(acknowledged) <= set(keys)
    assert len(keys) == len(set(keys))
    assert {event.source for event in found} == {"detectors/findings"}


def test_a_repeat_is_repeated_and_the_token_stays(exporter: Exporter) -> None:
    """Decision 24: what was sent twice is there once, also after a restart, which keeps the digest of the token."""
    secret = token(exporter)
    first = post(intake(exporter), secret, [beat(1), beat(2)])
    exporter.kill()
    exporter.start()
    second = post(intake(exporter), secret, [beat(2), beat(3)])

    assert (first.status_code, first.json()) == (202, {"appended": 2, "repeated": 0})
    assert (second.status_code, second.json()) == (202, {"appended": 1, "repeated": 1})
    assert (exporter.state / FILE).stat().st_mode & 0o777 == 0o600


def test_refusals_are_answered_counted_and_never_logged(exporter: Exporter) -> None:
    """R11, R13, R15: each refusal is a number in /metrics; neither the token nor what was refused is in a log."""
    url, secret = intake(exporter), token(exporter)
    answers = [
        post(url, "", [beat(1)]),
        post(url, "c4n4ry-wrong", [beat(1)]),
        post(url, secret, [beat(1, tenant="nobody")]),
        post(url, secret, [beat(1, name="odoo.cron.counted")]),
        post(url, secret, [beat(1, at="2026-03-01T12:00:00")]),
        post(url, secret, [beat(number) for number in range(1_001)]),
        post(url, secret, [beat(1, key="x" * 300_000)]),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 400, 400, 400, 413, 413]
    assert (answers[0].headers["WWW-Authenticate"], answers[0].content) == ("Bearer", b"")
    undated = [{k: v for k, v in answer.headers.items() if k != "Date"} for answer in answers[:2]]
    assert undated[0] == undated[1]
    reasons = ("token", "unknown_tenant", "wrong_source", "naive_time", "too_many", "too_large")
    assert [exporter.value("odoo_otel_refused_total", reason=reason) for reason in reasons] == [2, 1, 1, 1, 1, 1]
    exporter.stop()
    assert not [line for line in exporter.lines if secret in line or "c4n4ry" in line]
    assert stored(exporter) == []


def test_it_has_a_listener_of_its_own(exporter: Exporter) -> None:
    """On loopback only, and not on the one of the pages; /metrics shows no refusal before there was one."""
    assert intake(exporter).startswith("http://127.0.0.1:")
    assert "odoo_otel_refused_total{" not in exporter.get("/metrics")[1]
    assert exporter.get("/v1/events")[0] == 404  # not on the listener of the pages


@dataclass
class SlowInbox:
    """An Inbox whose fsync takes until it is told."""

    synced: Flag = field(default_factory=Flag)
    review: object = None

    def append(self, tenant: str, events: Sequence[Event], *_: object, **__: object) -> Appended:
        """Wait."""
        assert tenant
        assert self.synced.wait(10)
        return Appended(appended=len(events), repeated=0)

    def marks(self, *_: object) -> Mapping[str, str]:
        """None."""
        return {}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Intake, SlowInbox]]:
    """The listener alone over a slow store."""
    inbox = SlowInbox()
    now = {"acme": datetime(2026, 3, 1, tzinfo=UTC)}
    listener = Intake(inbox, (tmp_path, ("127.0.0.1", 0)), now=lambda: now, appended=lambda: None)  # type: ignore[arg-type]
    listener.start()
    yield listener, inbox
    inbox.synced.set()
    assert listener.stop()


def _secret(folder: Path) -> str:
    return Tokens(folder).make(DETECTORS, datetime.now(UTC)).reveal()


def test_nothing_is_said_before_the_fsync(slow: tuple[Intake, SlowInbox], tmp_path: Path) -> None:
    """R1: while append has not returned not one byte of an answer was sent; 202 comes after it."""
    listener, inbox = slow
    body = json.dumps([beat(1)])
    with socket.create_connection((listener.host, listener.port), timeout=0.5) as client:
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {_secret(tmp_path)}\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        with pytest.raises(TimeoutError):
            client.recv(1)
        inbox.synced.set()
        client.settimeout(5)
        assert client.recv(100).startswith(b"HTTP/1.1 202 ")


def test_a_huge_body_is_refused_before_it_comes(slow: tuple[Intake, SlowInbox]) -> None:
    """R12: 100 MB announced are refused with 413 at once; 100 MB without announcement after the limit; both counted."""
    listener, _ = slow
    client = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=5)
    client.putrequest("POST", "/v1/events")
    client.putheader("Content-Length", str(100_000_000))
    client.endheaders()
    assert client.getresponse().status == 413
    client.close()
    assert _chunked(listener.port, megabytes=100) < 20
    until(lambda: listener.receiving.refused().get("too_large", 0) == 2, 5)


def _chunked(port: int, megabytes: int) -> int:
    """Send a body in chunks of a megabyte, until it is refused; how many were taken."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for sent in range(megabytes):
            try:
                client.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            except OSError:
                return sent
    return megabytes


def test_half_sent_bodies_do_not_starve_an_honest_one(slow: tuple[Intake, SlowInbox], tmp_path: Path) -> None:
    """R12: beside 400 senders that never finish an honest one is answered in less than a second."""
    listener, inbox = slow
    inbox.synced.set()
    held = []
    try:
        for _ in range(400):
            client = socket.create_connection((listener.host, listener.port), timeout=5)
            client.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[")
            held.append(client)
        began = time.monotonic()
        assert post(listener.url, _secret(tmp_path), [beat(1)]).status_code == 202
        assert time.monotonic() - began < 1
    finally:
        for client in held:
            client.close()


def test_the_token_is_kept_as_a_digest_only(slow: tuple[Intake, SlowInbox], tmp_path: Path) -> None:
    """R15: nothing in the running intake shows the token."""
    listener, _ = slow
    secret = _secret(tmp_path)
    assert list(listener.receiving.digests()) == [sha256(secret.encode()).digest()]
    assert secret not in repr(listener.receiving)
