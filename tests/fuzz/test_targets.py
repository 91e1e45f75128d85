"""Every parser accepts or refuses, and nothing else (promise R13): 5,000 inputs each, and those that are kept."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import process_time

import pytest
from hypothesis import Phase, given, settings

from tests.fuzz.inputs import INPUTS

TARGETS = Path(__file__).with_name("targets")
KEPT = Path(__file__).parents[1] / "data" / "fuzz"
# Without shrinking: it takes minutes, and the input is printed anyway.
FUZZ = settings(max_examples=5_000, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
Target = Callable[[bytes], None]


def target(name: str) -> Target:
    """The function of a target, as atheris calls it."""
    found: Target = import_module(f"tests.fuzz.targets.{name}").TestOneInput
    return found


@pytest.mark.parametrize("name", INPUTS)
def test_it_accepts_or_refuses_and_nothing_else(name: str) -> None:
    """5,000 inputs: no exception but the one that says what is wrong (promise R13)."""
    one = target(name)

    @FUZZ
    @given(INPUTS[name])
    def fuzz(data: bytes) -> None:
        one(data)

    fuzz()


@pytest.mark.parametrize("path", sorted(KEPT.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_broke_a_parser_once_is_kept(path: Path) -> None:
    """Every input of the corpus, in at most 5 ms of CPU."""
    one, data = target(path.parent.name), path.read_bytes()
    took = []
    for _ in range(3):
        began = process_time()
        one(data)
        took.append(process_time() - began)
    assert min(took) <= 0.005


def test_every_target_is_fed() -> None:
    """A target without inputs would be fuzzed by nobody."""
    assert {path.stem for path in TARGETS.glob("[a-z]*.py")} == INPUTS.keys()
    assert {path.parent.name for path in KEPT.glob("*/*")} <= INPUTS.keys()


def test_nothing_is_imported_before_it_can_be_instrumented() -> None:
    """`make fuzz` is guided by coverage only of what atheris sees imported."""
    asked = "import sys, tests.fuzz.__main__; sys.exit(any(name.startswith('exporter') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", asked], cwd=TARGETS.parents[2], check=False).returncode == 0
