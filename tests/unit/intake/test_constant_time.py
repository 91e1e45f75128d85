"""R11: whatever meets a secret on the way in compares it in constant time only."""

import ast
import re
from pathlib import Path

import pytest

import exporter

ROOT = Path(exporter.__file__).parent
MODULES = sorted(
    [*ROOT.glob("intake/*.py"), *(ROOT / name for name in ("guarding.py", "config/secret.py", "tokens.py"))]
)
SECRET = re.compile("secret|token|password|hashed|digest|signature|sha256|reveal|bearer|authorization|presented|_value")
SECRET_HERE = {"signatures.py": re.compile("wanted|given|raw")}  # what these words mean there alone
# Of what is kept, among itself: nobody shows anything (tokens.py).
HARMLESS = {"one.sha256 not in {fresh.sha256, *leave}", "one.sha256 != digest"}


def compared(code: str, secret: re.Pattern[str]) -> list[str]:
    """Every comparison that ends early and has a word for a secret in it; sizes and absence say nothing."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Compare | ast.Call | ast.Match)]
    return [ast.unparse(node) for node in found if _ends_early(node) and secret.search(_named(node))]


def _ends_early(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in {"__eq__", "count", "eq", "find", "index"}
    if isinstance(node, ast.Match):
        return True
    assert isinstance(node, ast.Compare)
    sides = [node.left, *node.comparators]
    absent = all(isinstance(of, ast.Is | ast.IsNot) for of in node.ops)
    return not absent and not any(_is_size(side) for side in sides)


def _is_size(side: ast.expr) -> bool:
    counts = isinstance(side, ast.Call) and ast.unparse(side.func) in {"len", "int"}
    return counts or (isinstance(side, ast.Constant) and isinstance(side.value, int))


def _named(node: ast.AST) -> str:
    """The names in it; the subject alone of what is matched."""
    inside = ast.walk(node.subject if isinstance(node, ast.Match) else node)
    return " ".join(
        one.id if isinstance(one, ast.Name) else one.attr for one in inside if isinstance(one, ast.Name | ast.Attribute)
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_secrets_are_compared_in_constant_time_only(module: Path) -> None:
    """No comparison has a signature, digest, secret, password or token on one of its sides."""
    code = module.read_text(encoding="utf-8")
    words = [SECRET, *([SECRET_HERE[module.name]] if module.name in SECRET_HERE else [])]
    assert {one for secret in words for one in compared(code, secret)} <= HARMLESS


@pytest.mark.parametrize("name", ["intake/signatures.py", "config/secret.py"])
def test_where_secrets_meet_there_is_the_comparison_for_it(name: str) -> None:
    """`compare_digest` is called where a secret is held against another one."""
    calls = [node for node in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(node, ast.Call)]
    assert any(ast.unparse(call.func).endswith("compare_digest") for call in calls)


@pytest.mark.parametrize(
    "fault",
    [
        "presented == secret.reveal()",
        "token in tokens",
        "self._value != other._value",
        "hashed.__eq__(other)",
        "operator.eq(digest, other)",
        "signatures.index(one)",
        "match secret.reveal():\n case 'x': pass",
    ],
)
def test_a_comparison_that_ends_early_is_found(fault: str) -> None:
    """Negative control: each way to compare."""
    assert len(compared(fault, SECRET)) == 1


@pytest.mark.parametrize("fine", ["secret is None", "len(token) > 200", "compare_digest(token, other)", "kind == 'x'"])
def test_what_says_nothing_of_a_secret_is_allowed(fine: str) -> None:
    """Whether there is one, how long it is, and everything else."""
    assert compared(fine, SECRET) == []
