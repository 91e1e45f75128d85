"""n8n 2.41: a database of its own, an owner made by the environment, workflows from files, keys over its own API."""

import http.cookiejar
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.stack.installs import n8n as installs
from tests.stack.servers.process import HOST, Launch, Server, ServerError, answers, free_port, tail

EMAIL, PASSWORD = "owner@lab.example", "Lab-owner-0123456789"
READ = ("execution:read", "execution:list", "workflow:read", "workflow:list")
DRIVE = (*READ, "execution:retry", "execution:stop", "workflow:activate")
# Nothing is asked of anybody's servers: no telemetry, no news, no templates, no licence.
SILENT = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "EXTERNAL_FRONTEND_HOOKS_URLS": "",
}
HASH = "process.stdout.write(require('bcryptjs').hashSync(process.argv[1], 10))"


class N8n(Server):
    """An n8n with the workflows of a folder; `settings` are more of its environment."""

    name = "n8n"
    start_within = 180.0
    stop_within = 30.0

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self.port, self.broker = free_port(), free_port()
        self._settings = dict(settings or {})
        self._cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What it is told."""
        return {
            **SILENT,
            "PATH": f"{installs.node().parent}:{os.environ['PATH']}",
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_LISTEN_ADDRESS": HOST,
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(self.broker),
            "N8N_RUNNERS_BROKER_LISTEN_ADDRESS": HOST,
            "N8N_SECURE_COOKIE": "false",
            "GENERIC_TIMEZONE": "UTC",
            "N8N_INSTANCE_OWNER_MANAGED_BY_ENV": "true",
            "N8N_INSTANCE_OWNER_EMAIL": EMAIL,
            "N8N_INSTANCE_OWNER_FIRST_NAME": "Lab",
            "N8N_INSTANCE_OWNER_LAST_NAME": "Owner",
            "N8N_INSTANCE_OWNER_PASSWORD_HASH": self._hash(),
            **self._settings,
        }

    def launch(self) -> Launch:
        """The main process alone, on SQLite."""
        return Launch(command=(installs.node(), installs.program(), "start"), env=self.environment, cwd=self.folder)

    def ready(self) -> bool:
        """Whether it says so."""
        return answers(self.port, "/healthz/readiness")

    def take(self, workflows: Path, instead: Mapping[str, str]) -> None:
        """Import every workflow of a folder, some words of them replaced; n8n must not run."""
        copies = self.folder / "workflows"
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        for file in sorted(workflows.glob("*.json")):
            text = file.read_text()
            for old, new in instead.items():
                text = text.replace(old, new)
            (copies / file.name).write_text(text)
        command = [installs.node(), installs.program(), "import:workflow", "--separate", f"--input={copies}"]
        with self.log.open("ab") as output:
            done = subprocess.run(
                [str(word) for word in command],
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise ServerError(f"the import of workflows failed\n{tail(self.log)}")

    def login(self) -> None:
        """As the owner, with a cookie."""
        self._own("/rest/login", {"emailOrLdapLoginId": EMAIL, "password": PASSWORD})

    def key(self, label: str, scopes: Sequence[str]) -> str:
        """A new API key that may do so much."""
        found = self._own("/rest/api-keys", {"label": label, "expiresAt": None, "scopes": list(scopes)})
        return str(found["data"]["rawApiKey"])

    def api(self, key: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A call of the public API; with a body a POST."""
        return _answer(urllib.request.build_opener(), self._request(f"/api/v1{path}", body, {"X-N8N-API-KEY": key}))

    def call(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> int:
        """Call a webhook of a workflow; the status."""
        request = self._request(path, body, dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - a server of the test's own
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except OSError:
            return 0  # it was killed meanwhile

    def _own(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _answer(self._cookies, self._request(path, body, {"browser-id": "odoo-otel-lab"}))

    def _request(self, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.Request(  # noqa: S310 - a server of the test's own
            self.url + path, data=data, headers={"Content-Type": "application/json", **headers}
        )

    def _hash(self) -> str:
        command = [str(installs.node()), "-e", HASH, PASSWORD]
        app = installs.program().parents[1]
        return subprocess.run(command, cwd=app, capture_output=True, text=True, check=True).stdout


def _answer(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> dict[str, Any]:
    with opener.open(request, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read() or b"{}")
        return found
