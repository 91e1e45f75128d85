"""R17: what the service connects to is what it was configured for, whatever it is told of elsewhere."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from exporter.tokens import LOGS
from tests.acceptance.test_intake import intake
from tests.acceptance.test_odoo_log import CRON, stamp
from tests.fakes import odoo_live as live
from tests.fakes.addresses import asked, watched
from tests.fakes.collector import FakeCollector, ok, redirect
from tests.fakes.exporter import ROOT, Exporter, until
from tests.fakes.n8n import FakeN8n, N8nServer, sample, when
from tests.fakes.odoo_http import Canned
from tests.fakes.odoo_live import LiveServer, live_lab
from tests.fakes.trap import Trap, trap

TOKEN = "c4n4ry-token-0123456789abcdef"
NAMED = "http://c4n4ry.invalid:8080/x"  # it would be looked up
HOOKS = {name: {"scheme": "token", "secrets": TOKEN} for name in ("alertmanager", "hookdeck", "n8n", "odoo")}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass
class Stage:
    """What takes part; `far` are addresses that nobody configured."""

    odoo: LiveServer
    n8n: N8nServer
    collector: FakeCollector
    exporter: Exporter
    trap: Trap

    @property
    def far(self) -> str:
        """An address where somebody listens, and one by name."""
        return f"{self.trap.url}/x?u={NAMED} {NAMED}"

    def hook(self, name: str, body: object) -> None:
        """A webhook; every header that ever led a server somewhere says where to."""
        leading = ("Referer", "Origin", "Link", "X-Forwarded-Host", "X-Original-URL", "Location", "Callback")
        url = f"{intake(self.exporter)}/hooks/{name}/{TOKEN}"
        assert requests.post(url, json=body, headers=dict.fromkeys(leading, NAMED), timeout=10).status_code == 202


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """The service, at first redirected by everything it calls, then at work."""
    with (
        trap() as elsewhere,
        LiveServer(live_lab()) as odoo,
        N8nServer(FakeN8n(), running=True) as n8n,
        FakeCollector(default=redirect(elsewhere.url, 307)) as collector,
    ):
        away = Canned(status=307, headers={"Location": f"{elsewhere.url}/x"})
        odoo.trouble = n8n.trouble = lambda _path, _real: away
        entry = odoo.entry("acme", hooks=HOOKS, odoo_log=True, poll_seconds=1, n8n=n8n.entry())
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "no_proxy"), "")
        environ = watched(folder) | proxies
        with Exporter(folder / "service", [entry], endpoint=collector.url, environ=environ) as exporter:
            until(lambda: odoo.asked, what="redirected polls of Odoo")
            odoo.trouble = None
            until(lambda: n8n.requests, what="a redirected poll of n8n")
            n8n.trouble = None
            until(lambda: exporter.value("odoo_source_success", source="n8n/executions") == 1, 60, "a poll of n8n")
            until(lambda: exporter.reads("acme"), 60, "polls of Odoo")
            yield Stage(odoo, n8n, collector, exporter, elsewhere)


def test_only_what_is_configured_is_called(tmp_path: Path) -> None:
    """Payloads, rows of Odoo and n8n, log lines full of addresses, and redirects everywhere: nobody else is called."""
    with staged(tmp_path) as stage:
        _odoo(stage)
        _n8n(stage)
        _hooks(stage)
        _log(stage)
        until(lambda: stage.collector.requests, what="a redirected export")
        stage.collector.default = ok()
        told = ("POST /hooks/alertmanager", "POST /hooks/hookdeck", "n8n Order sync", "process root.mail")
        names = lambda: {span.name for span in stage.collector.spans()}  # noqa: E731 - asked again and again
        until(lambda: set(told) <= names(), 60, "all told")
        until(lambda: stage.exporter.settled("acme"), 60, "all sent")
        stage.exporter.stop()
        assert stage.trap.seen == []
        configured = {stage.odoo.port, *(urlsplit(one.url).port for one in (stage.n8n, stage.collector))}
    found = asked(tmp_path)
    assert {host for host, _ in found} <= LOOPBACK
    assert {port for _, port in found} - {0} == configured


def _odoo(stage: Stage) -> None:
    odoo = stage.odoo.odoo
    live.failed(odoo, live.job(odoo, name=f"Send to {stage.far}"), message=f"Ask {stage.far}", name=NAMED)
    with odoo.transaction():
        order = live.order(odoo)
        odoo.raw("purchase.order", order, name=NAMED)
        stage.hook("odoo", live.native(odoo, order, action=f"Tell {stage.far}(#561)") | {"website_url": stage.far})


def _n8n(stage: Stage) -> None:
    row = sample("error401")

    def leading(value: Any) -> Any:
        """Where something is called, or said in words."""
        if isinstance(value, dict):
            said = {"message", "description", "httpCode", "url", "resumeUrl", "odoo_ref"}
            return {key: stage.far if key in said else leading(one) for key, one in value.items()}
        if isinstance(value, list):
            return [leading(one) for one in value]
        return stage.far if isinstance(value, str) and value.startswith("http") else value

    took = when(row["stoppedAt"]) - when(row["startedAt"])
    with stage.n8n.n8n.lock:
        put = stage.n8n.n8n.put("error401", 5, at=datetime.now(UTC) - took, customData={"odoo_ref": NAMED})
        stage.n8n.n8n.rows[5].update(leading(put))


def _hooks(stage: Stage) -> None:
    alert = {"status": "resolved", "fingerprint": NAMED, "generatorURL": stage.far, "labels": {"alertname": NAMED}}
    alert |= {"startsAt": "2026-11-25T10:00:00Z", "endsAt": "2026-11-25T10:05:00Z", "annotations": {"$ref": stage.far}}
    stage.hook("alertmanager", {"externalURL": stage.far, "@context": stage.far, "version": "4", "alerts": [alert]})
    event = {"id": NAMED, "status": "FAILED", "error_code": NAMED, "webhook_id": stage.far}
    stage.hook("hookdeck", {"topic": "event.failed", "callback": stage.far, "event": event})
    stage.hook("n8n", {"execution": {"id": "5", "url": stage.far}, "workflow": {"id": NAMED}})


def _log(stage: Stage) -> None:
    now = stamp(datetime.now(UTC))
    actions = "odoo.addons.base.models.ir_actions"
    lines = [
        f"{now} 7 DEBUG acme {actions}: Webhook call to {stage.far}",
        f"{now} 7 WARNING acme {actions}: Webhook call failed: 500 Server Error for url: {stage.far}",
        f"{now} 7 INFO acme {CRON}: Job '{NAMED}' (7) starting",
    ]
    records = [{"body": {"stringValue": line}} for line in lines]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    head = {"Authorization": f"Bearer {stage.exporter.token(LOGS)}"}
    answer = requests.post(f"{intake(stage.exporter)}/v1/logs", json=body, headers=head, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {})


def test_what_is_called_is_seen(tmp_path: Path) -> None:
    """Negative control: connections and names, by whatever library, also of a child."""
    calls = "import socket, urllib.request\ntry: urllib.request.urlopen('http://127.0.0.1:9/')\nexcept OSError: pass\n"
    calls += "try: socket.create_connection(('c4n4ry.invalid', 80))\nexcept OSError: pass\n"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {calls!r}], check=True)"
    subprocess.run([sys.executable, "-c", parent], cwd=ROOT, env=os.environ | watched(tmp_path), check=True)
    assert asked(tmp_path) == {("127.0.0.1", 9), ("c4n4ry.invalid", 0)}
