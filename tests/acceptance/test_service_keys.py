"""An API key is changed under the running process: the old one is refused, the new one is read from its file."""

from pathlib import Path

from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_http import KEY
from tests.fakes.odoo_live import LiveServer, live_lab

NEW = "canary-api-key-after-the-rotation"


def test_another_key_in_the_file_is_taken_without_a_restart(tmp_path: Path) -> None:
    """Refused, all of Odoo is dark at once; a new key in the file is in use seconds later (features 63, 64)."""
    written = tmp_path / "odoo.key"
    with LiveServer(live_lab()) as server:
        written.write_text(server.key)
        entry = server.entry("acme", api_key="${file:odoo.key}")
        with Exporter(tmp_path, [entry]) as exporter:
            until(lambda: exporter.reads("acme"))
            server.key = NEW
            until(lambda: not exporter.reads("acme"), what="the refusal")
            until(lambda: {report.ok for report in exporter.reports("acme").values()} == {False}, 5, "all of it dark")
            written.write_text(NEW)
            until(lambda: exporter.reads("acme"), what="the new key")
            assert not any(key in line for line in exporter.lines for key in (NEW, KEY))
