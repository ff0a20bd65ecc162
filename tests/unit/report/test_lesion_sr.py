"""Lesions in the measurement SR: numbers, tracking, and what they refer to."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from msnode import report
from msnode.config import Describe
from msnode.records.lesions import Change, Laterality
from msnode.records.results import Report
from msnode.report import lesion_groups
from msnode.report.uids import uid
from tests import lesion_reports, reports

MakeReport = Callable[..., Report]


@pytest.fixture
def compared(make_report: MakeReport) -> Report:
    return lesion_reports.compared(lesion_reports.painted(make_report(8)))


def written(made: Report, profile: str, folder: Path) -> tuple[Dataset, Dataset | None]:
    """The SR and the Segmentation of a profile."""
    paths = {path.stem: path for path in report.write(made, Describe(), profile, folder)}
    seg = pydicom.dcmread(paths["seg"]) if "seg" in paths else None
    return pydicom.dcmread(paths["sr"]), seg


def below(item: Dataset) -> Iterator[Dataset]:
    """A content item and all below it."""
    yield item
    for child in item.get("ContentSequence", ()):
        yield from below(child)


def groups(sr: Dataset) -> list[Dataset]:
    return [one for one in below(sr) if name(one) == "125007"]


def name(item: Dataset) -> str:
    return (
        str(item.ConceptNameCodeSequence[0].CodeValue) if "ConceptNameCodeSequence" in item else ""
    )


def lesion_groups_of(sr: Dataset) -> list[Dataset]:
    return [one for one in groups(sr) if "LESION_PROB" in set(map(name, one.ContentSequence))]


def numbers(group: Dataset, code: str) -> list[float]:
    found = [one for one in group.ContentSequence if one.ValueType == "NUM" and name(one) == code]
    return [float(one.MeasuredValueSequence[0].NumericValue) for one in found]


def value(group: Dataset, code: str, keyword: str) -> str:
    return str(next(one for one in group.ContentSequence if name(one) == code)[keyword].value)


def test_the_study_has_counts_volumes_and_what_changed(compared: Report, tmp_path: Path) -> None:
    assert compared.lesions is not None
    study = groups(written(compared, "standard", tmp_path)[0])[0]
    past = compared.lesions.comparison
    assert numbers(study, "246206008")[0] == len(compared.lesions.lesions)
    assert sum(numbers(study, "246206008")[1:]) == len(compared.lesions.lesions)
    volumes = numbers(study, "118565006")
    assert volumes[0] == pytest.approx(compared.lesions.ml, abs=1e-3)
    assert sum(volumes[1:]) == pytest.approx(compared.lesions.ml, abs=5e-3)
    counted = [numbers(study, code) for code in ("NEW_LESIONS", "ENLARGING", "GONE_LESIONS")]
    assert counted == [[past.count("new")], [past.count("enlarging")], [1]]
    assert numbers(study, "VOLUME_CHANGE") == [pytest.approx(past.ml_change, abs=1e-3)]
    assert numbers(study, "VOLUME_ERROR") == [0.3]
    assert value(study, "COMPARED_WITH", "Date") == "20230115"


def earlier(sr: Dataset) -> list[Dataset]:
    """The groups with a time point (126071 to 126074 of TID 1502)."""
    return [one for one in groups(sr) if "C2348792" in set(map(name, one.ContentSequence))]


def test_earlier_studies_are_coded_with_their_dates_and_are_not_this_one(
    compared: Report, tmp_path: Path
) -> None:
    sent = deepcopy(compared)  # as it is for the process that writes: nothing is the same object
    document = written(sent, "standard", tmp_path)[0]
    found = earlier(document)
    assert [value(one, "C2348792", "TextValue") for one in found] == ["2021-06-01", "2023-01-15"]
    for one, prior in zip(found, compared.priors, strict=True):
        assert numbers(one, "246206008") == [prior.lesion_count]
        assert prior.lesion_ml is not None
        assert numbers(one, "118565006") == [
            pytest.approx(ml, abs=1e-3)
            for ml in (prior.lesion_ml, 0.75 * prior.lesion_ml, 0.25 * prior.lesion_ml)
        ]
        assert f"Earlier study of {prior.study_date}" in value(one, "112039", "TextValue")
        assert "111001" in set(map(name, one.ContentSequence)), "the same network"
    assert groups(document)[0] not in found, "the first group is this study's"
    images = [
        str(below_number.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for one in (groups(document)[0], *found)
        for below_number in list(below(one))
        if "ReferencedSOPSequence" in below_number
    ]
    assert len(set(images)) == 3, "viewers would write one group over the other"
    read = report.read(tmp_path / "sr.dcm")
    assert compared.finding is not None
    assert read.probability == pytest.approx(compared.finding.probability, abs=0.01)


def test_an_earlier_study_of_another_network_says_so_and_names_none(
    compared: Report, tmp_path: Path
) -> None:
    others = tuple(replace(one, lesion_digest="0" * 64) for one in compared.priors)
    unmeasured = replace(others[0], lesion_count=None, lesion_ml=None)
    made = replace(compared, priors=(unmeasured, others[1]))
    (found,) = earlier(written(made, "standard", tmp_path)[0])
    assert "111001" not in set(map(name, found.ContentSequence))
    said = [one.TextValue for one in found.ContentSequence if name(one) == "121106"]
    assert any("does not compare" in line for line in said)


def test_where_slices_are_few_the_newest_earlier_studies_are_told(
    compared: Report, tmp_path: Path
) -> None:
    days = [date(2000 + n, 5, 1) for n in range(12)]
    priors = tuple(replace(compared.priors[0], study_date=day) for day in days)
    found = earlier(written(replace(compared, priors=priors), "standard", tmp_path)[0])
    told = [value(one, "C2348792", "TextValue") for one in found]
    assert compared.slices is not None
    room = min(10, len(compared.slices.frames) - 1)
    assert told == [day.isoformat() for day in days[-room:]]


def test_reports_of_earlier_studies_are_other_evidence(compared: Report, tmp_path: Path) -> None:
    document = written(compared, "standard", tmp_path / "a")[0]
    wanted = [one.documents[0] for one in compared.priors]
    studies = document.PertinentOtherEvidenceSequence
    assert [one.StudyInstanceUID for one in studies] == [one.study_instance_uid for one in wanted]
    references = [one.ReferencedSeriesSequence[0].ReferencedSOPSequence[0] for one in studies]
    assert [one.ReferencedSOPInstanceUID for one in references] == [
        one.sop_instance_uid for one in wanted
    ]
    alone = written(replace(compared, priors=()), "standard", tmp_path / "b")[0]
    assert "PertinentOtherEvidenceSequence" not in alone
    assert earlier(alone) == []
    reference = report.document_reference(tmp_path / "a" / "sr.dcm")
    assert (reference.sop_instance_uid, reference.sop_class_uid) == (
        document.SOPInstanceUID, document.SOPClassUID,
    )  # fmt: skip


def test_each_lesion_refers_to_its_segment(compared: Report, tmp_path: Path) -> None:
    assert compared.lesions is not None
    sr, seg = written(compared, "standard", tmp_path)
    assert seg is not None
    labels = {int(one.SegmentNumber): one.SegmentLabel for one in seg.SegmentSequence}
    found = []
    for group in lesion_groups_of(sr):
        [item] = [one for one in group.ContentSequence if name(one) == "121191"]
        [target] = item.ReferencedSOPSequence
        assert target.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        found.append(labels[int(target.ReferencedSegmentNumber)])
    assert found == ["New lesions", "New lesions", "Enlarging lesions"]
    listed = {
        instance.ReferencedSOPInstanceUID
        for series in sr.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert seg.SOPInstanceUID in listed


def test_the_side_of_a_lesion_is_coded(compared: Report, tmp_path: Path) -> None:
    assert compared.lesions is not None
    sides: tuple[Laterality, ...] = ("left", "right", "midline", "both")
    lesions = tuple(
        replace(one, laterality=sides[n % 4]) for n, one in enumerate(compared.lesions.lesions)
    )
    told = replace(compared.lesions, lesions=lesions)
    shown = [one.laterality for one in lesion_groups.matter(told)]
    assert len(shown) >= 3
    said = {"left": ", left", "right": ", right", "both": ", both sides", "midline": ", midline"}
    wanted = {"left": ["7771000"], "right": ["24028007"], "both": ["51440002"]}
    sr = written(replace(compared, lesions=told), "standard", tmp_path)[0]
    for group, side in zip(lesion_groups_of(sr), shown, strict=True):
        [site] = [one for one in group.ContentSequence if name(one) == "363698007"]
        coded = [one for one in site.get("ContentSequence", ()) if name(one) == "272741003"]
        codes = [str(one.ConceptCodeSequence[0].CodeValue) for one in coded]
        assert codes == wanted.get(side, [])
        label = value(group, "112039", "TextValue")
        assert [one for one, words in said.items() if words in label] == [side]


@pytest.mark.parametrize("profile", ["minimal", "standard"])
def test_every_number_has_one_point_inside_its_lesion(
    compared: Report, tmp_path: Path, profile: str
) -> None:
    """OHIF shows nothing of a document in which a number has no coordinates."""
    assert compared.maps is not None
    assert compared.slices is not None
    sr, _ = written(compared, profile, tmp_path)
    uids = [frame.sop_instance_uid for frame in compared.slices.frames]
    for item in below(sr):
        if item.ValueType == "NUM":
            assert [one.ValueType for one in item.ContentSequence].count("SCOORD") == 1
    for number, group in enumerate(lesion_groups_of(sr), 1):
        for item in (one for one in group.ContentSequence if one.ValueType == "NUM"):
            [point] = [one for one in item.ContentSequence if one.ValueType == "SCOORD"]
            [image] = point.ContentSequence[0].ReferencedSOPSequence
            column, row = (int(one) for one in point.GraphicData)
            slice_index = uids.index(image.ReferencedSOPInstanceUID)
            assert compared.maps.numbers[column, row, slice_index] == number


def test_without_a_segmentation_nothing_refers_to_one(compared: Report, tmp_path: Path) -> None:
    sr, seg = written(compared, "minimal", tmp_path / "minimal")
    other, _ = written(compared, "standard", tmp_path / "standard")
    assert seg is None
    assert len(lesion_groups_of(sr)) == 3
    assert not [one for one in below(sr) if name(one) == "121191"]
    assert sr.SOPInstanceUID != other.SOPInstanceUID, "one UID must not have two contents"


def test_a_lesion_keeps_its_tracking_uid_from_visit_to_visit(
    make_report: MakeReport, tmp_path: Path
) -> None:
    first = lesion_reports.painted(make_report(8))
    later = lesion_reports.compared(replace(first, generation=2))
    assert later.lesions is not None
    found = [
        value(one, "112040", "UID")
        for one in lesion_groups_of(written(later, "standard", tmp_path / "2")[0])
    ]
    assert found == [uid("tracking", one.identity) for one in later.lesions.lesions]
    alone = lesion_groups_of(written(first, "standard", tmp_path / "1")[0])
    assert value(alone[0], "112040", "UID") == uid("tracking", f"{reports.STUDY}/1")


def test_at_most_ten_lesions_and_the_active_ones_first(compared: Report) -> None:
    assert compared.lesions is not None
    wanted: dict[int, Change] = {30: "enlarging", 25: "new", 3: "unchanged"}
    many = tuple(
        replace(compared.lesions.lesions[0], number=number, mm3=1000.0 - number)
        for number in range(1, 31)
    )
    past = replace(
        compared.lesions.comparison,
        changes=tuple(
            replace(compared.lesions.comparison.changes[0], number=n, change=change)
            for n, change in wanted.items()
        ),
    )
    found = replace(compared.lesions, lesions=many, comparison=past)
    shown = lesion_groups.matter(found)
    assert [one.number for one in shown] == [25, 30, 1, 2, 3, 4, 5, 6, 7, 8]


def test_the_numbers_read_back_are_those_of_before(compared: Report, tmp_path: Path) -> None:
    paths = report.write(compared, Describe(), "standard", tmp_path)
    summary = report.read(paths[0])
    assert summary.decision == "present"
    assert len(summary.points) >= 3
