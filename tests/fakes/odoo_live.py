"""The fake Odoo while somebody works in it: changed and read by several threads, and made to fail like a real one."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any

from exporter.sources.odoo.door import JSON
from tests.fakes.odoo import FakeOdoo
from tests.fakes.odoo_http import KEY, Canned, OdooServer, _handler
from tests.fakes.odoo_lab import JOB_FAILED, lab, tracked

Trouble = Callable[[str, Callable[[], Canned]], Canned]
"""(path, the real answer) -> the answer to give."""


@dataclass
class LiveOdoo(FakeOdoo):
    """A FakeOdoo with a lock: what is done inside `transaction` shows at once."""

    lock: threading.RLock = field(default_factory=threading.RLock)

    def execute(self, model: str, method: str, named: Mapping[str, Any]) -> JSON:
        """One call at a time."""
        with self.lock:
            return super().execute(model, method, named)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Nobody reads while this lasts."""
        with self.lock:
            yield


class RunningOdoo(LiveOdoo):
    """Its clock runs; setting `now` sets it, `step` moves it."""

    @property
    def now(self) -> datetime:  # type: ignore[override]
        """The time on the server."""
        return datetime.now(UTC) + self._skew

    @now.setter
    def now(self, to: datetime) -> None:
        self._skew = to - datetime.now(UTC)


def live_lab(*, running: bool = True) -> LiveOdoo:
    """The names every poll looks up; the server's clock runs, or stands (at a whole second) until moved."""
    plain = lab()
    odoo = (RunningOdoo if running else LiveOdoo)(now=datetime.now(UTC).replace(microsecond=0))
    odoo.tables, odoo.sequences, odoo.xmlids = plain.tables, plain.sequences, plain.xmlids
    odoo.selections = plain.selections
    return odoo


class LiveServer(OdooServer):
    """Serves it; `away` and `back` stop listening and listen again on the same port.

    Attributes:
        trouble: may change what is answered.
        letting_go: set: who hangs may go.
        asked: (monotonic time, path) of every request.
    """

    def __init__(self, odoo: FakeOdoo, version: tuple[int, int] = (19, 0)) -> None:
        super().__init__(odoo, version)
        self.trouble: Trouble | None = None
        self.letting_go = threading.Event()
        self.asked: list[tuple[float, str]] = []
        self.port = self._http.server_port
        self._http.handle_error = _no_news  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        """Let go of whoever hangs, then stop."""
        self.letting_go.set()
        super().__exit__()

    def answer(self, path: str, headers: dict[str, str], body: Any) -> Canned:
        """The real answer, or what `trouble` makes of it."""
        self.asked.append((time.monotonic(), path))
        trouble = self.trouble
        real = partial(super().answer, path, headers, body)
        return trouble(path, real) if trouble else real()

    def hang(self, _path: str, _real: Callable[[], Canned]) -> Canned:
        """A trouble: no answer until `letting_go` is set."""
        self.letting_go.wait(60)
        return Canned(status=500)

    def away(self) -> None:
        """Connections are refused from now on."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def back(self) -> None:
        """Listen again."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._http.handle_error = _no_news  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def entry(self, name: str, **settings: object) -> dict[str, object]:
        """Its entry in the configuration of the exporter."""
        url = f"http://127.0.0.1:{self.port}"
        found = {"name": name, "url": url, "database": "lab", "user": "monitor", "api_key": KEY, "poll_seconds": 1}
        return {**found, **settings}


class AtOnce:
    """A trouble that changes nothing but the time an answer takes: how many requests are open at once at most."""

    def __init__(self) -> None:
        self.lock, self.open, self.most = threading.Lock(), 0, 0

    def __call__(self, _path: str, real: Callable[[], Canned]) -> Canned:
        """The real answer, a little later, so that two at once would meet."""
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        time.sleep(0.005)
        try:
            return real()
        finally:
            with self.lock:
                self.open -= 1


def _no_news(*_: object) -> None:
    """A client that was killed is no news."""


def cron(odoo: FakeOdoo, name: str, **values: object) -> int:
    """A scheduled action that never ran."""
    one = odoo.insert("ir.cron", cron_name=name, nextcall=odoo.now + timedelta(hours=1), **values)
    odoo.xmlids["ir.cron", one] = f"lab.cron_{one}"
    return one


def ran(odoo: FakeOdoo, one: int, *, seconds: float = 2, failed: bool = False) -> None:
    """A run of a scheduled action that ends now: its progress row, then ir.cron (by raw SQL, as Odoo does)."""
    start = odoo.now - timedelta(seconds=seconds)
    stamps = {"create_date": start, "write_date": odoo.now}
    odoo.insert("ir.cron.progress", cron_id=one, done=3, **stamps)
    failures = int(odoo.tables["ir.cron"][one]["failure_count"]) + 1 if failed else 0
    odoo.raw("ir.cron", one, lastcall=start, nextcall=odoo.now + timedelta(hours=1), failure_count=failures)


def job(odoo: FakeOdoo, **values: object) -> int:
    """A queue job that was just made."""
    number = odoo.sequences["queue.job"] + 1
    given = {"uuid": f"uuid-{number}", "name": "Send", "channel": "root.mail", "date_created": odoo.now}
    return odoo.insert("queue.job", **given | {"channel_method_name": "<res.partner>.send"} | values)


def started(odoo: FakeOdoo, one: int) -> None:
    """The job runs now."""
    odoo.write("queue.job", one, state="started", date_enqueued=odoo.now, date_started=odoo.now)


def done(odoo: FakeOdoo, one: int, seconds: float = 1.25) -> None:
    """The job has ended well: so many seconds after its start, which is now if nobody started it."""
    given = odoo.tables["queue.job"][one]["date_started"] or odoo.now
    stamps = {"date_enqueued": given, "date_started": given, "date_done": odoo.now, "exec_time": seconds}
    odoo.write("queue.job", one, state="done", **stamps)


def failed(odoo: FakeOdoo, one: int, message: str = "No address.", name: str = "odoo.exceptions.UserError") -> None:
    """The job has failed for good, now, and its message says so."""
    given = odoo.tables["queue.job"][one]["date_started"] or odoo.now
    odoo.write("queue.job", one, state="failed", date_started=given, retry=1, exc_name=name, exc_message=message)
    odoo.insert("mail.message", model="queue.job", res_id=one, date=odoo.now, subtype_id=JOB_FAILED)


def order(odoo: FakeOdoo) -> int:
    """A purchase that was just made."""
    one = odoo.insert("purchase.order")
    odoo.raw("purchase.order", one, name=f"P{one:05}")
    return one


def submitted(odoo: FakeOdoo, one: int) -> int:
    """Somebody asks for its approval; the id of the review."""
    odoo.write("purchase.order", one, state="to approve")
    tracked(odoo, one, "RFQ", "To Approve")
    return odoo.insert("tier.review", res_id=one)


def approved(odoo: FakeOdoo, one: int, review: int) -> None:
    """Somebody approves it."""
    odoo.write("tier.review", review, status="approved", done_by=6, reviewed_date=odoo.now)
    odoo.write("purchase.order", one, state="purchase", date_approve=odoo.now)
    tracked(odoo, one, "To Approve", "Purchase Order")


def confirmed(odoo: FakeOdoo, one: int) -> None:
    """Somebody confirms it, and no approval is needed."""
    odoo.write("purchase.order", one, state="purchase", date_approve=odoo.now)
    tracked(odoo, one, "RFQ", "Purchase Order")


def native(odoo: FakeOdoo, one: int, action: str = "Tell OpenTelemetry(#561)") -> dict[str, object]:
    """What Odoo's own webhook says of an order as it is now, with the fields that are advised."""
    row = odoo.tables["purchase.order"][one]
    written = str(row["write_date"].replace(tzinfo=None))
    chosen = {"id": one, "name": row["name"], "state": row["state"], "write_date": written}
    return {"_action": action, "_id": one, "_model": "purchase.order", **chosen}
