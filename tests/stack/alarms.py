"""What the tests of alerts share: the person who is notified, and the shipped files at a test's pace."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.stack.lab import Lab, company
from tests.stack.servers.alertmanager import Alertmanager
from tests.stack.servers.process import HOST

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
HISTORY = """
INSERT INTO ir_cron_progress (cron_id, done, remaining, timed_out_counter, create_date, write_date)
SELECT :'cron'::int, 0, 0, 0, began, began + (2 + 2 * (n % 21) / 20.0) * interval '1 second'
FROM (SELECT n, now() at time zone 'utc' - interval '3 days' + n * interval '40 minutes' AS began
      FROM generate_series(1, 100) n) runs
"""
Notification = dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """The person: keeps every notification that Alertmanager posts."""

    notes: list[Notification] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    def start(self) -> str:
        """Listen; the address to post to."""
        notes = self.notes

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                note = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                notes.append(note | {"received": time.time()})
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Post)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://{HOST}:{self.server.server_port}/"

    def said(self, alert: str, status: str, subject: str | None = None) -> list[Notification]:
        """Notifications of an alert in a status, of one subject if given."""
        return [
            note
            for note in list(self.notes)
            if note["groupLabels"]["alertname"] == alert
            and note["status"] == status
            and subject in {None, note["groupLabels"].get("subject")}
        ]


def templates(folder: Path) -> Path:
    """A fresh folder with the shipped texts."""
    folder.mkdir()
    (folder / "odoo-otel.tmpl").write_text((DASHBOARDS / "alertmanager/odoo-otel.tmpl").read_text())
    return folder


def notifying(webhook: Path, wait: str = "1s") -> str:
    """The shipped file, with this test's receiver and a shorter wait."""
    text = (DASHBOARDS / "alertmanager/alertmanager.yml").read_text()
    for shipped, here in (
        ("/run/secrets/alert_webhook_url", str(webhook)),
        ("group_wait: 15s", f"group_wait: {wait}"),
        ("group_interval: 5m", "group_interval: 2s"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    return text


def rules(folder: Path) -> Path:
    """A fresh folder with the shipped rules."""
    folder.mkdir()
    (folder / "odoo-otel.rules.yml").write_text((DASHBOARDS / "prometheus/odoo-otel.rules.yml").read_text())
    return folder


def alerting(alertmanager: Alertmanager, every: str = "1s") -> str:
    """The shipped file, evaluated more often and sending to this test's Alertmanager."""
    text = (DASHBOARDS / "prometheus/prometheus.yml").read_text()
    for shipped, here in (
        ("alertmanager:9093", f"{HOST}:{alertmanager.port}"),
        ("evaluation_interval: 15s", f"evaluation_interval: {every}"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    return text


def rewrite(lab: Lab, name: str, code: str) -> None:
    """Another body for an action."""
    lab.call("admin", "ir.cron", "write", ids=[company().crons[name]], vals={"code": code})
