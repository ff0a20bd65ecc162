"""The document that says which test holds which promise names tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"


def test_every_test_named_in_the_document_exists() -> None:
    path, missing, count = "", [], 0
    for named, test in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", DOCUMENT.read_text()):
        path, count = named or path, count + 1  # "::test_b" after "a.py::test_a" is in a.py as well
        tree = ast.parse((ROOT / path).read_text())
        if test not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{test}")
    assert missing == []
    assert count > 40
