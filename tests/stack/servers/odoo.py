"""Odoo 19: a threaded server with scheduled actions and the queue_job runner, and its JSON-2 door."""

import signal
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.stack.servers.odoo_program import OdooOptions, OdooProgram
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.process import HOST, Launch, Server, free_port, wait_until

TIMEOUT = 120
PEOPLE = "127.0.0.2"  # where the fixture company calls from: its calls in Odoo's access log are not ours
RUNNER = """
    SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND datname = :'db' AND application_name = :'application'
"""
LISTENING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = 'postgres' AND application_name = :'application' AND state = 'idle' AND query = 'COMMIT'
"""


class Json2Error(Exception):
    """Odoo answered a JSON-2 call with something else than 200."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        """Keep the status and the body Odoo sent (`name`, `message`, `debug`)."""
        super().__init__(f"{status} {body.get('name')}: {body.get('message')}")
        self.status = status
        self.body = body


class FromPeople(HTTPAdapter):
    """Connections from the address of the fixture company's people."""

    def init_poolmanager(self, *places: Any, **options: Any) -> None:
        """As always, but for where they come from."""
        super().init_poolmanager(*places, source_address=(PEOPLE, 0), **options)  # type: ignore[no-untyped-call]


class Odoo(Server):
    """An Odoo server on one database of `postgres`; the database exists already."""

    name = "odoo"
    start_within = 120.0
    stop_within = 10.0
    stop_signal = signal.SIGTERM

    def __init__(self, postgres: Postgres, folder: Path, db: str, options: OdooOptions | None = None) -> None:
        """Keep configuration, log and attachments under `folder`."""
        super().__init__(folder)
        self.postgres = postgres
        self.db = db
        self.port = free_port()
        self.program = OdooProgram(
            folder=folder,
            postgres_port=postgres.port,
            db=db,
            http_port=self.port,
            gevent_port=free_port(),
            options=options or OdooOptions(),
        )

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://{HOST}:{self.port}"

    def launch(self) -> Launch:
        """The threaded server."""
        return self.program.launch("server")

    def ready(self) -> bool:
        """Whether the database answers (401 without a key) and the scheduler's threads listen for being woken."""
        try:
            answer = requests.post(f"{self.url}/json/2/res.users/context_get", json={}, timeout=TIMEOUT)
        except requests.ConnectionError:
            return False
        return answer.status_code == requests.codes.unauthorized and self._listening()

    def shell(self, code: str) -> str:
        """Run `code` in `odoo shell` with `env` (superuser), commit, and return what the code printed."""
        return self.program.shell(code)

    def json2(self, model: str, method: str, key: str, /, **arguments: Any) -> Any:
        """Call a public method over JSON-2 with an API key; anything but 200 raises `Json2Error`."""
        headers = {"Authorization": f"bearer {key}", "X-Odoo-Database": self.db}
        with requests.Session() as http:
            http.mount("http://", FromPeople())
            answer = http.post(f"{self.url}/json/2/{model}/{method}", json=arguments, headers=headers, timeout=TIMEOUT)
        if answer.status_code != requests.codes.ok:
            raise Json2Error(answer.status_code, answer.json())
        return answer.json()

    def wait_for_queue(self, within: float = 30) -> None:
        """Wait until the queue_job runner of this start works; it sleeps 5 s first."""
        wait_until(lambda: self._sql(RUNNER), "queue_job runner", within=within)

    def _listening(self) -> bool:
        """A notification sent before the threads listen is lost, and the action then waits a whole minute."""
        return len(self._sql(LISTENING)) >= self.program.options.cron_threads

    def _sql(self, statement: str) -> list[dict[str, str]]:
        return self.postgres.sql("postgres", statement, application=f"odoo-{self.pid}", db=self.db)
