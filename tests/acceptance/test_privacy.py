"""What a study leaves behind: nothing that tells whose it is, but where privacy.md allows it."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from msnode import sample
from tests.acceptance.conftest import Hospital
from tests.acceptance.peers import dcmtk
from tests.acceptance.test_main_job import dcmsend

pytestmark = pytest.mark.timeout(420)  # a loaded machine takes a minute to read the model

MARKS = {
    "PatientName": "Zzname^Zzgiven",
    "PatientID": "ZZID-4711",
    "PatientBirthDate": "19410203",
    "StudyDate": "20030415",
    "AccessionNumber": "ZZACC-0815",
    "OtherPatientNames": "Zzother",
    "PatientAddress": "Zzstreet",
    "ReferringPhysicianName": "Zzdoctor",
    "RequestingPhysician": "Zzasking",
}
STUDY_DATE = "20030415|2003-04-15"
PATIENT = "zzname|zzgiven|zzid-|19410203|1941-02-03|zzacc-|zzother|zzstreet|zzdoctor|zzasking"
SECRET = re.compile(f"{PATIENT}|{STUDY_DATE}", re.IGNORECASE)
ALLOWED = {"instances", "incoming", "quarantine", "work", "audit"}
"""Folders of the data folder that hold patient data (docs/privacy.md)."""


def marked(folder: Path, uid: str, **changes: str) -> Path:
    """The sample study with marks in every attribute that tells whose it is."""
    for path in sample.write_study(folder, study_uid=uid):
        image = pydicom.dcmread(path)
        for name, value in {**MARKS, **changes}.items():
            setattr(image, name, value)
        image.save_as(path)
    return folder


@pytest.fixture(scope="module")
def visited(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    """The node after studies of this patient: one analysed, one not, one refused, one broken."""
    folder = tmp_path_factory.mktemp("marked")
    uid, other = str(generate_uid()), str(generate_uid())
    dcmsend(hospital, marked(folder / "good", uid))
    dcmsend(hospital, marked(folder / "other", other, SeriesDescription="localizer"))
    hospital.await_results(uid)
    hospital.await_results(other)
    port = hospital.node.port
    mixed = next(marked(folder / "mixed", uid, PatientID="ZZID-4712").iterdir())
    dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", port, mixed)
    cut = folder / "cut.dcm"
    cut.write_bytes(mixed.read_bytes()[:700])
    dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", port, cut)
    assert "refused" in hospital.node.log.read_text()
    return hospital


def processes(pid: int) -> Iterator[Path]:
    """The node's process and all below it, in /proc."""
    yield Path(f"/proc/{pid}")
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from processes(int(child))


def test_logs_and_metrics_do_not_say_whose_it_is(visited: Hospital) -> None:
    assert SECRET.findall(visited.node.log.read_text()) == []
    for path in ("/metrics", "/healthz", "/readyz"):
        assert SECRET.findall(visited.node.get(path)[1]) == []


def test_process_and_thread_names_do_not(visited: Hospital) -> None:
    process = visited.node.process
    assert process is not None
    for folder in processes(process.pid):
        said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        for task in (folder / "task").iterdir():
            said += (task / "comm").read_bytes()
        assert SECRET.findall(said.decode(errors="replace")) == []


def test_file_names_do_not(visited: Hospital) -> None:
    data = Path(visited.node.settings["data"])
    names = [str(path) for folder in (data, visited.results) for path in folder.rglob("*")]
    assert len(names) > 40
    assert SECRET.findall("\n".join(names)) == []


def test_what_else_is_in_the_data_folder_does_not(visited: Hospital) -> None:
    """The database knows the study's date, to put earlier studies in order."""
    data = Path(visited.node.settings["data"])
    looked_at = []
    for path in data.rglob("*"):
        if path.is_file() and path.relative_to(data).parts[0] not in ALLOWED:
            looked_at.append(path.name)
            found = re.findall(PATIENT.encode(), path.read_bytes(), re.IGNORECASE)
            assert found == [], path
    assert "msnode.sqlite" in looked_at


def test_the_audit_trail_names_the_patient_by_id_alone(visited: Hospital) -> None:
    data = Path(visited.node.settings["data"])
    (trail,) = (data / "audit").glob("*.log")
    text = trail.read_text()
    assert 'ParticipantObjectID="ZZID-4711"' in text
    assert {found.lower() for found in SECRET.findall(text)} == {"zzid-"}
    assert stat.S_IMODE(trail.stat().st_mode) == 0o600


def test_the_data_folder_is_the_services_alone(visited: Hospital) -> None:
    assert stat.S_IMODE(Path(visited.node.settings["data"]).stat().st_mode) == 0o700
