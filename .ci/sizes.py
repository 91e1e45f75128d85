"""Print how big the modules and functions are beside their budget: `python .ci/sizes.py`; exit 1 over a hard limit.

Lines are non-blank lines; a function counts without its docstring. The budget is that of design.md section 2.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE_LINES = 300
FUNCTION_LINES = 50
FUNCTION_P90 = 20
POSITIONAL = 4
PACKAGES = ("exporter", "detectors")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef | ast.Module


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: where it stands, its text, its syntax tree."""

    path: str
    text: tuple[str, ...]
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Its non-blank lines."""
        return sum(1 for line in self.text if line.strip())


def read(folder: Path) -> Iterator[Source]:
    """Every Python file below a folder that holds anything."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if text.strip():
            yield Source(path=str(path.relative_to(ROOT)), text=tuple(text.splitlines()), tree=ast.parse(text))


def functions(source: Source) -> Iterator[Function]:
    """Every function and method of a file."""
    return (node for node in ast.walk(source.tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """The lines of a function's body, its docstring and signature left out."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def positional(function: Function) -> int:
    """How many arguments may be given by position, `self` and `cls` left out."""
    names = [argument.arg for argument in function.args.posonlyargs + function.args.args]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def annotated(function: Function) -> bool:
    """Whether the result and every argument but `self` and `cls` say their type."""
    own = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return function.returns is not None and all(a.annotation or a.arg in {"self", "cls"} for a in own)


def public(source: Source) -> Iterator[Documented]:
    """The module and its public classes and functions: what has to have a docstring."""
    yield source.tree
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (node, *(m for m in node.body if isinstance(m, Function) and not m.name.startswith("_")))
    yield from (node for node in source.tree.body if isinstance(node, Function) and not node.name.startswith("_"))


def spread(numbers: Iterable[int]) -> tuple[int, int, int]:
    """Median, 90th percentile and largest of some numbers."""
    ranked = sorted(numbers) or [0]
    return ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 9 // 10)], ranked[-1]


def percent(truths: Iterable[bool]) -> str:
    """How many are true, as a percentage."""
    found = list(truths)
    return f"{100 * sum(found) / max(len(found), 1):.1f} %"


def table(code: Sequence[Source], tests: Sequence[Source]) -> list[tuple[str, str, str]]:
    """The lines of the printed table: what, what it is, what it should be."""
    every = [(source, function) for source in code for function in functions(source)]
    modules = spread(source.lines for source in code)
    bodies = spread(length(function) for _, function in every)
    arguments = spread(positional(function) for _, function in every)
    own, others = (sum(source.lines for source in sources) for sources in (code, tests))
    documented = percent(ast.get_docstring(node) is not None for source in code for node in public(source))
    return [
        ("modules", f"{len(code)}, {own} lines", ""),
        ("module lines, median/p90/max", "{}/{}/{}".format(*modules), f"100/-/{MODULE_LINES}"),
        ("function lines, median/p90/max", "{}/{}/{}".format(*bodies), f"5/{FUNCTION_P90}/{FUNCTION_LINES}"),
        ("positional arguments, median/p90/max", "{}/{}/{}".format(*arguments), f"-/-/{POSITIONAL}"),
        ("annotated functions", percent(annotated(function) for _, function in every), "100.0 %"),
        ("public names with docstring", documented, "100.0 %"),
        ("tests : code", f"{others / max(own, 1):.2f} ({len(tests)} files, {others} lines)", "1.2-1.6"),
    ]


def breaches(code: Sequence[Source]) -> Iterator[str]:
    """One sentence for each hard limit that is passed."""
    for source in code:
        if source.lines > MODULE_LINES:
            yield f"{source.path}: {source.lines} lines, at most {MODULE_LINES}: split it."
        for function in functions(source):
            where = f"{source.path}:{function.lineno} {function.name}"
            if length(function) > FUNCTION_LINES:
                yield f"{where}: {length(function)} lines, at most {FUNCTION_LINES}: split it."
            theirs = "PLR0917" in source.text[function.lineno - 1]  # overrides a method whose signature is not ours
            if positional(function) > POSITIONAL and not theirs:
                yield f"{where}: {positional(function)} positional arguments, at most {POSITIONAL}: name the others."
            if not annotated(function):
                yield f"{where}: not fully annotated."


def main() -> int:
    """Print the table and the breaches; the exit code says whether there were any."""
    code = [source for package in PACKAGES for source in read(ROOT / package)]
    for what, is_, should in table(code, list(read(ROOT / "tests"))):
        print(f"{what:38} {is_:34} {should}")
    found = list(breaches(code))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
