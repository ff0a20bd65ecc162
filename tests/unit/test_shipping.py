"""What is shipped beside the program: its files are valid and in step with the code."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import yaml
from packaging.requirements import Requirement
from prometheus_client import REGISTRY

from msnode import config, metrics
from tests.acceptance.peers import ROOT, run, tool

LOCKS = ("requirements.lock", "requirements-torch.lock", "requirements-dev.lock")
DASHBOARD = ROOT / "config/grafana/msnode.json"
ALERTS = ROOT / "config/prometheus/msnode.rules.yml"


# --- configuration ---


def uncommented() -> config.Config:
    """config/msnode.yaml with every "#setting" live."""
    text = (ROOT / "config/msnode.yaml").read_text()
    live = re.sub(r"^( *)#(?=\w+:|  )", r"\1", text, flags=re.MULTILINE)
    return config.parse(yaml.safe_load(live), Path("/etc/msnode"))


def test_shipped_configuration_is_the_default() -> None:
    assert config.load(ROOT / "config/msnode.yaml") == config.Config()


def test_commented_settings_show_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "MSNODE_WEBHOOK_SECRET", "MSNODE_DB_PASSWORD", "MSNODE_SMTP_PASSWORD", "MSNODE_STOW_TOKEN",
        "MSNODE_STOW_PASSWORD", "MSNODE_OIDC_SECRET", "MSNODE_LINK_SECRET",
    ):  # fmt: skip
        monkeypatch.setenv(name, "0123456789abcdef")
    monkeypatch.setenv("MSNODE_CHAT_URL", "https://chat.example.org/hooks/0123")
    full = uncommented()
    assert replace(full.receive, callers=(), tls=None, dicomweb=None, hl7=None) == config.Receive()
    assert full.receive.hl7 is not None
    assert replace(full.receive.hl7, callers=(), tls=None) == config.Hl7()
    assert full.receive.dicomweb is not None
    assert replace(full.receive.dicomweb, callers=(), tls=None, fhir=None) == config.Dicomweb()
    assert full.receive.dicomweb.fhir is not None
    assert replace(full.receive.dicomweb.fhir, patient_system="") == config.FhirReceive()
    assert full.complete == config.Complete(source="pacs")
    assert full.decode == config.Decode()
    (shadow,) = full.classify.shadow
    assert shadow == config.Shadow("next", Path("/opt/msnode/models/next"))
    assert full.classify.smears == config.Smears(Path("/opt/msnode/models/smears"))
    others: dict[str, Any] = {"shadow": (), "evidence": None, "smears": None}
    assert replace(full.classify, bundle=config.BUNDLE, **others) == config.Classify()
    assert full.report == config.Describe()
    assert full.destinations[0].retry == config.Retry()
    assert full.http == config.Http()
    assert full.pages is not None
    plain: dict[str, Any] = {"tls": None, "url": None, "oidc": None, "proxy": None, "links": None,
                             "forwarded_header": None}  # fmt: skip
    assert replace(full.pages, **plain, patients=False) == config.Pages()
    assert replace(full.notices, mail=(), chat=()) == config.Notices()
    assert full.notices.mail[0].security == "starttls"
    assert full.retention == config.Retention()
    assert replace(full.audit, syslog=None) == config.Audit()
    assert full.audit.syslog is not None
    assert replace(full.audit.syslog, tls=None) == config.Syslog("syslog.example.org")


def test_every_setting_is_in_the_shipped_configuration() -> None:
    text = (ROOT / "config/msnode.yaml").read_text()
    kinds = [kind for kind in vars(config).values() if is_dataclass(kind)]
    names = {field.name for kind in kinds for field in fields(kind)}
    assert "quiet_s" in names
    missing = {name for name in names if not re.search(rf"^[ #-]*(.*[{{ ])?{name}:", text, re.M)}
    assert not missing


# --- lock files and set-up ---


def locked(name: str) -> list[Requirement]:
    """The requirements of a lock file."""
    text = (ROOT / name).read_text()
    return [Requirement(line.rstrip(" \\")) for line in text.splitlines() if line[:1].isalnum()]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host_and_hashes_everything(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|@ file", text)
    blocks = re.split(r"\n(?=\w)", text)[1:]
    assert len(blocks) == len(locked(name)) > 3
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_locks_hold_what_the_project_requires() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run_time = [*locked("requirements.lock"), *locked("requirements-torch.lock")]
    everything = [*locked("requirements-dev.lock"), *locked("requirements-torch.lock")]
    wanted = project["dependencies"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    for lines, pins in ((wanted, run_time), (wanted + extras, everything)):
        for line in map(Requirement, lines):
            pinned = [str(pin.specifier)[2:] for pin in pins if pin.name == line.name]
            assert pinned, f"{line} is not locked; run make lock"
            assert all(map(line.specifier.contains, pinned)), f"{line}: locked {pinned}"
    assert {str(pin) for pin in run_time} <= {str(pin) for pin in everything}


def test_torch_and_torchvision_are_a_pair() -> None:
    """A torchvision of another torch fails at its first own operator."""
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    assert kept.tolist() == [0, 2]
    requires = map(Requirement, importlib.metadata.requires("torchvision") or ())
    torch_of = next(line for line in requires if line.name == "torch")
    pins = {pin.name: str(pin.specifier)[2:] for pin in locked("requirements-torch.lock")}
    if importlib.metadata.version("torchvision").split("+")[0] == pins["torchvision"]:
        assert torch_of.specifier.contains(pins["torch"])


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH of its own, with an apt-get that only notes how it is called."""
    for name in ("bash", "env", "cat"):
        (tmp_path / name).symlink_to(tool(name, "coreutils"))
    script(tmp_path / "apt-get", 'echo "$@" >>"${0%/*}/apt.log"')
    script(tmp_path / "id", "echo 0")
    return tmp_path


def script(path: Path, text: str) -> None:
    """An executable shell script."""
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def packages(machine: Path, *pairs: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/packages on that machine."""
    return subprocess.run(
        [ROOT / ".ci/packages", *pairs],
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_no_package_is_installed_twice(machine: Path) -> None:
    done = packages(machine, "bash=bash", f"{ROOT}/pyproject.toml=ours")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (machine / "apt.log").exists()


def test_root_gets_what_is_missing(machine: Path) -> None:
    assert packages(machine, "bash=bash", "storescu=dcmtk", "/no/where=orthanc").returncode == 0
    update, install = (machine / "apt.log").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith("install -y --no-install-recommends dcmtk orthanc")


def test_anyone_else_is_told_what_to_install(machine: Path) -> None:
    script(machine / "id", "echo 1000")
    done = packages(machine, "storescu=dcmtk", "=python3-venv")
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends dcmtk python3-venv" in done.stderr
    assert not (machine / "apt.log").exists()


def test_passwordless_sudo_is_used(machine: Path) -> None:
    script(machine / "id", "echo 1000")
    script(machine / "sudo", '[ "$1" != -n ] || shift; [ "$1" = true ] || exec "$@"')
    assert packages(machine, "storescu=dcmtk").returncode == 0
    assert (machine / "apt.log").read_text().endswith("dcmtk\n")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "\nexec make test </dev/null\n" in (ROOT / ".ci/run").read_text()
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(), re.M)
    assert os.access(ROOT / ".ci/run", os.X_OK)


# --- service, container, hooks ---


def test_systemd_unit_is_valid(tmp_path: Path) -> None:
    """The program is not at /opt here; everything else of the unit is checked."""
    unit = (ROOT / "systemd/msnode.service").read_text()
    (tmp_path / "msnode.service").write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit, flags=re.M)
    )
    verify = tool("systemd-analyze", "systemd"), "verify", "--man=no"
    assert run(*verify, tmp_path / "msnode.service").strip() == ""


def test_systemd_unit_is_hardened() -> None:
    security = tool("systemd-analyze", "systemd"), "security", "--offline=true", "--no-pager"
    answer = run(*security, "--threshold=19", ROOT / "systemd/msnode.service")
    assert "Overall exposure level" in answer


def test_dockerfile_passes_hadolint() -> None:
    run(Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile")


def test_docker_context_holds_what_the_dockerfile_copies() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    sources = {source for line in copies for source in line.split()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert sources == let_in
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_pre_commit_configuration_is_valid() -> None:
    program = Path(sys.executable).parent / "pre-commit"
    run(program, "validate-config", ROOT / ".pre-commit-config.yaml")


# --- watching ---


def known_metrics() -> dict[str, set[str]]:
    """Each metric of msnode/metrics.py with the names of its series."""
    suffixes = {
        "counter": {"_total"},
        "info": {"_info"},
        "histogram": {"_bucket", "_sum", "_count"},
        "gauge": {""},
    }
    assert metrics.READY, "importing the module registers them"
    families = [family for family in REGISTRY.collect() if family.name.startswith("msnode_")]
    return {
        family.name: {family.name + suffix for suffix in suffixes[family.type]}
        for family in families
    }


@pytest.mark.parametrize("path", [ALERTS, DASHBOARD], ids=lambda path: path.name)
def test_only_existing_metrics_are_asked_for(path: Path) -> None:
    asked = set(re.findall(r"\bmsnode_[a-z_]+", path.read_text()))
    assert len(asked) > 5
    assert asked <= set().union(*known_metrics().values())


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs/metrics.md").read_text()
    names = [
        name if series == {name} or len(series) > 1 else series.pop()
        for name, series in known_metrics().items()
    ]
    assert [name for name in names if f"`{name}`" not in text] == []


# --- documentation ---


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", path.read_text())
    local = {a or b for a, b in targets if "://" not in (a or b)}
    assert [target for target in local if not (path.parent / target).exists()] == []
