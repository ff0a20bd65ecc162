"""The main job, end to end: studies come in from real programs, results reach a real PACS."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import RTPlanStorage

from msnode.deliver.c_store import send
from msnode.records.uid_hash import uid_hash
from msnode.requestor.peer import parse_peer
from tests.acceptance import peers
from tests.acceptance.conftest import Hospital, Sent
from tests.dicom import secondary_capture
from tests.patience import PATIENCE

NewStudy = Callable[[], Sent]

pytestmark = pytest.mark.timeout(420)  # a loaded machine takes a minute to read the model


def texts(dataset: Dataset) -> Iterator[str]:
    """Every text of an SR document (PS3.3 C.17.3, TEXT items)."""
    for item in dataset.get("ContentSequence", []):
        if "TextValue" in item:
            yield str(item.TextValue)
        yield from texts(item)


def said(results: list[Dataset]) -> str:
    """All that the SR of a result says."""
    return "\n".join(texts(results[-1]))


def dcmsend(hospital: Hospital, folder: Path) -> None:
    """Send a folder as a modality would."""
    sent = peers.dcmtk(
        "dcmsend", "-aet", "SCANNER", "-aec", "MSNODE", "+sd", "+r", "127.0.0.1",
        hospital.node.port, folder,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout


def storescu(hospital: Hospital, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Send a folder with only the presentation contexts it needs."""
    return peers.dcmtk(
        "storescu", "-aet", "SCANNER", "-aec", "MSNODE", "-R", "+sd", "+r", *options,
        "127.0.0.1", hospital.node.port, folder,
    )  # fmt: skip


def test_a_study_comes_back_as_sr_and_secondary_capture(
    hospital: Hospital, new_study: NewStudy
) -> None:
    study = new_study()
    dcmsend(hospital, study.folder)
    montage, document = hospital.await_results(study.uid)
    assert (montage.Modality, document.Modality) == ("OT", "SR")
    assert document.PatientID == montage.PatientID == "MSNODE-SAMPLE"
    assert montage.BurnedInAnnotation == "YES"
    assert document.VerificationFlag == "UNVERIFIED"
    hospital.await_in_pacs(study.uid, ["OT", "SR"])


@pytest.mark.parametrize(
    "series", ["philips_t1_sagittal", "siemens_t1_sagittal_hfs", "siemens_enhanced_t1"]
)
def test_another_sequence_is_not_analysed_and_the_pacs_hears_why(
    hospital: Hospital, shared: Path, series: str
) -> None:
    folder = shared / "dicom" / series
    sent = storescu(hospital, folder)
    assert sent.returncode == 0, sent.stdout
    first = next(path for path in sorted(folder.rglob("*")) if path.is_file())
    uid = str(pydicom.dcmread(first, stop_before_pixels=True).StudyInstanceUID)
    reason = said(hospital.await_results(uid))
    assert "FLAIR" in reason
    assert "T1" in reason
    hospital.await_in_pacs(uid, ["OT", "SR"])


def test_the_pacs_routes_a_study_and_finds_the_result_in_it(
    hospital: Hospital, new_study: NewStudy
) -> None:
    study = new_study()
    hospital.pacs.upload(study.paths)
    expected = ["MR"] * len(study.paths) + ["OT", "SR"]
    hospital.await_in_pacs(study.uid, sorted(expected), 90)
    analysed = hospital.node.sum("msnode_studies_total")
    time.sleep(4)  # longer than StableAge, forwarding and the quiet time together
    assert hospital.pacs.modalities(study.uid) == sorted(expected), "the result came back round"
    assert hospital.node.sum("msnode_studies_total") == analysed


def test_what_was_acknowledged_survives_a_kill_and_arrives_once(
    hospital: Hospital, new_study: NewStudy
) -> None:
    under_way, waiting = new_study(), new_study()
    dcmsend(hospital, under_way.folder)
    peers.wait(
        lambda: f"study={uid_hash(under_way.uid)}" in hospital.node.log.read_text(),
        60,
        "the study to be handed out",
    )
    dcmsend(hospital, waiting.folder)
    hospital.node.kill()
    hospital.node.start()
    for study in (waiting, under_way):
        assert len(hospital.await_results(study.uid)) == 2
        hospital.await_in_pacs(study.uid, ["OT", "SR"])


def test_late_images_revise_the_result_and_repeated_ones_do_not(
    hospital: Hospital, new_study: NewStudy, tmp_path: Path
) -> None:
    study = new_study()
    late = tmp_path / "late"
    late.mkdir()
    for path in study.paths[-3:]:
        path.rename(late / path.name)
    dcmsend(hospital, study.folder)
    hospital.await_results(study.uid)
    dcmsend(hospital, late)
    peers.wait(lambda: len(hospital.of(study.uid)) == 4, 90, "the revised result")
    reports = [dataset for dataset in hospital.of(study.uid) if dataset.Modality == "SR"]
    (revised,) = [report for report in reports if "PredecessorDocumentsSequence" in report]
    (first,) = [report for report in reports if report is not revised]
    (series,) = revised.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [
        first.SOPInstanceUID
    ]
    dcmsend(hospital, late)
    time.sleep(4)  # longer than the quiet time and the analysis of so small a change
    assert len(hospital.of(study.uid)) == 4


def test_a_wrong_called_ae_title_is_rejected(hospital: Hospital) -> None:
    echoed = peers.dcmtk("echoscu", "-aec", "OTHER", "127.0.0.1", hospital.node.port)
    assert echoed.returncode != 0
    assert "Called AE Title Not Recognized" in echoed.stdout
    assert peers.dcmtk("echoscu", "-aec", "MSNODE", "127.0.0.1", hospital.node.port).returncode == 0


def test_a_ct_study_is_not_accepted(hospital: Hospital, shared: Path) -> None:
    folder = shared / "dicom/not_a_volume/gantrytilting"
    before = hospital.node.sum("msnode_instances_total")
    sent = storescu(hospital, folder)
    assert sent.returncode != 0
    assert "No Acceptable Presentation Contexts" in sent.stdout
    assert hospital.node.sum("msnode_instances_total") == before


def test_a_phantom_is_not_reported_as_a_brain(hospital: Hospital, shared: Path) -> None:
    not_analysed = 'msnode_studies_total{outcome="not_analysed"}'
    before = hospital.node.metric(not_analysed)
    folder = shared / "dicom/ge_phantom_labelled_brain"
    dcmsend(hospital, folder)
    uid = str(pydicom.dcmread(folder / "0000.dcm", stop_before_pixels=True).StudyInstanceUID)
    assert "FLAIR" in said(hospital.await_results(uid))
    assert hospital.node.metric(not_analysed) == before + 1


def test_malformed_objects_get_the_right_answer(hospital: Hospital, new_study: NewStudy) -> None:
    study = new_study()
    node = parse_peer(f"MSNODE@127.0.0.1:{hospital.node.port}")
    nameless = pydicom.dcmread(study.paths[0])
    del nameless.StudyInstanceUID
    nameless.save_as(study.folder / "nameless.dcm")
    garbage = study.folder / "garbage.dcm"
    garbage.write_bytes(study.paths[1].read_bytes()[:400] + b"\xff" * 5000)
    plan = study.folder / "plan.dcm"
    secondary_capture(SOPClassUID=RTPlanStorage).save_as(plan, enforce_file_format=True)
    paths = [study.folder / "nameless.dcm", garbage, plan]
    nameless_answer, garbage_answer, plan_answer = send(paths, node, "SCANNER")
    assert nameless_answer.status == 0xA900
    assert garbage_answer.status is not None
    assert garbage_answer.status & 0xF000 in (0xA000, 0xC000)
    assert plan_answer.status == 0x0122
    assert hospital.node.get("/healthz")[0] == 200


def test_truncated_pixels_are_reported_with_the_attribute(
    hospital: Hospital, new_study: NewStudy
) -> None:
    study = new_study()
    for path in study.paths:
        image = pydicom.dcmread(path)
        image.PixelData = image.PixelData[: len(image.PixelData) // 2]
        image.save_as(path)
    dcmsend(hospital, study.folder)
    assert "PixelData" in said(hospital.await_results(study.uid)).replace(" ", "")


def test_prometheus_likes_the_metrics(hospital: Hospital) -> None:
    text = hospital.node.get("/metrics")[1]
    checked = subprocess.run(
        [peers.tool("promtool", "prometheus"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert hospital.node.metric('msnode_instances_total{outcome="stored"}') > 0
    assert "msnode_result_seconds_bucket" in text


def test_no_patient_is_named_outside_the_data_folder(hospital: Hospital) -> None:
    spoken = hospital.node.log.read_text() + hospital.node.get("/metrics")[1]
    assert "SAMPLE^PATIENT" not in spoken
    assert "MSNODE-SAMPLE" not in spoken


def test_a_dead_destination_holds_nobody_up_and_gets_its_results_later(
    hospital: Hospital, new_study: NewStudy, tmp_path: Path
) -> None:
    retried = 'msnode_deliveries_total{destination="dead",outcome="retried"}'
    study = new_study()
    dcmsend(hospital, study.folder)
    hospital.await_results(study.uid)
    before = hospital.node.metric(retried)
    peers.wait(lambda: hospital.node.metric(retried) >= before + 2, 20, "two more attempts")
    with peers.storescp(tmp_path, port=hospital.dead_port) as revived:

        def arrived() -> bool:
            uids = [pydicom.dcmread(path).StudyInstanceUID for path in revived.files]
            return uids.count(study.uid) == 2

        peers.wait(arrived, 90, "the result at the destination that came back")


def test_the_same_study_again_is_not_analysed_again(
    hospital: Hospital, new_study: NewStudy
) -> None:
    study = new_study()
    dcmsend(hospital, study.folder)
    hospital.await_results(study.uid)
    analysed = hospital.node.sum("msnode_studies_total")
    dcmsend(hospital, study.folder)
    time.sleep(4)
    assert hospital.node.sum("msnode_studies_total") == analysed
    assert len(hospital.of(study.uid)) == 2


def test_predict_prints_one_object_a_study(new_study: NewStudy, tmp_path: Path) -> None:
    study = new_study()
    command = [sys.executable, "-m", "msnode", "predict", "--json", "--device", "cpu"]
    command += ["--out", str(tmp_path / "out"), str(study.folder)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=300 * PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr
    (line,) = ran.stdout.splitlines()
    result = json.loads(line)
    assert set(result) >= {
        "study", "analysed", "reason", "probability", "threshold", "decision", "series", "slices",
        "model",
    }  # fmt: skip
    assert result["study"] == study.uid
    assert result["analysed"] is True
    assert 0 <= result["probability"] <= 1
    assert result["decision"] in ("present", "absent", "undetermined")
    assert set(result["series"][0]) >= {"uid", "description", "chosen", "why"}
    assert set(result["slices"][0]) >= {"index", "sop_instance_uid", "frame", "probability"}
    assert set(result["model"]) >= {"name", "version", "digest"}
    assert {str(pydicom.dcmread(path).Modality) for path in (tmp_path / "out").rglob("*.dcm")} == {
        "SR",
        "OT",
    }


def test_it_stops_within_ten_seconds_of_sigterm(hospital: Hospital) -> None:
    assert hospital.node.terminate() < 10
    assert hospital.node.process is not None
    assert hospital.node.process.returncode == 0
    hospital.node.start()  # for the tests of other files
