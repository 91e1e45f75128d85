"""The door to n8n over real HTTP and the one in process keep the same promises (R24)."""

from collections.abc import Callable, Iterator

import pytest

from exporter.checking.n8n import look
from exporter.config import Database, N8n, Secret
from exporter.errors import BadRecord, SourceDown
from exporter.sources.n8n.door import NAME_PAGES, N8nDoor, RestDoor, TooMuch, Unsupported
from tests.contract import n8n_contract as promises
from tests.fakes.n8n import KEY, FakeN8n, FakeN8nDoor, N8nServer
from tests.fakes.odoo_http import Canned

DOORS: tuple[Callable[[N8nServer], N8nDoor], ...] = (
    lambda server: FakeN8nDoor(server.n8n),
    lambda server: RestDoor(server.access()),
)
HELD = ("success", "error401", "continued", "parent", "child", "retry")


@pytest.fixture(name="server")
def _server() -> Iterator[N8nServer]:
    n8n = FakeN8n(cap=3)
    for name in HELD:
        n8n.put(name)
    n8n.put("waiting", 40)
    n8n.put("success", 41, status="running", stoppedAt=None)
    with N8nServer(n8n) as server:
        yield server


@pytest.mark.parametrize("door", DOORS, ids=["in-process", "rest"])
@pytest.mark.parametrize("promise", promises.CHECKS, ids=lambda promise: promise.__name__)
def test_every_door_keeps_the_promise(
    server: N8nServer, door: Callable[[N8nServer], N8nDoor], promise: Callable[[N8nDoor], None]
) -> None:
    """Lists, pages, states, redaction and absence are the same through every door."""
    promise(door(server))


def test_nothing_but_gets_is_sent_and_the_key_goes_in_a_header(server: N8nServer) -> None:
    """The door only reads; the key stands in no address and in no repr (R15)."""
    door = RestDoor(server.access())
    promises.newest_come_first(door)
    assert {method for method, _, _ in server.requests} == {"GET"}
    assert not any(KEY in path for _, path, _ in server.requests)
    assert KEY not in f"{door!r} {server.access()!r}"


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, SourceDown, "execution:read"),
        (403, SourceDown, "execution:read"),
        (404, SourceDown, "N8N_PUBLIC_API_DISABLED"),
        (400, Unsupported, "400"),
        (302, SourceDown, "redirects"),
        (503, SourceDown, "503"),
    ],
)
def test_a_refusal_says_what_to_change(server: N8nServer, status: int, kind: type[Exception], said: str) -> None:
    """One sentence, without a word of what n8n answered and without the key."""
    server.trouble = lambda _path, _real: Canned(status=status, body=b"canary " + KEY.encode())
    with pytest.raises(kind, match=said) as told:
        RestDoor(server.access()).executions()
    assert "canary" not in str(told.value)


def test_one_bad_execution_is_told_from_an_n8n_that_is_down(server: N8nServer) -> None:
    """A 500 of one execution concerns that one; a page of something else is no answer of n8n's."""
    door = RestDoor(server.access())
    server.trouble = lambda _path, _real: Canned(status=500)
    with pytest.raises(TooMuch):
        door.execution(3)
    server.trouble = lambda _path, _real: Canned(body=b"<p>Log in")
    with pytest.raises(BadRecord, match="does not promise"):
        door.executions()


def test_an_n8n_that_hangs_is_left_alone_for_a_while(server: N8nServer) -> None:
    """After one wait in vain the next call fails at once, so that Odoo's polls do not wait for it again and again."""
    door = RestDoor(server.access(timeout=0.2))
    server.trouble = server.hang
    with pytest.raises(SourceDown, match="did not answer"):
        door.executions()
    asked = len(server.requests)
    with pytest.raises(SourceDown, match="did not answer"):
        door.executions()
    assert len(server.requests) == asked


def test_names_of_workflows_end(server: N8nServer) -> None:
    """An n8n whose list of workflows never ends does not hold up the poll for ever (R12)."""
    server.trouble = lambda _path, _real: Canned(body=b'{"data": [], "nextCursor": "again"}')
    assert RestDoor(server.access()).workflows() == {}
    assert len(server.requests) == NAME_PAGES


def checked(server: N8nServer, key: str = KEY) -> tuple[str, str]:
    """What `check` says of it."""
    n8n = N8n(url=server.url, api_key=Secret(key))
    (said,) = look(Database(url="http://odoo", database="d", user="u", api_key=Secret("fake-key"), n8n=n8n))
    return said.severity, said.sentence.replace(server.url, "N8N")


def test_check_says_what_is_seen_of_n8n(server: N8nServer) -> None:
    """With our key, with a wrong one, with one that may list and not read, of an older n8n, of none."""
    assert checked(server) == ("ok", "n8n at N8N answers, and takes the key.")
    assert "refused the API key" in checked(server, "another")[1]
    server.trouble = lambda path, real: Canned(status=403) if path[-1].isdigit() else real()
    assert "may not read" in checked(server)[1]
    server.trouble = None
    server.n8n.states = frozenset({"waiting"})
    assert checked(server) == (
        "warning",
        "n8n at N8N does not list running executions: they are seen when they are over.",
    )
    server.trouble = lambda _path, _real: Canned(status=502)
    assert checked(server)[0] == "warning"
