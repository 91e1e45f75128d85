"""The README's own commands, run as a stranger would: shorter, in a folder of their own, on a free port."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.odoo_http import KEY
from tests.fakes.odoo_live import LiveServer, live_lab

ROOT = Path(__file__).parents[2]
MARK = "<!-- run by tests/acceptance/test_readme.py -->"
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(re.escape(MARK) + r"\n```sh\n(.*?)```", README, re.DOTALL)
NOT_RUN = "<!-- not run by the test that it would start -->"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A state folder of the test's own, a port that is free, nothing sent anywhere."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ODOO_", "MAKE"))}
    state = str(tmp_path_factory.mktemp("readme") / "state")
    return own | {"STATE": state, "ODOO_OTEL_STATE": state, "PORT": "0", "DAYS": "2"}


@pytest.fixture(scope="module")
def demo(environ: dict[str, str]) -> str:
    """What the README's first command prints, in 8 seconds instead of 45."""
    return run(BLOCKS[0].replace("SECONDS=45", "SECONDS=8"), environ)


def run(script: str, environ: dict[str, str]) -> str:
    """Run a block of shell at the root, stopping at the first fault; what it printed."""
    words = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_ends_with_its_numbers(demo: str) -> None:
    """`make demo SECONDS=..` stops by itself; its last line is JSON with everything the README names."""
    numbers = json.loads(demo.splitlines()[-1])

    assert numbers.keys() >= {"events", "runs", "spans", "observations", "open_runs", "seconds", "rss_mib"}
    assert numbers["runs"] > 0
    assert numbers["spans"] >= numbers["runs"]
    assert numbers["seconds"] < 20


def test_runs_and_a_trace_are_shown(demo: str, environ: dict[str, str]) -> None:
    """The commands below it list runs and draw one trace as a tree (feature 99)."""
    assert demo
    shown = run(BLOCKS[1], environ)

    assert shown.startswith("STARTED (UTC)")
    tree = shown[shown.index("\ntrace ") :]
    assert "█" in tree


def test_an_odoo_is_checked_and_read(tmp_path: Path, environ: dict[str, str]) -> None:
    """With an Odoo behind the address, `check` says what can be seen, and `run` tells until it is ended (feature 1)."""
    exports, commands = BLOCKS[2].partition(".venv")[::2]
    script = (".venv" + commands).replace("/odoo-otel check", "/odoo-otel check || test $? -eq 1")
    script = script.replace(".venv/bin/odoo-otel run\n", "timeout --preserve-status 8 .venv/bin/odoo-otel run\n")
    with LiveServer(live_lab()) as odoo, FakeCollector() as collector:
        live.ran(odoo.odoo, live.cron(odoo.odoo, "LAB ok"))
        given = {
            "ODOO_URL": f"http://127.0.0.1:{odoo.port}",
            "ODOO_DB": "lab",
            "ODOO_USER": "monitor",
            "ODOO_API_KEY": KEY,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        assert set(re.findall(r"(\w+)=", exports)) == given.keys()
        shown = run(script, environ | given | {"ODOO_OTEL_STATE": str(tmp_path), "ODOO_OTEL_LISTEN": "127.0.0.1:0"})
        assert "lab" in shown
        assert collector.spans()


def test_every_block_says_whether_it_is_run() -> None:
    """Each block of shell is run here, but for the one with the targets of make: those are the tests themselves."""
    blocks = re.findall(r"^(.*)\n```sh\n", README, re.MULTILINE)
    assert blocks == [MARK, MARK, MARK, NOT_RUN]
    assert len(BLOCKS) == 3
