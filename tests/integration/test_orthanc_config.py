"""The Orthanc configuration that is shipped as an example, in a real Orthanc."""

import json
import re
from pathlib import Path

import pytest
from pydicom.uid import MRImageStorage

from tests.acceptance import peers
from tests.dicom import secondary_capture


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    """config/orthanc.json with this test's ports and folders."""
    text = (peers.ROOT / "config/orthanc.json").read_text()
    shipped: dict[str, object] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return shipped | {
        "StorageDirectory": str(tmp_path / "db"),
        "HttpPort": peers.free_port(),
        "DicomPort": peers.free_port(),
        "LuaScripts": [str(peers.ROOT / "config" / name) for name in shipped["LuaScripts"]],  # type: ignore[attr-defined]
        "StableAge": 1,
    }


def test_new_mr_series_reach_the_node(tmp_path: Path, settings: dict[str, object]) -> None:
    mr, ct = tmp_path / "mr.dcm", tmp_path / "ct.dcm"
    secondary_capture(
        Modality="MR", SOPClassUID=MRImageStorage, SeriesInstanceUID="2.25.3"
    ).save_as(mr, enforce_file_format=True)
    secondary_capture(Modality="CT", SeriesInstanceUID="2.25.4").save_as(
        ct, enforce_file_format=True
    )
    with peers.storescp(tmp_path / "node") as node:
        modality = settings["DicomModalities"]["msnode"]  # type: ignore[index]
        modality["Port"] = node.port
        path = tmp_path / "orthanc.json"
        path.write_text(json.dumps(settings))
        pacs = peers.Orthanc(
            int(str(settings["HttpPort"])), int(str(settings["DicomPort"])), tmp_path, "PACS"
        )
        command = [peers.tool("Orthanc", "orthanc"), str(path)]
        with peers.program(command, tmp_path / "orthanc.log"):
            peers.wait(pacs.answers, 30, "Orthanc to answer")
            sent_back = peers.dcmtk(
                "storescu", "-aet", "MSNODE", "-aec", "PACS", "127.0.0.1", pacs.port, mr
            )
            assert sent_back.returncode == 0, "the node may store its results"
            stranger = peers.dcmtk(
                "storescu", "-aet", "STRANGER", "-aec", "PACS", "127.0.0.1", pacs.port, ct
            )
            assert stranger.returncode != 0, "nobody else may"
            pacs.upload([ct])
            peers.wait(
                lambda: len(pacs.get("/series?expand=1&since=0&limit=9")) == 2, 10, "both series"
            )
            again = tmp_path / "again.dcm"
            secondary_capture(
                Modality="MR", SOPClassUID=MRImageStorage, SeriesInstanceUID="2.25.5"
            ).save_as(again, enforce_file_format=True)
            pacs.upload([again])
            peers.wait(lambda: node.files, 20, "the MR series to be forwarded")
            jobs = pacs.get("/jobs?expand=1")
    assert len(node.files) == 1, "neither what came from the node nor the CT"
    assert len(jobs) == 1
