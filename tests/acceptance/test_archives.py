"""Every object of every profile is taken by archives of three makes, found there, given back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.filereader import dcmread

from msnode import report
from msnode.config import Describe, DicomPeer, Form
from msnode.deliver.c_store import send
from msnode.deliver.deliveries import identify
from msnode.records.results import Report
from tests import lesion_reports, reports
from tests.acceptance import archives, peers
from tests.acceptance.archives import Archive, content

OBJECTS = {
    "minimal": 2, "standard": 3 + 36, "full": 7 + 36, "other form": 8, "lesions": 4 + 36,
}  # fmt: skip
OTHER = Form("comprehensive-3d", "multi-frame", "JPEG2000Lossless")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report of the sample study."""
    return reports.real(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module", params=OBJECTS)
def results(
    request: pytest.FixtureRequest, made: Report, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ...]:
    """The objects of a profile; of the last one in other SOP Classes and compressed."""
    folder = tmp_path_factory.mktemp("results")
    if request.param == "other form":
        later = replace(made, generation=2)  # under UIDs of its own
        written = report.write(later, Describe(), "full", folder, OTHER)
    elif request.param == "lesions":
        outlined = lesion_reports.compared(lesion_reports.outlined(made))
        written = report.write(replace(outlined, generation=3), Describe(), "standard", folder)
    else:
        written = report.write(made, Describe(), request.param, folder, Form())
    assert len(written) == OBJECTS[request.param]
    return written


ATTEMPTS = 3


@pytest.fixture(scope="module", params=["dcmqrscp", "orthanc"])
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """An archive that answers queries."""
    started = {"dcmqrscp": archives.dcmqrscp, "orthanc": archives.orthanc}[request.param]
    with started(tmp_path_factory.mktemp("archive")) as running:
        yield running


def store(results: tuple[Path, ...], ae_title: str, port: int) -> None:
    """Send as the node does: again, where a busy peer ended the association."""
    to = DicomPeer("archive", ae_title=ae_title, host="127.0.0.1", port=port)
    left = list(results)
    for _ in range(ATTEMPTS):
        if not left:
            break
        failed = [r for r in send(left, to, archives.ASKER) if not r.delivered]
        assert [receipt.detail for receipt in failed if not receipt.retry] == []
        due = {receipt.sop_instance_uid for receipt in failed}
        left = [path for path in left if identify(path) in due]
    assert left == []


def test_a_storage_scp_writes_what_was_sent(results: tuple[Path, ...], tmp_path: Path) -> None:
    with peers.storescp(tmp_path, "+B") as scp:
        store(results, scp.ae_title, scp.port)
        assert dict(map(content, scp.files)) == dict(map(content, results))


def test_an_archive_gives_back_what_was_sent(
    archive: Archive, made: Report, results: tuple[Path, ...], tmp_path: Path
) -> None:
    store(results, archive.ae_title, archive.port)
    sent = {path.stem: dcmread(path) for path in results}
    series = archive.series(made.study_instance_uid, tmp_path / "found")
    assert series >= {str(dataset.SeriesInstanceUID) for dataset in sent.values()}
    back = {
        str(one.SOPInstanceUID): one
        for one in map(dcmread, archive.back(made.study_instance_uid, tmp_path / "back"))
    }
    changed = [name for name, one in sent.items() if back.get(one.SOPInstanceUID) != one]
    assert changed == []
