"""The Orthanc configuration that is shipped as an example, in a real Orthanc."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def running(folder: Path, settings: dict[str, object], node_port: int) -> Iterator[peers.Orthanc]:
    """An Orthanc with the shipped configuration."""
    settings["DicomModalities"]["msnode"]["Port"] = node_port  # type: ignore[index]
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    ports = int(str(settings["HttpPort"])), int(str(settings["DicomPort"]))
    pacs = peers.Orthanc(*ports, folder, "PACS")
    with peers.program([peers.tool("Orthanc", "orthanc"), str(path)], folder / "orthanc.log"):
        peers.wait(pacs.answers, 30, "Orthanc to answer")
        yield pacs


def test_viewers_show_the_results(tmp_path: Path, settings: dict[str, object]) -> None:
    peers.plugin("libOrthancDicomWeb.so", "orthanc-dicomweb")
    peers.plugin("libOrthancWebViewer.so", "orthanc-webviewer")
    result = tmp_path / "result.dcm"
    dataset = secondary_capture(SOPInstanceUID="2.25.9")
    dataset.save_as(result, enforce_file_format=True)
    with running(tmp_path, settings, peers.free_port()) as pacs:
        sent = peers.dcmtk(
            "storescu", "-aet", "MSNODE", "-aec", "PACS", "127.0.0.1", pacs.port, result
        )
        assert sent.returncode == 0
        assert [str(found["00080018"]) for found in pacs.instances(dataset.StudyInstanceUID)] == [
            "2.25.9"
        ], "OHIF finds it by DICOMweb"
        (series,) = pacs.get("/series")
        assert pacs.get(f"/web-viewer/series/{series}")["Slices"], "Orthanc's own viewer shows it"
        fetched = tmp_path / "workstation"
        fetched.mkdir()
        got = peers.dcmtk(
            "getscu", "-S", "-aet", "VIEWER", "-aec", "PACS", "-od", fetched,
            "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={dataset.StudyInstanceUID}",
            "127.0.0.1", pacs.port,
        )  # fmt: skip
        assert got.returncode == 0, got.stderr
        assert len(list(fetched.iterdir())) == 1, "a workstation fetches it"


def test_new_mr_series_reach_the_node(tmp_path: Path, settings: dict[str, object]) -> None:
    mr, ct = tmp_path / "mr.dcm", tmp_path / "ct.dcm"
    secondary_capture(
        Modality="MR", SOPClassUID=MRImageStorage, SeriesInstanceUID="2.25.3"
    ).save_as(mr, enforce_file_format=True)
    secondary_capture(Modality="CT", SeriesInstanceUID="2.25.4").save_as(
        ct, enforce_file_format=True
    )
    with (
        peers.storescp(tmp_path / "node") as node,
        running(tmp_path, settings, node.port) as pacs,
    ):
        sent_back = peers.dcmtk(
            "storescu", "-aet", "MSNODE", "-aec", "PACS", "127.0.0.1", pacs.port, mr
        )
        assert sent_back.returncode == 0, "the node may store its results"
        scanner = peers.dcmtk(
            "storescu", "-aet", "SCANNER", "-aec", "PACS", "127.0.0.1", pacs.port, ct
        )
        assert scanner.returncode == 0, "a scanner may send that nobody has listed"
        other = peers.dcmtk("echoscu", "-aec", "OTHER", "127.0.0.1", pacs.port)
        assert other.returncode != 0, "it is called by its name"
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
