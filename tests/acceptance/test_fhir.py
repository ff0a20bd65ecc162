"""A node beside a FHIR server: results go out, and what the clinic knows comes in."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pydicom
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.acceptance import peers
from tests.acceptance.conftest import Sent
from tests.acceptance.small_node import small_node
from tests.fhir_server import Server, flaws, serving
from tests.patience import PATIENCE

pytestmark = pytest.mark.timeout(420)

SYSTEM = "urn:oid:1.2.3"


@pytest.fixture
def ehr(tmp_path: Path) -> Iterator[Server]:
    """A FHIR server that gives tokens to who signs with ``smart.pem``."""
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "smart.pem").write_bytes(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with serving() as running:
        running.client_key, running.token = public.decode(), "not given yet"
        yield running


def test_a_result_goes_out_and_what_the_clinic_knows_comes_in(
    ehr: Server, tmp_path: Path, new_study: Callable[[], Sent]
) -> None:
    study = new_study()
    header = pydicom.dcmread(next(study.folder.rglob("*.dcm")), stop_before_pixels=True)
    who = str(header.PatientID)
    identifier = [{"system": SYSTEM, "value": who}]
    ehr.add({"resourceType": "Patient", "id": "p", "identifier": identifier})
    ehr.add(edss("e1", 2.0, "2020-01-01"))
    auth = {"token_url": f"{ehr.url}/token", "client_id": "msnode", "algorithm": "ES384",
            "client_key": str(tmp_path / "smart.pem")}  # fmt: skip
    there = {"name": "ehr", "fhir": ehr.url, "patient_system": SYSTEM, "auth": auth}
    web = peers.free_port()
    port = peers.free_port()
    fhir = {"patient_system": SYSTEM}
    node = small_node(
        tmp_path, tmp_path / "data",
        receive={"port": port, "dicomweb": {"port": web, "fhir": fhir}},
        destinations=[there], clinical=[there],
    )  # fmt: skip
    node.start()
    try:
        assert post(web, edss("e2", 3.0, "2021-01-01"), who) == "200"
        peers.dcmtk("dcmsend", "-aec", "MSNODE", "+sd", "127.0.0.1", port, study.folder)
        peers.wait(lambda: ehr.all_of("DiagnosticReport"), 120, "the result")
        asked = 'msnode_clinical_searches_total{outcome="answered",source="ehr"}'
        peers.wait(lambda: node.metric(asked), 30, "the search")
        assert node.metric('msnode_fhir_requests_total{status="200"}') == 1
        checked = msnode(node.folder, "check")
        assert "ok  destination ehr" in checked
        assert "ok  clinical source ehr" in checked
        log = node.log.read_text()
    finally:
        node.kill_if_alive()
    assert flaws([json.loads(ehr.received[0])]) == []
    (report,) = ehr.all_of("DiagnosticReport")
    assert report["subject"] == {"reference": "Patient/p"}
    shown = json.loads(msnode(node.folder, "twin", "show", who, "--json"))
    values = [one["value"] for one in shown["events"] if one["kind"] == "edss"]
    assert values == ["2.0", "3.0"]
    assert who not in log


def edss(name: str, value: float, day: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": name, "status": "final",
        "meta": {"lastUpdated": "2024-06-01T00:00:00Z"},
        "code": {"coding": [{"system": "urn:msnode:twin:kind", "code": "edss"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": day, "valueQuantity": {"value": value},
    }  # fmt: skip


def post(port: int, resource: dict[str, Any], who: str) -> str:
    """Post a resource; returns the status of its entry."""
    subject = {"identifier": {"system": SYSTEM, "value": who}}
    bundle = {"resourceType": "Bundle", "type": "batch",
              "entry": [{"resource": resource | {"subject": subject}}]}  # fmt: skip
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        kind = {"Content-Type": "application/fhir+json"}
        connection.request("POST", "/fhir", json.dumps(bundle), kind)
        answer = json.loads(connection.getresponse().read())
    return str(answer["entry"][0]["response"]["status"][:3])


def msnode(folder: Path, *arguments: str) -> str:
    """What a command says."""
    command = [sys.executable, "-m", "msnode", *arguments, "--config", str(folder / "msnode.yaml")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )
    return done.stdout + done.stderr
