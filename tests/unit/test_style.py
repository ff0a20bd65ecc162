"""House rules that can be read off the source text."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("msnode", "tests", "bench") for path in (ROOT / folder).rglob("*.py")
)
GENERATED = ROOT / "msnode" / "store" / "migrations" / "versions"

MAX_MODULE = 350
"""Lines of a file."""
MAX_FUNCTION = 45
"""Lines of a function's body, without its docstring."""

UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Modules that run code from the data they load."""


def named(path: Path) -> str:
    """A file as a message names it."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    statements = function.body
    if ast.get_docstring(function) is not None:
        statements = statements[1:]
    if not statements:
        return 0
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_module_is_short() -> None:
    lines = {named(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MAX_MODULE} == {}


def test_a_function_fits_on_a_screen() -> None:
    long = {
        f"{named(path)}:{function.name}": body_lines(function)
        for path in SOURCES
        if path.parent != GENERATED
        for function in functions(path)
        if body_lines(function) > MAX_FUNCTION
    }
    assert long == {}


def test_no_error_is_swallowed() -> None:
    silent = [
        f"{named(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert silent == [], "a handler does nothing; say why in code, e.g. contextlib.suppress"


def unpickles(node: ast.AST) -> bool:
    """Whether a node imports or calls what runs code from the data it loads."""
    if isinstance(node, ast.Import):
        return bool(UNSAFE & {alias.name.split(".")[0] for alias in node.names})
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in UNSAFE
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "torch.load" or any(
            keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
            for keyword in node.keywords
        )
    return False


def test_nothing_is_unpickled() -> None:
    found = [
        f"{named(path)}:{getattr(node, 'lineno', 0)}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if unpickles(node)
    ]
    assert found == [], "weights are safetensors, records are JSON"


def written() -> list[Path]:
    """Text files of the project that a person wrote."""
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".lua", ".service", ""}
    made = re.compile(
        r"\.(?!ci$|dockerignore$|gitignore$|pre-commit)|__pycache__$|.*\.egg-info$|build$|demo$"
    )
    found = []
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if not made.match(name)]
        found += [Path(folder, name) for name in files if not made.match(name)]
    return sorted(
        path for path in found if path.suffix in kinds and path.stat().st_size < 1_000_000
    )


def test_no_path_of_one_machine_and_no_unfinished_work() -> None:
    here = "|".join(re.escape(f"{folder}/") for folder in (ROOT, ROOT.parent))
    paths = re.compile(rf"(?<![\w.$~}}*-])(?:{here}|/home/\w|/root/|/Users/\w)")
    notes = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    found = [
        f"{named(path)}:{number}: {line.strip()[:80]}"
        for path in written()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (paths.search(line) or notes.search(line)) and path != Path(__file__)
    ]
    assert found == []
