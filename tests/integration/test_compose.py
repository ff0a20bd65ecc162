"""The Compose files: whole, and their parts in the programs that they are for."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from msnode import config
from msnode.config import DicomPeer
from tests.acceptance import peers

COMPOSE = peers.ROOT / "config" / "compose"
SECRETS = {"MSNODE_DB_PASSWORD": "one", "ORTHANC_PASSWORD": "two", "GRAFANA_PASSWORD": "three"}


def composed(**secrets: str) -> subprocess.CompletedProcess[str]:
    command = [peers.tool("docker-compose", "docker-compose"), "-f", "compose.yaml", "config"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", **secrets}
    return subprocess.run(
        command, cwd=COMPOSE, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """What Compose makes of the file."""
    made = composed(**SECRETS)
    assert made.returncode == 0, made.stderr
    services: dict[str, Any] = yaml.safe_load(made.stdout)["services"]
    return services


def orthanc_settings() -> dict[str, Any]:
    text = (COMPOSE / "orthanc.json").read_text()
    settings: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return settings


def test_nothing_starts_without_passwords() -> None:
    for missing in SECRETS:
        made = composed(**{name: value for name, value in SECRETS.items() if name != missing})
        assert made.returncode != 0
        assert "give it a value in .env" in made.stderr
    example = (COMPOSE / "env.example").read_text()
    assert all(f"\n{name}=\n" in example for name in SECRETS), "none has a default"


def test_every_file_is_there_and_every_image_has_its_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert name == "node" or re.search(r":v?\d+\.\d+", service["image"]), service["image"]
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("/") or Path(source).is_file(), source


def test_only_dicom_is_open_to_others(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    published = {port if isinstance(port, str) else port["published"] for port in ports}
    beyond = {port for port in published if not str(port).startswith("127.0.0.1:")}
    assert {str(port).split(":")[0].split("/")[0] for port in beyond} == {"11112", "4242"}


def test_the_node_knows_the_others_by_their_names(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSNODE_DB_PASSWORD", "one")
    node = config.load(COMPOSE / "msnode.yaml")
    (pacs,) = node.destinations
    settings = orthanc_settings()
    assert isinstance(pacs, DicomPeer)
    assert pacs.host in services
    assert (pacs.ae_title, pacs.port) == (settings["DicomAet"], settings["DicomPort"])
    us = settings["DicomModalities"]["msnode"]
    assert (us["AET"], us["Port"]) == (node.receive.ae_title, node.receive.port)
    assert us["Host"] in services
    assert node.database is not None
    assert "@postgres/" in node.database
    (job,) = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"node:{node.http.port}"]
    assert job["job_name"] == "msnode", "as the rules have it"


def test_prometheus_takes_its_file(tmp_path: Path) -> None:
    rules = peers.ROOT / "config" / "prometheus" / "msnode.rules.yml"
    for file in (COMPOSE / "prometheus.yml", rules):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    promtool = peers.tool("promtool", "prometheus")
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_grafana_finds_the_dashboard_and_its_source(services: dict[str, Any]) -> None:
    (source,) = yaml.safe_load((COMPOSE / "grafana/datasource.yml").read_text())["datasources"]
    assert re.fullmatch(r"http://prometheus:9090", source["url"])
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((COMPOSE / "grafana/dashboards.yml").read_text())["providers"]
    folder = provider["options"]["path"]
    targets = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert f"{folder}/msnode.json" in targets


def test_orthanc_takes_its_file_and_asks_for_a_password(tmp_path: Path) -> None:
    settings = orthanc_settings()
    http, dicom = peers.free_port(), peers.free_port()
    settings |= {
        "StorageDirectory": str(tmp_path / "db"), "HttpPort": http, "DicomPort": dicom,
        "RegisteredUsers": {"admin": "two"},
        "LuaScripts": [str(peers.ROOT / "config" / "orthanc-route.lua")],
    }  # fmt: skip
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    command = [peers.tool("Orthanc", "orthanc"), str(tmp_path / "orthanc.json")]

    def status() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/modalities", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    with peers.program(command, tmp_path / "orthanc.log"):
        peers.wait(lambda: status() == 401, 30, "Orthanc to ask who is there")
        echo = peers.dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", dicom)
        assert echo.returncode == 0, echo.stderr
