"""What a reader says goes out as an SR beside ours, once, whatever stops the node in between."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset

from msnode import report
from msnode.config import Describe, Folder
from msnode.pages.frame.site import Site
from msnode.records.results import Report
from msnode.service import verdict_delivery
from msnode.service.verdict_delivery import VerdictDelivery
from msnode.store import reader_feedback
from tests import clinic_results
from tests.acceptance.peers import dcmtk
from tests.clinic_results import keep_result
from tests.pages_site import as_visitor, site_in

ADDED = {"kind": "add", "slice_number": 5, "column": 100.5, "row": 90, "diameter_mm": 6.5}
ANSWERS = (
    {"kind": "agree"}, {"kind": "reject", "lesion": 2, "reason": "vessel"}, ADDED,
    {"kind": "note", "note": "motion"},
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return clinic_results.compared(tmp_path_factory.mktemp("study"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    archive = {"name": "archive", "folder": str(tmp_path / "archive")}
    with site_in(tmp_path, {"feedback": "send"}, destinations=[archive]) as site:
        yield site


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str, str]]:
    """The deliveries that are queued; the same again does nothing in the engine."""
    found: list[tuple[str, int, str, str]] = []

    class Jobs:
        def __init__(self, _: object) -> None: ...

        def deliver(self, *job: object) -> None:
            found.append(job)  # type: ignore[arg-type]

    monkeypatch.setattr(verdict_delivery, "Jobs", Jobs)
    return found


def read_and_finished(site: Site, made: Report) -> tuple[str, Path]:
    """A result with its objects, that a reader has finished; its key and the objects' folder."""
    key = keep_result(site, made)
    (archive,) = site.config.destinations
    assert isinstance(archive, Folder)
    folder = site.config.data / "work" / key / "1" / archive.objects
    report.write(made, Describe(), archive.profile, folder, archive.form)
    with as_visitor(site, "clinician", account="eva") as client:
        for one in ANSWERS:
            assert client.post(f"/results/{key}/1/feedback", data=one).status_code == 303
        assert client.post(f"/results/{key}/1/finish").status_code == 303
    return key, folder


def items(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for one in dataset.get("ContentSequence", ()):
        yield from items(one)


def codes_in(dataset: Dataset) -> list[str]:
    found = (one.get("ConceptCodeSequence") for one in items(dataset))
    return [one[0].CodeValue for one in found if one]


def test_a_finished_reading_becomes_an_sr_that_refers_to_ours(
    site: Site, made: Report, queued: list[tuple[str, int, str, str]]
) -> None:
    key, folder = read_and_finished(site, made)
    VerdictDelivery(site.config, site.database).hand_over()
    assert queued == [(key, 1, "archive", "v1")]
    document = pydicom.dcmread(folder / "reader-1.dcm")
    ours = pydicom.dcmread(folder / "sr.dcm")
    assert document.StudyInstanceUID == ours.StudyInstanceUID
    assert document.PatientID == ours.PatientID
    assert document.SeriesInstanceUID != ours.SeriesInstanceUID
    assert (document.CompletionFlag, document.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    (evidence,) = document.CurrentRequestedProcedureEvidenceSequence
    referred = {
        one.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert ours.SOPInstanceUID in referred
    assert {"121006", "AGREES", "NO_LESION", "59820001", "MISSED"} <= set(codes_in(document))
    assert [str(one.PersonName) for one in items(document) if "PersonName" in one] == ["eva^"]
    tracked = {one.UID for one in items(ours) if one.get("ValueType") == "UIDREF"}
    rejected = {one.UID for one in items(document) if one.get("ValueType") == "UIDREF"}
    assert tracked & rejected, "the rejected lesion has the tracking UID that our SR gave it"
    (place,) = (one.GraphicData for one in items(document) if "GraphicData" in one)
    assert list(place) == [101.0, 90.5]
    assert "motion" in dcmtk("dsrdump", str(folder / "reader-1.dcm")).stdout


def test_a_stop_in_between_makes_no_second_document_and_no_second_job(
    site: Site,
    made: Report,
    queued: list[tuple[str, int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, folder = read_and_finished(site, made)
    delivery = VerdictDelivery(site.config, site.database)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verdict_delivery, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            delivery.hand_over()
    first = (folder / "reader-1.dcm").read_bytes()
    delivery.hand_over()
    assert (folder / "reader-1.dcm").read_bytes() == first
    assert len(set(queued)) == 1, "one ID, so that the engine does it once"
    delivery.hand_over()
    assert len(queued) == 2, "what was handed over is settled"


def test_without_files_the_verdict_is_kept_and_the_others_go_on(
    site: Site, made: Report, queued: list[tuple[str, int, str, str]]
) -> None:
    key, folder = read_and_finished(site, made)
    (folder / "sr.dcm").unlink()
    VerdictDelivery(site.config, site.database).hand_over()
    assert queued == []
    with site.database.connect() as connection:
        assert len(reader_feedback.verdicts_of(connection, [key])) == 1
        assert reader_feedback.waiting(connection, 9) == []


def test_by_default_nothing_is_sent(tmp_path: Path, made: Report) -> None:
    with site_in(tmp_path) as site:
        key = keep_result(site, made)
        with as_visitor(site, "clinician") as client:
            client.post(f"/results/{key}/1/finish")
        with site.database.connect() as connection:
            assert reader_feedback.waiting(connection, 9) == []
