"""House rules that can be read off the source text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    """A test's name for a file."""
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    """Every node of a file's syntax tree."""
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    statements = function.body
    if ast.get_docstring(function) is not None:
        statements = statements[1:]
    if not statements:
        return 0
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent != GENERATED], ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    functions = [n for n in nodes(path) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {f.name: body_lines(f) for f in functions if body_lines(f) > MAX_FUNCTION} == {}


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_error_is_swallowed(path: Path) -> None:
    handlers = [node for node in nodes(path) if isinstance(node, ast.ExceptHandler)]
    silent = [
        handler.lineno
        for handler in handlers
        if all(isinstance(statement, ast.Pass | ast.Continue) for statement in handler.body)
    ]
    assert silent == [], "a handler does nothing; say why in code, e.g. contextlib.suppress"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_is_unpickled(path: Path) -> None:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            assert not UNSAFE & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in UNSAFE
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "torch.load", "weights are safetensors"
            assert not any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                for keyword in node.keywords
            )


def written() -> list[Path]:
    """Text files of the project that a person wrote."""
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".lua", ".service", ""}
    made = re.compile(
        r"\.(?!ci$|dockerignore$|gitignore$|pre-commit)|__pycache__$|.*\.egg-info$|build$|demo$"
    )
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.suffix in kinds
        and not any(made.match(name) for name in path.relative_to(ROOT).parts)
        and path.is_file()
        and path.stat().st_size < 1_000_000
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
