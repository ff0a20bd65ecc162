"""What the node is built from: licences, known vulnerabilities, bill of materials.

Checked against the lists in .ci/supply-chain.toml.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LOCKS = ("requirements.lock", "requirements-torch.lock")
NVIDIA = re.compile(r"nvidia-|cuda-")
"""CUDA, which PyTorch's default wheels bring along: under NVIDIA's licence; there are wheels
without it (README.md)."""


@pytest.fixture(scope="module")
def allowed() -> dict[str, Any]:
    return tomllib.loads((ROOT / ".ci" / "supply-chain.toml").read_text())


def locked() -> dict[str, Requirement]:
    """The packages that the node runs with on some platform, by name."""
    text = "\n".join((ROOT / lock).read_text() for lock in LOCKS).replace("\\\n", "")
    lines = [line.split("--hash")[0] for line in text.splitlines() if re.match(r"\w", line)]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def is_allowed(expression: str, licences: set[str]) -> bool:
    """Whether every part of an SPDX expression is; the parts of an OR too."""
    parts = re.split(r"\s+(?:AND|OR)\s+", re.sub(r"[()]", "", expression))
    return all(part.strip() in licences for part in parts)


def test_no_licence_takes_us_by_surprise(allowed: dict[str, Any]) -> None:
    names = [name for name in locked() if not NVIDIA.match(name)]
    command = [str(BIN / "pip-licenses"), "--from=mixed", "--format=json", "--packages", *names]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = {canonicalize_name(row["Name"]): row["License"] for row in json.loads(listed.stdout)}
    assert {"pydicom", "pynetdicom", "torch", "dbos"} <= set(found)
    wrong = {
        name: licence
        for name, licence in found.items()
        if not is_allowed(licence, set(allowed["licences"]))
        and allowed["packages"].get(name, [""])[0] != licence
    }
    assert wrong == {}, "read the licence, then list it in .ci/supply-chain.toml with the reason"
    assert set(allowed["packages"]) <= set(found), "an exception that nobody needs any more"


def test_no_known_vulnerability(allowed: dict[str, Any]) -> None:
    command = [str(BIN / "pip-audit"), "--no-deps", "--disable-pip", "--format=json"]
    command += ["--progress-spinner=off", "--timeout=10"]
    command += [argument for lock in LOCKS for argument in ("-r", lock)]
    try:
        audit = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
        )
        audited = json.loads(audit.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        pytest.skip(f"not audited: the advisory database cannot be reached ({error})")
    unknown = [package["name"] for package in audited if "skip_reason" in package]
    if len(unknown) == len(audited):  # pip-audit calls that "no known vulnerabilities"
        pytest.skip(f"not audited: the advisory database knows none of {len(unknown)} packages")
    found = {
        f"{package['name']} {package['version']}: {advisory['id']}"
        for package in audited
        for advisory in package.get("vulns", [])
        if not {advisory["id"], *advisory["aliases"]} & set(allowed["advisories"])
    }
    assert found == set(), "upgrade (make lock), or say in .ci/supply-chain.toml why it is harmless"


def test_the_bill_of_materials_names_every_locked_package(tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    make = [
        "make",
        "sbom",
        f"SBOM={path}",
        f"VENV={BIN.parent}",
        "-o",
        f"{BIN.parent}/.installed-dev",
    ]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True, timeout=120)
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "msnode"
    components = {canonicalize_name(c["name"]): c["version"] for c in bill["components"]}
    assert components == {
        name: next(iter(requirement.specifier)).version for name, requirement in locked().items()
    }
