"""The order of a request: limits, token, parse, append; what each refusal answers and counts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from werkzeug.test import TestResponse

from exporter.domain.events import Event
from exporter.errors import StoreBroken, StoreError, StoreFull
from exporter.intake.app import create_app
from exporter.intake.receiving import LARGEST, Receiving
from exporter.store.entries import Appended, PollReport
from tests.unit.intake.test_parsing import BEAT, KNOWN, ONE, SOURCE

TOKEN = "ab" * 32
GOOD = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class FakeInbox:
    """Remembers what was appended, or fails."""

    seen: dict[tuple[str, str], Event] = field(default_factory=dict)
    fails: StoreError | None = None

    def append(
        self,
        tenant: str,
        events: Sequence[Event],
        marks: Mapping[tuple[str, str], str | None] | None = None,
        report: PollReport | None = None,
    ) -> Appended:
        """Append, as the store would."""
        assert marks is report is None
        if self.fails:
            raise self.fails
        before = len(self.seen)
        self.seen |= {(tenant, event.key): event for event in events}
        new = len(self.seen) - before
        return Appended(appended=new, repeated=len(events) - new)

    def marks(self, tenant: str, source: str) -> dict[str, str]:
        """None."""
        raise AssertionError((tenant, source))


@dataclass
class Desk:
    """The app without a socket."""

    inbox: FakeInbox = field(default_factory=FakeInbox)
    woken: list[int] = field(default_factory=list)
    receiving: Receiving = field(init=False)

    def __post_init__(self) -> None:
        """Put it together."""
        self.receiving = Receiving(
            inbox=self.inbox,
            source=SOURCE,
            digests=lambda: [sha256(TOKEN.encode()).digest()],
            now=lambda: KNOWN,
            appended=lambda: self.woken.append(1),
        )

    def post(self, raw: bytes, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Post a body."""
        client = create_app(self.receiving).test_client()
        return client.post("/v1/events", data=raw, headers=GOOD if headers is None else headers)


@pytest.fixture
def desk() -> Desk:
    """A fresh one."""
    return Desk()


BODY = json.dumps([ONE, {**BEAT, "tenant": "beta"}]).encode()


def test_accepted_is_202_and_a_repeat_is_counted_as_one(desk: Desk) -> None:
    """Decision 24: 202 with appended and repeated; the fold is woken; several tenants at once are taken apart."""
    first, second = desk.post(BODY), desk.post(BODY)

    assert (first.status_code, first.json) == (202, {"appended": 2, "repeated": 0})
    assert (second.status_code, second.json) == (202, {"appended": 0, "repeated": 2})
    assert {tenant for tenant, _ in desk.inbox.seen} == {"acme", "beta"}
    assert len(desk.woken) == 2
    assert desk.receiving.refused() == {}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}0",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        TOKEN,
        "Bearer \xe4\xff",
    ],
)
def test_every_401_is_alike(desk: Desk, header: str | None) -> None:
    """R11: nothing tells one wrong token from another, or from none; nothing was parsed (the body is no JSON)."""
    answer = desk.post(b"<no json>", {} if header is None else {"Authorization": header})

    assert (answer.status_code, answer.data) == (401, b"")
    assert dict(answer.headers) == {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": "0",
        "WWW-Authenticate": "Bearer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    assert desk.receiving.refused() == {"token": 1}
    assert not desk.inbox.seen


def test_limits_come_before_the_token(desk: Desk) -> None:
    """R12: too large is 413 and encoded is 415, whoever asks; exactly the limit is read."""
    assert desk.post(b" " * (LARGEST + 1), {}).status_code == 413
    assert desk.post(BODY, {"Content-Encoding": "gzip"}).status_code == 415
    assert desk.post(BODY + b" " * (LARGEST - len(BODY))).status_code == 202
    assert desk.receiving.refused() == {"too_large": 1, "encoded": 1}


def test_what_is_wrong_is_answered_in_one_line(desk: Desk) -> None:
    """400 with a sentence, counted by its reason; nothing of the request is appended."""
    answer = desk.post(json.dumps([ONE, {**ONE, "name": "odoo.job.changed"}]).encode())

    assert answer.status_code == 400
    assert answer.text == "$[1].name: odoo.job.changed is seen by odoo/jobs, not by detectors/findings.\n"
    assert desk.receiving.refused() == {"wrong_source": 1}
    assert not desk.inbox.seen
    assert not desk.woken


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StoreFull("no room"), "store_full"), (StoreError("busy"), "store"), (StoreBroken("EIO"), "store")],
)
def test_a_store_that_cannot_write_is_503(desk: Desk, error: StoreError, reason: str) -> None:
    """R9, R10: no 202 without a write, a time to try again, and a broken store is a fault of the service."""
    desk.inbox.fails = error
    answer = desk.post(BODY)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert desk.receiving.refused() == {reason: 1}
    assert (desk.receiving.fault is error) == isinstance(error, StoreBroken)


def test_what_the_listener_refuses_is_counted(desk: Desk) -> None:
    """What is too large, too slow or no HTTP at all never reaches the app; our own 500 is no refusal."""
    for status in (413, 431, 408, 400, 500):
        desk.receiving.refused_before(status)

    assert desk.receiving.refused() == {"too_large": 2, "too_slow": 1, "not_http": 1}


def test_other_paths_and_methods_are_not_there(desk: Desk) -> None:
    """Only POST /v1/events exists."""
    client = create_app(desk.receiving).test_client()

    assert client.get("/v1/events", headers=GOOD).status_code == 405
    assert client.post("/v1/other", headers=GOOD).status_code == 404
