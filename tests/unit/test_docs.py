"""The generated pages of docs/ are those of the code, and what is written by hand names things that exist."""

import importlib.util
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from exporter.cli import main
from exporter.telemetry.instruments import INSTRUMENTS

ROOT = Path(__file__).parents[2]
GENERATED = ["README.md", "docs/configuration.md", "docs/events.md", "docs/metrics.md"]
HAND_WRITTEN = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


def script(name: str) -> Any:
    """A module of .ci/; Any, because nobody knows its names but itself."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated() -> Mapping[str, Callable[[], str]]:
    """The table of pages of .ci/pages.py."""
    found: Mapping[str, Callable[[], str]] = script("pages").PAGES
    return found


@pytest.mark.parametrize("name", GENERATED)
def test_the_page_is_what_the_code_says(name: str) -> None:
    """A setting, an event, an instrument, a voice or a finding that changes shows; `make docs` writes it."""
    assert (ROOT / name).read_text(encoding="utf-8") == generated()[name]()


def test_every_generated_page_is_compared() -> None:
    """No page is generated that this file does not compare."""
    assert sorted(generated()) == sorted(GENERATED)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_metric_has_its_row_in_the_readme(name: str) -> None:
    """An instrument of a new kind is refused until the README's table says what it is for."""
    assert len([*script("readme").families_of(name)]) == 1


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of this repository names one that exists."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda page: page.name)
def test_metrics_that_are_named_exist(page: Path) -> None:
    """Each metric in a text is one of the table, or the beginning of some: `odoo_n8n_*`."""
    named = re.findall(r"`(odoo_[a-z0-9_]+)", page.read_text(encoding="utf-8"))
    others = {"odoo_database", "odoo_log", "odoo_ref"}  # a label, a setting, a key of n8n's custom data
    assert [name for name in named if name not in others and not any(one.startswith(name) for one in INSTRUMENTS)] == []


CALLED = re.compile(r"odoo-otel((?: +[^\s`|#')]+)+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
MADE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")


@pytest.mark.parametrize("page", [*HAND_WRITTEN, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_commands_that_are_named_exist(page: Path) -> None:
    """Each `odoo-otel ...` in a text is a command of ours, with options that it has; each `make ...` is a target."""
    text = page.read_text(encoding="utf-8")
    wrong = [words for words in CALLED.findall(text) if not _is_understood(words.split())]
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert wrong == []
    assert {target for code in CODE.findall(text) for target in MADE.findall(code)} <= set(targets)


def _is_understood(words: list[str]) -> bool:
    """Whether the words lead to a command, and what begins with a dash is an option of it."""
    command: click.Command | None = main
    for word in words:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word)
        elif word.startswith("--"):
            given = [one for param in command.params for one in param.opts] if command else []
            if word not in given:
                return False
    return command is not None


@pytest.mark.parametrize("words", ["nonsense", "run --nonsense FILE", "store nonsense", "runs --jsonn"])
def test_commands_that_do_not_exist_are_seen(words: str) -> None:
    """The control: a name or an option that is not ours is no command."""
    assert not _is_understood(words.split())


def test_make_test_runs_every_folder_of_tests() -> None:
    """What `pytest` alone would run is run by `make test`, side by side."""
    alone = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["testpaths"]
    target = re.search(r"^test:.*?\n\n", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert target is not None
    assert sorted(re.findall(r"tests/\w+", target[0])) == sorted(alone)


def test_tests_named_in_the_readme_exist() -> None:
    """Every promise names a test; the file, and the function in it, are there."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "README.md").read_text(encoding="utf-8"))
    missing = [
        (path, function)
        for path, function in named
        if not (ROOT / path).exists() or f"def {function}" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert named
    assert missing == []
