"""A blood smear study through a node: sent by dcmtk, its SR and SC back at the PACS.

The network was trained on drawn cells by `msnode train`; the road is what is tested here, with
drawn pictures and, where they are at hand, with photographs of real smears.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.uid import (
    JPEGBaseline8Bit,
    VLMicroscopicImageStorage,
    VLPhotographicImageStorage,
    VLSlideCoordinatesMicroscopicImageStorage,
)

from msnode import sample
from tests import smears
from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.smears import said


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Orthanc]:
    with peers.orthanc(tmp_path_factory.mktemp("pacs")) as pacs:
        yield pacs


@pytest.fixture(scope="module")
def node(
    pacs: peers.Orthanc, smear_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """It reads brain MRI by one bundle and blood smears by another."""
    folder = tmp_path_factory.mktemp("node")
    destinations = [
        {"name": "archive", "folder": str(folder / "archive")},
        peers.destination("pacs", pacs.ae_title, pacs.port),
    ]
    smear = {"smears": {"bundle": str(smear_bundle)}}
    made = small_node(folder, folder / "data", classify=smear, destinations=destinations)
    made.start()
    yield made
    made.kill_if_alive()


def send(node: Node, folder: Path, *options: str) -> None:
    tool = peers.tool("storescu", "dcmtk")
    peers.run(tool, *options, "-aec", "MSNODE", "+sd", "127.0.0.1", node.port, folder)


def results(node: Node, pacs: peers.Orthanc, uid: str) -> dict[str, Dataset]:
    """What came back of a study, by Modality, as it lies in the folder."""
    peers.wait(lambda: pacs.modalities(uid) == ["OT", "SR"], 60, "SR and SC at the PACS")
    archive = (node.folder / "archive").glob("*.dcm")
    mine = [one for one in map(pydicom.dcmread, archive) if one.StudyInstanceUID == uid]
    return {str(one.Modality): one for one in mine}


def test_a_microscopic_study_comes_back_as_sr_and_sc_that_speak_of_cells(
    node: Node, pacs: peers.Orthanc, tmp_path: Path
) -> None:
    first = smears.dicom(smears.drawn(5, nuclei=True, size=(192, 192)), VLMicroscopicImageStorage)
    same = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    second = smears.dicom(
        smears.drawn(6, nuclei=True, size=(150, 220)),
        VLSlideCoordinatesMicroscopicImageStorage,
        InstanceNumber=2,
        **same,
    )
    smears.write(tmp_path / "study", [first, second])
    send(node, tmp_path / "study")
    found = results(node, pacs, first.StudyInstanceUID)
    assert found["SR"].PatientID == "S1"
    words = said(found["SR"])
    assert {"104157003", "87612001", "MS_CELLS"} <= set(words.split())
    for wrong in ("24590-2", "12738006", "BRAIN", "WHITE MATTER", "110702", "SALIENCY", "HEAD"):
        assert wrong not in words, wrong
        assert wrong not in said(found["OT"]), wrong
    assert smears.NOTICE.upper() in words
    referred = {one.ReferencedSOPInstanceUID for one in found["OT"].SourceImageSequence}
    assert referred <= {first.SOPInstanceUID, second.SOPInstanceUID}
    assert node.metric('msnode_faults_total{reason="classify_failed"}') == 0
    for modality, dataset in found.items():
        path = tmp_path / f"{modality}.dcm"
        dataset.save_as(path)
        assert "Error" not in _dciodvfy(path), modality


def _dciodvfy(path: Path) -> str:
    tool = peers.tool("dciodvfy", "dicom3tools")
    done = subprocess.run([tool, "-new", path], capture_output=True, text=True, check=False)
    return done.stderr


def test_an_mri_study_is_still_one_of_the_brain(
    node: Node, pacs: peers.Orthanc, tmp_path: Path
) -> None:
    """The same node, the other bundle; a photograph beside the images changes nothing."""
    paths = sample.write_study(tmp_path / "study")
    image = pydicom.dcmread(paths[0])
    beside = {name: image[name].value for name in ("StudyInstanceUID", "PatientID")}
    photograph = smears.dicom(
        smears.drawn(1, nuclei=True), VLPhotographicImageStorage,
        StudyDescription="Blood smear", **beside,
    )  # fmt: skip
    smears.write(tmp_path / "study", [photograph])
    send(node, tmp_path / "study")
    words = said(results(node, pacs, image.StudyInstanceUID)["SR"])
    assert "24590-2" in words
    assert "MS_CELLS" not in words
    assert "TILE" not in words


def test_photographs_of_real_smears_go_the_same_way(
    node: Node, pacs: peers.Orthanc, shared: Path, tmp_path: Path
) -> None:
    """JPEG as the camera wrote it; what the network says of them means nothing."""
    photographs = sorted((shared / "smears").glob("*.jpg"))[:4]
    assert photographs
    images: list[Dataset] = []
    for number, path in enumerate(photographs, 1):
        with Image.open(path) as picture:
            size = {"Rows": picture.height, "Columns": picture.width}
        attributes = size | {"Modality": "XC", "InstanceNumber": number,
                             "SeriesDescription": "Blood smear, May-Grünwald-Giemsa",
                             "SpecificCharacterSet": "ISO_IR 100"}  # fmt: skip
        if images:
            attributes |= {n: images[0][n].value for n in ("StudyInstanceUID", "SeriesInstanceUID")}
        jpeg = path.read_bytes()
        images.append(
            smears.dicom(jpeg, VLPhotographicImageStorage, JPEGBaseline8Bit, **attributes)
        )
    smears.write(tmp_path / "study", images)
    send(node, tmp_path / "study", "-xy")
    found = results(node, pacs, images[0].StudyInstanceUID)
    assert f"TILES OF {len(images)} IMAGES" in said(found["SR"])
