"""Who may import whom: a study travels one way, and stages never import one another."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import msnode

PACKAGE = Path(msnode.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

STAGES = {"receive", "prepare", "classify", "lesions", "report", "deliver", "fetch"}
STAGES |= {"twin", "learn", "drift"}
BASE = {"association_items", "audit", "tls", "config", "hl7v2", "metrics", "requestor"}
BASE |= {"server_socket"}
LAYERS = (
    {"errors", "records"},
    BASE | {"store", "sample"},
    {"confined", "notices", "web"},
    STAGES,
    {"analysis"},
    {"flow"},
    {"engine"},
    {"retention"},
    {"service"},
    {"manage"},
    {"pages"},
    {"cli"},
    {"__main__"},
)
"""Lowest first: a module imports only from lower layers."""

ALLOWED = {("learn", "prepare"), ("learn", "classify"), ("learn", "lesions")}
"""Training prepares, classifies and outlines exactly as the node does."""

SAME_MEANING = {"cache.py", "jobs.py"}
"""What a stage leaves on disk for the next; the engine's jobs, and how they are shown."""


def part(module: str) -> str | None:
    """`deliver` for msnode.deliver.c_store; None for the package itself."""
    names = module.split(".")
    return names[1] if len(names) > 1 else None


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every msnode module that a file names in an import, at any depth."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("msnode"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import; name the module in full"
            if node.module == "msnode":
                yield from (f"msnode.{alias.name}" for alias in node.names)
            elif node.module is not None and node.module.startswith("msnode."):
                yield node.module


def layer(name: str) -> int:
    """The layer's number, 0 for the lowest."""
    for number, names in enumerate(LAYERS):
        if name in names:
            return number
    pytest.fail(f"msnode.{name} belongs to no layer: add it to LAYERS and to the documentation")


def wrong(path: Path) -> Iterator[str]:
    """Imports of a file that go up, or aside where that is not allowed."""
    importer = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for module in imports(path):
        imported = part(module)
        if importer == "__init__":
            yield f"the package itself imports {module}"
        elif imported is None or imported.startswith("__") or imported == importer:
            continue
        elif (importer, imported) not in ALLOWED and layer(imported) >= layer(importer):
            beside = layer(imported) == layer(importer) and importer not in STAGES
            if not beside:
                yield f"{path.relative_to(PACKAGE)} must not import {module}"


def test_a_module_imports_only_from_lower_layers() -> None:
    assert [problem for path in SOURCES for problem in wrong(path)] == []


def test_only_one_part_knows_the_engine() -> None:
    knowing = {
        path.relative_to(PACKAGE).with_suffix("").parts[0]
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dbos")
        or (isinstance(node, ast.Import) and any(a.name.startswith("dbos") for a in node.names))
    }
    assert knowing <= {"engine"}


def room(module: str) -> str:
    """The folder of a module, or the module itself where it lies in no folder of the package."""
    names = module.split(".")[1:]
    while names and not PACKAGE.joinpath(*names).is_dir():
        if len(names) == 1:
            return names[0]
        names.pop()
    return ".".join(names)


def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports from; a package's own `__init__` may gather its rooms."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        if path.name == "__init__.py":
            continue
        here = room(".".join(("msnode", *path.relative_to(PACKAGE).with_suffix("").parts)))
        found.setdefault(here, set()).update(room(module) for module in imports(path))
        found[here].discard(here)
    return found


def test_rooms_do_not_import_in_circles() -> None:
    """Stricter than the layers: it holds for the folders inside of a stage, too."""
    try:
        order = list(TopologicalSorter(arrows()).static_order())
    except CycleError as error:
        pytest.fail(f"rooms import in a circle: {' <- '.join(error.args[1])}")
    assert order[-1] == "__main__"


def test_no_basename_stands_twice_with_two_meanings() -> None:
    names = Counter(path.name for path in SOURCES if path.name != "__init__.py")
    assert {name for name, count in names.items() if count > 1} <= SAME_MEANING
