"""Every property that the unit tests search a moment for counterexamples, searched for long: the same functions."""

from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from tests.searching import FEW, searching, wide

UNIT = Path(__file__).parents[1] / "unit"
MODULES = [path for path in sorted(UNIT.rglob("test_*.py")) if "import searching" in path.read_text(encoding="utf-8")]
LEAST = 40  # properties: fewer would mean that they are not found any more


def widened(path: Path) -> ModuleType:
    """A module of unit tests, imported once more, with all examples."""
    spec = spec_from_file_location(f"tests.fuzz.widened.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with wide():
        spec.loader.exec_module(module)
    return module


def searches(path: Path) -> Iterator[tuple[str, Callable[..., None]]]:
    """The module's properties, under names that no other module's have."""
    room = "_".join(path.relative_to(UNIT).with_suffix("").parts)
    for name, found in vars(widened(path)).items():
        if getattr(found, "is_hypothesis_test", False):
            yield f"test_{room}_{name}".replace("_test_", "_"), found


SEARCHES = dict(search for path in MODULES for search in searches(path))
globals().update(SEARCHES)


def test_the_searches_are_found_and_wide() -> None:
    """The properties are here, and try more examples than among the unit tests."""
    with wide():
        assert searching().max_examples > FEW
    assert searching().max_examples == FEW
    assert len(SEARCHES) >= LEAST
