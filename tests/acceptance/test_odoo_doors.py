"""Both doors over real sockets, when Odoo, or what stands before it, answers badly."""

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from exporter.domain.redact import Secret
from exporter.errors import BadRecord, ConfigError, SourceDown, SourceError
from exporter.sources.odoo.connect import DoorName, open_door
from exporter.sources.odoo.door import READS, Access, Door, Missing, NotInstalled
from exporter.sources.odoo.json2 import MOST_BYTES, Json2Door
from exporter.sources.odoo.session import SessionDoor
from tests.fakes.odoo_http import KEY, Canned, OdooServer
from tests.fakes.odoo_lab import company

ROOT = Path(__file__).parents[2]
ERRORS = json.loads((ROOT / "tests/data/odoo/json2_errors.json").read_text())
EXPECTED: dict[str, tuple[type[SourceError], str]] = {
    "bad key": (SourceDown, "refused the API key of monitor"),
    "no auth": (SourceDown, "refused the API key of monitor"),
    "password as bearer": (SourceDown, "refused the API key of monitor"),
    "no access": (Missing, r"monitor may not read ir\.cron"),
    "unknown model": (NotInstalled, "install the module"),
    "unknown method": (SourceDown, "does not know the call"),
    "private method": (Missing, "may not read"),
    "unknown field": (SourceDown, "Invalid field 'nope'"),
    "bad domain": (SourceDown, "Invalid field"),
    "bad kw": (SourceDown, "unexpected keyword"),
    "invalid json": (SourceDown, "answered 400"),
    "GET": (SourceDown, "does not know the call"),
    "write denied": (Missing, "may not read"),
    "doc index": (Missing, "may not read"),
}
BAD_ANSWERS = {
    "login page": Canned(body=b"<!doctype html><title>Login</title>"),
    "truncated JSON": Canned(body=b'[{"id": 1, "cron_na', kind="application/json"),
    "half a body": Canned(body=b"[{}", kind="application/json", claims=5000),
    "not UTF-8": Canned(body=b'["\xff\xfe"]', kind="application/json"),
    "empty": Canned(body=b"", kind="application/json"),
    "a number": Canned(body=b"7", kind="application/json"),
    "rows that are none": Canned(body=b'{"jsonrpc": "2.0", "id": 1, "result": [1, 2]}', kind="application/json"),
    "null": Canned(body=b"null", kind="application/json"),
    "bad gateway": Canned(status=502, body=b"<h1>Bad Gateway</h1>"),
    "overloaded": Canned(status=429, body=b"slow down"),
    "redirect": Canned(status=301, headers={"Location": "http://127.0.0.1:1/steal"}),
    "not found": Canned(status=404, body=b"<h1>Not Found</h1>"),
    "firewall": Canned(status=403, body=b"<h1>Forbidden</h1>"),
}
DOORS: dict[str, Callable[[Access], Door]] = {"json2": Json2Door, "odoorpc": SessionDoor}


@pytest.fixture(name="server")
def _server() -> Iterator[OdooServer]:
    with OdooServer(company()) as server:
        yield server


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: str(case["case"]))
def test_captured_errors_say_what_to_change(server: OdooServer, case: dict[str, object]) -> None:
    """Each error body captured from Odoo 19 becomes one sentence, without traceback or key (R15)."""
    kind, sentence = EXPECTED[str(case["case"])]
    body = json.dumps(case["body"]).encode()
    server.canned.append(Canned(status=int(str(case["status"])), body=body, kind=str(case["type"])))
    with pytest.raises(kind, match=sentence) as told:
        Json2Door(server.access()).search_read("ir.cron", [], ["priority"])
    assert "\n" not in str(told.value)
    assert "Traceback" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_bad_answers_are_outages_with_a_sentence(server: OdooServer, name: str, answer: str) -> None:
    """HTML, cut or wrong bodies, proxies and redirects: SourceDown or BadRecord, nothing else, nothing followed."""
    door = DOORS[name](server.access())
    door.search_read("ir.cron", [], ["priority"])
    asked = len(server.requests)
    server.canned.append(BAD_ANSWERS[answer])
    with pytest.raises((SourceDown, BadRecord)) as told:
        door.search_read("ir.cron", [], ["priority"])
    assert str(told.value).endswith((".", "?"))
    assert len(server.requests) == asked + 1
    assert door.search_read("ir.cron", [], ["priority"])


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Canned(body=b" " * 100, kind="application/json", pause=0.1), "was not whole in time"),
        (Canned(body=b" " * (MOST_BYTES + 2**17), kind="application/json"), f"is over {MOST_BYTES} bytes"),
    ],
    ids=["a byte at a time", "a huge page"],
)
def test_an_answer_has_an_end(server: OdooServer, name: str, answer: Canned, sentence: str) -> None:
    """R7: a server that drips is left in time though every read of the socket is quick; a huge page is not held."""
    door = DOORS[name](replace(server.access(), timeout=1.0))
    door.search_read("ir.cron", [], ["priority"])
    server.canned.append(answer)
    with pytest.raises(SourceDown, match=sentence):
        door.search_read("ir.cron", [], ["priority"])
    assert door.search_read("ir.cron", [], ["priority"])


@pytest.mark.parametrize("name", DOORS)
def test_a_closed_port_is_an_outage(server: OdooServer, name: str) -> None:
    """Nobody listens: SourceDown at once."""
    access = Access(url="http://127.0.0.1:9", database="lab", user="monitor", key=Secret(KEY), timeout=2)
    with pytest.raises(SourceDown, match="did not answer"):
        DOORS[name](access).search_read("ir.cron", [], ["priority"])
    assert server.requests == []


@pytest.mark.parametrize("name", DOORS)
def test_a_silent_server_costs_one_timeout(server: OdooServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers is given up after the timeout."""
    release = threading.Event()
    real = server.answer
    monkeypatch.setattr(server, "answer", lambda *asked: [release.wait(5), real(*asked)][1])
    with pytest.raises(SourceDown, match="did not answer"):
        DOORS[name](server.access(timeout=0.2)).search_read("ir.cron", [], ["priority"])
    release.set()


@pytest.mark.parametrize("name", DOORS)
def test_proxies_of_the_environment_are_not_used(
    server: OdooServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http_proxy would carry the key to a third party."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert DOORS[name](server.access()).search_read("ir.cron", [], ["priority"])


@pytest.mark.parametrize(
    ("version", "choice", "kind"),
    [
        ((19, 0), "auto", Json2Door),
        ((20, 0), "auto", Json2Door),
        ((18, 0), "auto", SessionDoor),
        ((14, 0), "auto", SessionDoor),
        ((19, 0), "jsonrpc", SessionDoor),
        ((19, 0), "json2", Json2Door),
    ],
)
def test_the_version_chooses_the_door(version: tuple[int, int], choice: DoorName, kind: type) -> None:
    """JSON-2 from 19, odoorpc before, overridable; the version is asked without the key (feature 3)."""
    with OdooServer(company(), version) as server:
        door = open_door(server.access(), choice)
        assert type(door) is kind
        assert not [headers for _, headers, _ in server.requests if "Authorization" in headers]
        assert door.search_read("ir.cron", [], ["priority"])


def test_no_odoo_at_the_address_is_said(server: OdooServer) -> None:
    """Any other web server: one sentence."""
    server.canned.extend([Canned(body=b"<h1>It works!</h1>"), Canned(body=b"<h1>It works!</h1>")])
    with pytest.raises(SourceDown):
        open_door(server.access())


def test_the_key_never_reaches_a_log(server: OdooServer, caplog: pytest.LogCaptureFixture) -> None:
    """odoorpc would write the key at DEBUG: it is silenced, requests and urllib3 never see it as text (R15)."""
    caplog.set_level(logging.DEBUG)
    for make in DOORS.values():
        make(server.access()).search_read("ir.cron", [], ["priority"])
    assert KEY not in caplog.text


def test_a_refused_key_is_not_remembered(server: OdooServer) -> None:
    """After a refusal the session logs in again: a key that was renewed works without a restart."""
    door = SessionDoor(server.access())
    denied = {"code": 0, "message": "x", "data": {"name": "odoo.exceptions.AccessDenied", "message": "Access Denied"}}
    door.search_read("ir.cron", [], ["priority"])
    server.canned.append(Canned(body=json.dumps({"jsonrpc": "2.0", "id": 1, "error": denied}).encode()))
    with pytest.raises(SourceDown, match="refused the API key"):
        door.search_read("ir.cron", [], ["priority"])
    assert door.search_read("ir.cron", [], ["priority"])


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"url": "odoo.example.com"}, "must begin with http"),
        ({"url": "https://user:pw@odoo.example.com"}, "must not hold a user"),
        ({"url": "https://odoo.example.com/web/login"}, "remove its path"),
        ({"url": "http://[::1"}, "cannot be read"),
        ({"url": "http://h:99999"}, "cannot be read"),
        ({"database": "", "user": ""}, "database is empty"),
        ({"key": Secret("")}, "API key is empty"),
        ({"timeout": 0.0}, "above 0"),
    ],
)
def test_a_wrong_access_says_what_to_change(wrong: dict[str, object], fault: str) -> None:
    """Every fault of the settings in one go, without the key."""
    right: dict[str, object] = {"url": "https://odoo.example.com", "database": "d", "user": "u", "key": Secret(KEY)}
    with pytest.raises(ConfigError, match=fault):
        Access(**(right | wrong))  # type: ignore[arg-type]


def test_no_writing_call_exists_in_the_code() -> None:
    """Every method the Odoo room calls is in READS, and READS holds no method that writes (feature 2, read-only)."""
    code = "\n".join(path.read_text() for path in (ROOT / "exporter/sources/odoo").glob("*.py"))
    called = set(re.findall(r'\._?call\(\s*[^,()]+,\s*"(\w+)"', code)) | {"search_read"}
    assert called == READS - {"context_get"}
    assert not READS & {"write", "create", "unlink", "copy", "action_archive", "message_post", "load", "web_save"}
    assert len(re.findall(r"\.execute(_kw)?\(", code)) == 1
    assert len(re.findall(r"_http\.(request|post|get|put)\(", code)) == 1
    assert not re.findall(r"\.(env|browse|save|unlink)\b\(", code)


def test_a_write_is_refused_before_it_is_sent(server: OdooServer) -> None:
    """Whoever calls it: nothing reaches the server."""
    for make in DOORS.values():
        with pytest.raises(BadRecord, match="never writes"):
            make(server.access()).call("ir.cron", "write", ids=[1], vals={"active": False})
    assert server.requests == []


def test_requests_is_kept_from_netrc(server: OdooServer) -> None:
    """trust_env is off: neither ~/.netrc nor proxies change what is sent."""
    door = Json2Door(server.access())
    assert isinstance(door._http, requests.Session)
    assert door._http.trust_env is False
