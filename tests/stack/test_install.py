"""Installs are made once, whole or not at all, and by one run at a time; the Debian mirror is the machine's own."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stack.installs.cache import STAMP, Install, InstallError, Shell, ensure, need, root, stamp
from tests.stack.installs.debian import Mirror, mirror
from tests.stack.installs.everything import with_needs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    root().mkdir(parents=True)
    return root()


class Builder:
    """Builds a file, slowly or not at all, and counts how often it was asked."""

    def __init__(self, *faults: BaseException) -> None:
        self.faults = list(faults)
        self.calls = 0

    def __call__(self, place: Path) -> Mapping[str, str]:
        """Build."""
        self.calls += 1
        (place / "program").write_text("half")
        time.sleep(0.1)
        if self.faults:
            raise self.faults.pop()
        (place / "program").write_text("whole")
        return {"note": "kept"}


def thing(builder: Builder) -> Install:
    """An install of that builder."""
    return Install(name="thing", version="1", build=builder)


def test_an_install_is_made_once() -> None:
    """A second run finds the stamp, with the notes of the first, and builds nothing."""
    install = thing(builder := Builder())
    ensure(install)
    ensure(install)
    assert (builder.calls, stamp(install)["note"]) == (1, "kept")


def test_an_interrupted_install_is_made_again(cache: Path) -> None:
    """A build that broke off leaves nothing in place, and the next run clears its remains and starts from nothing."""
    install = thing(Builder(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        ensure(install)
    assert not install.done
    ensure(install)
    assert (install.place / "program").read_text() == "whole"
    assert sorted(path.name for path in cache.iterdir()) == ["locks", "thing-1"]


def test_a_folder_without_stamp_is_not_trusted() -> None:
    """The stamp is the last file written: a folder without it is replaced."""
    install = thing(builder := Builder())
    install.place.mkdir()
    (install.place / "rubbish").touch()
    ensure(install)
    assert builder.calls == 1
    assert sorted(path.name for path in install.place.iterdir()) == [STAMP, "program"]


def test_two_runs_do_not_collide() -> None:
    """Of two runs at once one builds; the other waits and finds it done."""
    install = thing(builder := Builder())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ensure, [install, install]))
    assert builder.calls == 1


def test_a_failed_step_shows_what_the_command_said() -> None:
    """The message names the step and ends with the command's own words, which are kept in the cache's log too."""
    with pytest.raises(InstallError, match=r"speak failed \(exit 3\):\nno disk"):
        Shell(name="thing").run("speak", "sh", "-c", "echo no disk >&2; exit 3")
    assert "no disk" in (root() / "logs" / "thing.log").read_text()


def test_a_missing_tool_is_one_sentence() -> None:
    """Whoever lacks a tool reads which, and what for."""
    with pytest.raises(InstallError, match=r"`no-such-tool` is not on PATH; it is needed to fly\."):
        need("no-such-tool", "to fly")


def test_what_is_needed_comes_first() -> None:
    """To name the lab is to name all it stands on, in the order of building."""
    names = [install.name for install in with_needs(["odoo-lab"])]
    assert names == ["postgresql", "odoo", "odoo-venv", "oca-addons", "odoo-tiny", "odoo-lab"]


NEW = """
Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian-security
Signed-By: /s.gpg

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Signed-By: /d.gpg
"""
OLD = """
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/d.gpg] http://mirror.example/debian/ bookworm main
"""
LIST = "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm\n"


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("sources.list.d/debian.sources", NEW, Mirror(uri="http://mirror.example/debian", signed_by="/d.gpg")),
        ("sources.list", OLD, Mirror(uri="http://mirror.example/debian/", signed_by="/d.gpg")),
        (
            "sources.list.d/any.list",
            "deb http://a.example/debian b c\n",
            Mirror(uri="http://a.example/debian", signed_by=""),
        ),
        ("sources.list.d/debian.sources", LIST, Mirror(uri="mirror+file:///etc/apt/mirrors/debian.list", signed_by="")),
    ],
)
def test_the_mirror_is_the_machines_own(tmp_path: Path, file: str, text: str, found: Mirror) -> None:
    """Both forms of apt sources are read; security archives and disabled lines are not Debian's mirror."""
    (tmp_path / "apt" / file).parent.mkdir(parents=True)
    (tmp_path / "apt" / file).write_text(text)
    assert mirror(tmp_path / "apt") == found


def test_a_machine_without_a_mirror_is_told_so(tmp_path: Path) -> None:
    """Where no Debian mirror is configured (or it is switched off), one sentence says what it is wanted for."""
    switched_off = tmp_path / "sources.list.d" / "debian.sources"
    switched_off.parent.mkdir()
    switched_off.write_text("Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\n")
    with pytest.raises(InstallError, match="No Debian mirror found"):
        mirror(tmp_path)
