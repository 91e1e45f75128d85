"""An n8n 2.41 in memory, from executions that a real one showed (tests/data/n8n), in process and behind a socket.

It lists, pages, filters, redacts and refuses as facts/n8n.md section 3 says; what happens in it, happens by `put`.
"""

import base64
import copy
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from exporter.domain.redact import Secret
from exporter.errors import SourceDown, SourceRefused
from exporter.sources.answers import Overdue
from exporter.sources.n8n.door import N8nAccess, TooMuch, Unsupported, decode
from exporter.sources.n8n.rows import Detail, Page
from tests.fakes.odoo_http import Canned, _json

KEY = "canary-n8n-key-0123456789"
DATA = Path(__file__).parents[1] / "data" / "n8n"
LISTED = ("id", "finished", "mode", "retryOf", "retrySuccessId", "status")
LISTED += ("startedAt", "stoppedAt", "workflowId", "waitTill")
STATES = frozenset({"canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting"})
HIDDEN = frozenset({"new", "running"})  # from the list that asks for no state
T1 = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)  # later than every sample
REDACTION = {"redacted": True, "reason": "user_requested"}
Row = dict[str, Any]
Trouble = Callable[[str, Callable[[], Canned]], Canned]
"""(path, the real answer) -> the answer to give."""


@cache
def _sample(name: str) -> str:
    return (DATA / f"{name}.json").read_text(encoding="utf-8")


def sample(name: str) -> Row:
    """A recorded execution, unredacted."""
    found: Row = json.loads(_sample(name))
    return found


@dataclass
class FakeN8n:
    """Executions by id.

    Attributes:
        now: n8n's clock.
        cap: rows it puts on one page, however many are asked for.
        states: those that its API lists by name; others are a 400.
        outdated: a cursor that it does not take any more: a 400.
        asked: every path with its query.
    """

    now: datetime = T1
    cap: int = 250
    states: frozenset[str] = STATES
    outdated: str = "-"
    rows: dict[int, Row] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, name: str, number: int | None = None, *, at: datetime | None = None, **about: object) -> Row:
        """Show a sample, perhaps under another id, begun at another time, with other fields."""
        row = sample(name)
        if at is not None:
            row = shifted(row, at - when(row["startedAt"]))
        row |= {"id": row["id"] if number is None else str(number), **about}
        with self.lock:
            self.rows[int(row["id"])] = row
        return row

    def drop(self, number: int) -> None:
        """Delete an execution."""
        with self.lock:
            del self.rows[number]

    def listing(self, status: str = "", cursor: str = "", limit: int = 100) -> Row | None:
        """One page, newest first; None for a state nobody knows."""
        self.asked.append(f"list {status}")
        if (status and status not in self.states) or cursor == self.outdated:
            return None
        last = json.loads(base64.b64decode(cursor))["lastId"] if cursor else None
        with self.lock:
            found = [
                row
                for number, row in sorted(self.rows.items(), reverse=True)
                if (row["status"] == status if status else row["status"] not in HIDDEN)
                and (last is None or number < int(last))
            ]
        page = found[: min(limit, self.cap)]
        more = len(found) > len(page)
        point = (
            base64.b64encode(json.dumps({"lastId": page[-1]["id"], "limit": limit}).encode()).decode() if more else None
        )
        return {"data": [{key: row.get(key) for key in LISTED} for row in page], "nextCursor": point}

    def one(self, number: int, *, data: bool, redacted: bool) -> Row | None:
        """One execution; None where there is none."""
        self.asked.append(f"one {number}{' whole' if data and not redacted else ''}")
        with self.lock:
            row = copy.deepcopy(self.rows.get(number))
        if row is None or not data:
            return {k: v for k, v in row.items() if k not in {"data", "customData", "workflowData"}} if row else None
        return redact(row) if redacted else row


def when(text: str) -> datetime:
    """n8n's times."""
    return datetime.fromisoformat(text)


def iso(at: datetime) -> str:
    """As n8n writes them."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shifted(row: Row, by: timedelta) -> Row:
    """The same execution at another time."""
    row = copy.deepcopy(row)
    for key in ("createdAt", "startedAt", "stoppedAt", "waitTill"):
        if row.get(key) and not row[key].startswith("3000"):
            row[key] = iso(when(row[key]) + by)
    for runs in row.get("data", {}).get("resultData", {}).get("runData", {}).values():
        for run in runs:
            unit = timedelta(milliseconds=1) if run["startTime"] > 1e11 else timedelta(seconds=1)
            run["startTime"] += by // unit
    return row


def redact(row: Row) -> Row:
    """As `redactExecutionData=true` does: items empty, errors without words; custom data and tokens stay."""
    result = row["data"]["resultData"]
    for run in [run for runs in result["runData"].values() for run in runs]:
        _without_words(run)
        for output in run.get("data", {}).get("main", []):
            for item in output or []:
                item.update({"json": {}, "redaction": REDACTION})
    _without_words(result)
    row["data"]["redactionInfo"] = {"isRedacted": True, "reason": "user_requested", "canReveal": True}
    return row


def _without_words(of: Row) -> None:
    error = of.pop("error", None)
    if error is not None:
        of["redactedError"] = {"type": error["name"]} | ({"httpCode": c} if (c := error.get("httpCode")) else {})


@dataclass
class FakeN8nDoor:
    """The door, without a socket.

    Attributes:
        broken: ids on whose data n8n fails.
        slow: ids whose data does not come in time.
        closed: nothing unredacted is shown.
        refusing: the key may list and not read.
        down: it lists nothing.
    """

    n8n: FakeN8n
    broken: set[int] = field(default_factory=set)
    slow: set[int] = field(default_factory=set)
    closed: bool = False
    refusing: bool = False
    down: bool = False

    def executions(self, status: str = "", cursor: str = "") -> Page:
        """See N8nDoor."""
        if self.down:
            raise SourceDown("no answer")
        found = self.n8n.listing(status, cursor, 250)
        if found is None:
            raise Unsupported("400")
        return _as(found, Page)

    def execution(self, number: int, *, whole: bool = False, data: bool = True) -> Detail | None:
        """See N8nDoor."""
        if self.refusing:
            raise SourceRefused("403")
        if data and number in self.broken:
            raise TooMuch("500")
        if data and number in self.slow:
            raise Overdue("not in time")
        if whole and self.closed:
            raise SourceDown("403")
        found = self.n8n.one(number, data=data, redacted=not whole)
        return None if found is None else _as(found, Detail)

    def workflows(self) -> Mapping[str, str]:
        """See N8nDoor."""
        self.n8n.asked.append("workflows")
        return {one["id"]: one["name"] for one in sample("workflows")["data"]}

    def server_time(self) -> datetime:
        """See N8nDoor."""
        return self.n8n.now


def _as(found: Row, wanted: Any) -> Any:
    return decode(json.dumps(found).encode(), wanted)


class N8nServer:
    """`with N8nServer(n8n) as server:` serves on a free port of 127.0.0.1; its clock runs where `running`.

    Attributes:
        requests: (method, path, headers) of every request.
        trouble: may change what is answered; `letting_go`: set: who hangs may go.
    """

    def __init__(self, n8n: FakeN8n, *, running: bool = False) -> None:
        self.n8n = n8n
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.trouble: Trouble | None = None
        self.letting_go = threading.Event()
        self._began = time.monotonic() if running else None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.handle_error = _no_news  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of whoever hangs, then stop."""
        self.letting_go.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def access(self, key: str = KEY, timeout: float = 5.0) -> N8nAccess:
        """How to reach it."""
        return N8nAccess(url=self.url, key=Secret(key), timeout=timeout)

    def entry(self, **about: object) -> dict[str, object]:
        """Its part of a database's entry in the configuration."""
        return {"url": self.url, "api_key": KEY, **about}

    def clock(self) -> datetime:
        """What its answers carry."""
        return self.n8n.now if self._began is None else datetime.now(UTC)

    def hang(self, _path: str, _real: Callable[[], Canned]) -> Canned:
        """A trouble: no answer until `letting_go` is set."""
        self.letting_go.wait(60)
        return Canned(status=500)

    def answer(self, target: str, headers: Mapping[str, str]) -> Canned:
        """One request -> one answer."""
        path = urlsplit(target).path
        given = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        if headers.get("X-N8N-API-KEY") != KEY:
            return _json(401, {"message": "unauthorized"})
        real = partial(self._real, path, given)
        return self.trouble(target, real) if self.trouble else real()

    def _real(self, path: str, given: Mapping[str, str]) -> Canned:
        if path == "/api/v1/executions":
            found = self.n8n.listing(given.get("status", ""), given.get("cursor", ""), int(given.get("limit", "100")))
            return _json(200, found) if found else _json(400, {"message": "request/query/status must be equal to ..."})
        if path == "/api/v1/workflows":
            return _json(200, sample("workflows"))
        number = path.removeprefix("/api/v1/executions/")
        if number.isdecimal():
            data, redacted = given.get("includeData") == "true", given.get("redactExecutionData") == "true"
            one = self.n8n.one(int(number), data=data, redacted=redacted)
            return _json(200, one) if one else _json(404, {"message": "Not Found"})
        return _json(404, {"message": "not found"})


def _handler(server: N8nServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            headers = dict(self.headers)
            server.requests.append((self.command, self.path, headers))
            found = server.answer(self.path, headers)
            self.send_response_only(found.status)
            self.send_header("Date", format_datetime(server.clock().replace(microsecond=0), usegmt=True))
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(found.body)))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _no_news(*_: object) -> None:
    """A client that was killed is no news."""
