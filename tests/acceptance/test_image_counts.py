"""Archives of two makes say how many images of a series they have, and studies wait for them."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pydicom
import pytest

from msnode.config import Config, DicomPeer, Receive
from msnode.config.rules import contradictions
from msnode.config.settings import Complete
from msnode.deliver import image_counts
from msnode.deliver.c_find import count_images
from msnode.deliver.c_store import send
from msnode.deliver.image_counts import ImageCounts
from tests.acceptance import archives, peers
from tests.acceptance.archives import ASKER, Archive

Started = Callable[[Path], AbstractContextManager[Archive]]


def answered(counts: ImageCounts, study: str, held: dict[str, int]) -> bool:
    """What it says once the peer has answered."""
    for _ in range(200):
        if (said := counts.has_all(study, held)) is not None:
            return said
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.parametrize("started", [archives.dcmqrscp, archives.orthanc])
def test_an_archive_counts_its_images(
    started: Started,
    sample_study: Sequence[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header = pydicom.dcmread(sample_study[0], stop_before_pixels=True)
    study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
    with started(tmp_path / "archive") as archive:
        peer = DicomPeer("pacs", archive.ae_title, "127.0.0.1", archive.port)
        counts = ImageCounts(peer, ASKER)
        assert answered(counts, study, {series: 3}), "it does not know the study"
        assert all(receipt.delivered for receipt in send(sample_study[:5], peer, ASKER))
        # dcmqrscp answers before an image is in its index
        peers.wait(lambda: count_images(study, peer, ASKER) == {series: 5}, 5, "five to be counted")
        monkeypatch.setattr(image_counts, "AGAIN_S", 0.0)
        assert counts.has_all(study, {series: 3}) is None, "it is asked anew"
        monkeypatch.undo()
        assert not answered(counts, study, {series: 3})
        assert answered(counts, study, {series: 5})
        assert answered(counts, study, {series: 6}), "what came straight from the scanner"
        assert answered(counts, study, {"1.2.3": 1}), "a series that nobody sent us is not missed"


def test_an_archive_that_is_down_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    peer = DicomPeer("pacs", "PACS", "127.0.0.1", peers.free_port())
    counts = ImageCounts(peer, ASKER)
    with caplog.at_level(logging.WARNING):
        assert answered(counts, "1.2.840.99999.1", {"1.2": 1})
    assert counts.has_all("1.2.840.99999.2", {"1.2": 1}), "at once, for a while"
    (line,) = [r.getMessage() for r in caplog.records if r.name.endswith("image_counts")]
    assert "source=pacs was not counted" in line
    assert "1.2.840.99999" not in line


def test_the_source_is_a_dicom_destination() -> None:
    pacs = DicomPeer("pacs", "PACS", "10.0.0.1")
    right = Config(complete=Complete(source="pacs"), destinations=(pacs,), receive=Receive())
    assert list(contradictions(right)) == []
    assert right.source == pacs
    wrong = Config(complete=Complete(source="pax"), destinations=(pacs,))
    (told,) = contradictions(wrong)
    assert "complete.source: no DICOM destination is called 'pax'" in told
