"""Who may import whom: a study travels one way, and stages never import one another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import msnode

PACKAGE = Path(msnode.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

STAGES = {"receive", "prepare", "classify", "report", "deliver", "twin", "learn"}
LAYERS = (
    {"errors", "records", "sentences", "strata"},
    {
        "audit",
        "tls",
        "config",
        "metrics",
        "database",
        "files",
        "http",
        "sample",
        "migrations",
        "room",
    },
    {"commitments"},
    {"confined"},
    STAGES,
    {"analysis"},
    {"flow"},
    {"engine"},
    {"service", "forget", "retention"},
    {"progress", "calling"},
    {
        "cli",
        "cli_options",
        "cli_peers",
        "cli_learn",
        "cli_data",
        "cli_plans",
        "checks",
        "by_hand",
        "job_tables",
        "deleting",
    }
    | {"demo", "__main__"},
)
"""Lowest first: a module imports only from lower layers."""

ALLOWED = {("learn", "prepare"), ("learn", "classify")}
"""Training prepares and classifies exactly as the node does."""


def part(module: str) -> str | None:
    """`deliver` for msnode.deliver.store; None for the package itself."""
    names = module.split(".")
    return names[1] if len(names) > 1 else None


def imports(path: Path) -> Iterator[str]:
    """Every msnode module that a file names in an import, at any depth."""
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_lower_layers(path: Path) -> None:
    importer = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if importer == "__init__":
        assert not list(imports(path)), "the package itself imports nothing"
        return
    for module in imports(path):
        imported = part(module)
        if imported is None or imported.startswith("__") or imported == importer:
            continue
        if (importer, imported) in ALLOWED:
            continue
        if layer(imported) == layer(importer) and importer not in STAGES:
            continue
        assert layer(imported) < layer(importer), f"{importer} must not import {module}"


def test_only_one_part_knows_the_engine() -> None:
    knowing = {
        path.relative_to(PACKAGE).with_suffix("").parts[0]
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dbos")
        or (isinstance(node, ast.Import) and any(a.name.startswith("dbos") for a in node.names))
    }
    assert knowing <= {"engine"}
