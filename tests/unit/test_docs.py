"""Documents name files and tests that exist, and every page is on the site."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted({*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"})
FOR_DEVELOPERS = {DOCS / "architecture.md", *(DOCS / "adr").glob("*.md")}
"""These name modules in short: `steps.py`, `flow/steps.py` for msnode/flow/steps.py."""
OF_OTHERS = {"pynetdicom/dul.py"}

NAMED = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|yaml|yml|toml|md)|(?:[\w.-]+/)+)`")


def is_there(name: str, document: Path) -> bool:
    """Whether what a document names is in the repository, or is none of its files."""
    if (ROOT / name).exists() or name in OF_OTHERS:
        return True
    if document in FOR_DEVELOPERS and name.endswith(".py"):
        return any(path.match(name) for path in (ROOT / "msnode").rglob("*.py"))
    return name.split("/")[0] not in {path.name for path in ROOT.iterdir()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    assert [name for name in NAMED.findall(text) if not is_there(name, document)] == []
    links = re.findall(r"\]\(([^)#\s]+)", text)
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_architecture_describes_every_layer_and_folder() -> None:
    text = (DOCS / "architecture.md").read_text()
    layers, folders = text.split("## What each folder is for")
    parts = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "msnode").iterdir()
        if not path.name.startswith("__") and path.name != "py.typed"
    }
    assert [part for part in sorted(parts) if f"`{part}`" not in layers] == []
    told = {*re.findall(r"^\| `([\w./]+)` \|", folders, re.MULTILINE), "tls.py"}
    assert sorted(parts - told) == []


def test_every_package_is_in_the_reference() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    nav = yaml.safe_load(text.split("\nnav:\n")[1])
    reference = next(section["Reference"] for section in nav if "Reference" in section)
    shown = {name for entry in reference if isinstance(entry, dict) for name in entry}
    parts = {path.stem for path in (ROOT / "msnode").iterdir() if not path.name.startswith("__")}
    assert shown == parts - {"py"}
