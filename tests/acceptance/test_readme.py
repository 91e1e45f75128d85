"""The README's own commands, run as a stranger would: as they stand there, in a folder of their own, on a free port."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.odoo_http import KEY
from tests.fakes.odoo_live import LiveServer, live_lab

ROOT = Path(__file__).parents[2]
MARK = "<!-- run by tests/acceptance/test_readme.py -->"
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBERS = {
    *("events", "runs", "spans", "observations", "open_runs", "seconds", "rss_mib"),
    *("findings", "found", "missed", "false_alarms"),
}
BLOCKS = re.findall(re.escape(MARK) + r"\n```sh\n(.*?)```", README, re.DOTALL)
NOT_RUN = "<!-- not run by the test that it would start -->"


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed."""

    out: str
    err: str

    @property
    def numbers(self) -> dict[str, float]:
        """The JSON of a demo's last line."""
        found: dict[str, float] = json.loads(self.out.splitlines()[-1])
        return found


@dataclass(frozen=True, slots=True)
class Demos:
    """Two demos that ran beside each other, what each found, and the environment of the one without detectors."""

    seeing: Printed
    found: list[dict[str, str]]
    found_blindly: list[dict[str, str]]
    blind: dict[str, str]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A state folder of the test's own, a port that is free, nothing sent anywhere."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ODOO_", "MAKE"))}
    return own | _state(tmp_path_factory.mktemp("readme")) | {"PORT": "0"}


@pytest.fixture(scope="module")
def demos(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """The README's first command with its 30 days and 45 seconds; beside it the same without detectors."""
    blind = environ | _state(tmp_path_factory.mktemp("blind")) | {"ODOO_OTEL_DETECTORS": "false"}
    with begin(BLOCKS[0], environ) as seeing, begin(f"nice -n 19 {BLOCKS[0]}", blind) as unseeing:
        printed, _ = end(seeing), end(unseeing)
    return Demos(printed, findings(environ), findings(blind), blind)


def _state(folder: Path) -> dict[str, str]:
    """Make's and our name for the folder of the store."""
    state = str(folder / "state")
    return {"STATE": state, "ODOO_OTEL_STATE": state}


def begin(script: str, environ: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a block of shell at the root; it stops at the first fault."""
    words = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.Popen(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: "subprocess.Popen[str]") -> Printed:
    """Wait for its end; what it printed."""
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    return Printed(out, err)


def findings(environ: dict[str, str]) -> list[dict[str, str]]:
    """What `odoo-otel findings` shows of a demo's state, also what was closed meanwhile."""
    with begin(".venv/bin/odoo-otel findings --all --json", environ) as process:
        return [json.loads(line) for line in end(process).out.splitlines()]


def going_on(
    environ: dict[str, str], found: list[dict[str, str]], enough: Callable[..., object]
) -> list[dict[str, str]]:
    """What a demo found; on a busy machine it is not as far in its time, and goes on twice as long."""
    for _ in range(2):
        if not enough(found):
            with begin(BLOCKS[0], environ) as process:
                end(process)
            found = findings(environ)
    return found


def outliers(found: list[dict[str, str]]) -> list[str]:
    """The sentences of those that were learned."""
    return [one["sentence"] for one in found if one["detector"].startswith("outlier.")]


def test_the_demo_ends_with_its_numbers(demos: Demos) -> None:
    """`make demo SECONDS=45` stops by itself; its last line is JSON with everything the README names."""
    numbers = demos.seeing.numbers
    named = re.search(r"one JSON object with what was seen: (.+?) While it runs", README, re.DOTALL)

    assert named
    assert set(re.findall(r"\w+", named[1])) >= NUMBERS
    assert numbers.keys() == NUMBERS
    assert numbers["runs"] > 10_000
    assert numbers["spans"] >= numbers["runs"]


def test_the_history_of_30_days_has_a_progress_bar(demos: Demos) -> None:
    """Lines with a bar and a share below 100 % come before the one of 100 %, all of 30 days of history (feature 2)."""
    shares = [int(share) for share in re.findall(r"[█·]{28} +(\d+)%  \d+ runs of 30 days of history", demos.seeing.err)]

    assert len(shares) > 2
    assert shares == sorted(set(shares))
    assert 0 < shares[1] < shares[-1] == 100


def test_the_demo_finds_what_its_company_was_given(demos: Demos) -> None:
    """Two incidents at least are found, none missed, none invented; `odoo-otel findings` shows them (feature 9)."""
    numbers = demos.seeing.numbers

    assert numbers["found"] >= 2
    assert (numbers["missed"], numbers["false_alarms"]) == (0, 0)
    assert len(demos.found) == numbers["findings"] >= numbers["found"]
    assert all(one["sentence"] and one["trace_id"] for one in demos.found)


def test_outliers_come_from_the_detectors_alone(demos: Demos, environ: dict[str, str]) -> None:
    """The same demo without detectors finds what is declared and no outlier; with them there is one (feature 9)."""
    seen = going_on(environ, demos.found, outliers)
    unseen = going_on(demos.blind, demos.found_blindly, len)

    assert outliers(seen)
    assert unseen
    assert outliers(unseen) == []


def test_runs_and_a_trace_are_shown(demos: Demos, environ: dict[str, str]) -> None:
    """The commands below it list runs and draw one trace as a tree (feature 99)."""
    assert demos.seeing.numbers["runs"]
    with begin(BLOCKS[1], environ) as process:
        shown = end(process).out

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
        own = {"ODOO_OTEL_STATE": str(tmp_path), "ODOO_OTEL_LISTEN": "127.0.0.1:0"}
        with begin(script, environ | given | own) as process:
            assert "lab" in end(process).out
        assert collector.spans()


def test_every_block_says_whether_it_is_run() -> None:
    """Each block of shell is run here, but for the one with the targets of make: those are the tests themselves."""
    blocks = re.findall(r"^(.*)\n```sh\n", README, re.MULTILINE)
    assert blocks == [MARK, MARK, MARK, NOT_RUN]
    assert len(BLOCKS) == 3
