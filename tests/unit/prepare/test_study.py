"""The choice of a series and what becomes of broken ones: each refusal names the attribute."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from msnode import prepare, sample
from msnode.errors import NotAnalysable
from msnode.records.images import InputContract
from tests import nifti
from tests.unit.prepare.series import FLAIR, Change, changed, enhanced


def refusal(paths: Sequence[Path], contract: InputContract = FLAIR) -> NotAnalysable:
    with pytest.raises(NotAnalysable) as caught:
        prepare.prepare(paths, contract)
    return caught.value


def test_sample_is_prepared(sample_study: Sequence[Path]) -> None:
    prepared = prepare.prepare(sample_study, FLAIR)
    (choice,) = prepared.series
    assert choice.chosen
    assert choice.instances == 36
    assert choice.description == "t2_tirm_tra_dark-fluid"
    assert "FLAIR by InversionTime 2500 ms" in choice.why
    slices = prepared.slices
    from_nifti, _ = prepare.nifti_slices(sample.nifti(), FLAIR)
    assert np.allclose(slices.pixels, from_nifti.pixels, atol=1e-5)
    assert np.allclose(slices.affines, from_nifti.affines, atol=1e-4)
    for index in range(len(slices.nearest)):
        dataset = pydicom.dcmread(sample_study[slices.nearest[index]], stop_before_pixels=True)
        assert slices.source(index).sop_instance_uid == dataset.SOPInstanceUID
        assert slices.source(index).frame is None
    assert prepared.paths == tuple(sample_study)


def test_order_of_files_means_nothing(sample_study: Sequence[Path]) -> None:
    shuffled = [sample_study[i] for i in np.random.default_rng(1).permutation(36)]
    one, other = prepare.prepare(sample_study, FLAIR), prepare.prepare(shuffled, FLAIR)
    assert np.array_equal(one.slices.pixels, other.slices.pixels)
    assert [f.sop_instance_uid for f in one.slices.frames] == [
        f.sop_instance_uid for f in other.slices.frames
    ]


def test_study_without_the_wanted_series(sample_study: Sequence[Path], tmp_path: Path) -> None:
    paths = sample.write_series(sample.nifti(), tmp_path, sample.T1)
    error = refusal(paths)
    assert str(error) == (
        "no FLAIR series among 1 series (t1_se_tra: T1 by RepetitionTime 550 ms, EchoTime 12 ms)"
    )
    assert [choice.chosen for choice in error.series] == [False]
    assert prepare.explain(paths, FLAIR) == error.series
    assert not prepare.has_wanted(paths[:1], FLAIR)
    assert prepare.has_wanted([paths[0], sample_study[0]], FLAIR)
    both = prepare.prepare([*paths, *sample_study], FLAIR)
    assert [(c.description, c.chosen) for c in both.series] == [
        ("t2_tirm_tra_dark-fluid", True),
        ("t1_se_tra", False),
    ]
    assert both.paths == tuple(sample_study)


def test_contract_order_decides(sample_study: Sequence[Path], tmp_path: Path) -> None:
    paths = [*sample_study, *sample.write_series(sample.nifti(), tmp_path, sample.T1)]
    for sequences, want in [(("T1", "FLAIR"), "t1_se_tra"), (("FLAIR", "T1"), "t2_tirm")]:
        prepared = prepare.prepare(paths, InputContract(sequences, 64, 64))
        assert prepared.series[0].description.startswith(want)
        assert "a better one is there" in prepared.series[1].why


def _renamed(description: str, **attributes: object) -> Change:
    """A change that makes another series of the same study."""
    uid = generate_uid()

    def change(dataset: Dataset, index: int) -> None:
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = uid, f"{uid}.{index}"
        dataset.SeriesDescription = description
        for keyword, content in attributes.items():
            setattr(dataset, keyword, content)

    return change


@pytest.mark.parametrize(
    "worse",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"]},
        {"ContrastBolusAgent": "gadobutrol"},
        {"SeriesNumber": 0},
    ],
)
def test_better_series_is_chosen(
    sample_study: Sequence[Path], tmp_path: Path, worse: dict[str, object]
) -> None:
    other = changed(sample_study, tmp_path, _renamed("other flair", **worse))
    prepared = prepare.prepare([*other, *sample_study], FLAIR)
    assert prepared.paths == tuple(sample_study)
    assert prepare.prepare(other, FLAIR).paths == tuple(other), "it will do where it is alone"


def test_broken_series_gives_way_to_the_next(sample_study: Sequence[Path], tmp_path: Path) -> None:
    def empty(dataset: Dataset, index: int) -> None:
        _renamed("flair", SeriesNumber=9)(dataset, index)
        dataset.SeriesInstanceUID = "2.25.99"
        dataset.PixelData = b""

    broken = changed(sample_study, tmp_path, empty)
    prepared = prepare.prepare([*broken, *sample_study], FLAIR)
    assert prepared.paths == tuple(sample_study)
    assert [c.chosen for c in prepared.series] == [False, True]
    assert "but PixelData is missing or has zero length" in prepared.series[0].why


def _set(keyword: str, content: object, only: int | None = None) -> Change:
    def change(dataset: Dataset, index: int) -> None:
        if only is None or index == only:
            setattr(dataset, keyword, content)

    return change


def _without(keyword: str, only: int | None = None) -> Change:
    def change(dataset: Dataset, index: int) -> None:
        if only is None or index == only:
            delattr(dataset, keyword)

    return change


def _halved(dataset: Dataset, index: int) -> None:
    if index == 7:
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4 * 2]


def _tilted(dataset: Dataset, index: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y + index * 1.5, z]


def _piled(dataset: Dataset, index: int) -> None:
    dataset.ImagePositionPatient = [0, 0, 0]


def _smaller(dataset: Dataset, index: int) -> None:
    if index == 3:
        dataset.PixelData = dataset.pixel_array[:160].tobytes()
        dataset.Rows = 160


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("PixelData", b""), "PixelData is missing or has zero length"),
        (_without("PixelData"), "PixelData is missing or has zero length"),
        (_halved, "PixelData cannot be decoded"),
        (_set("Rows", 0), "Rows is missing or 0"),
        (_without("Columns"), "Columns is missing or 0"),
        (_set("Rows", 60000), "PixelData cannot be decoded|more than the"),
        (_set("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "two unit vectors"),
        (_without("ImagePositionPatient"), "ImagePositionPatient is missing"),
        (_without("ImageOrientationPatient"), "ImageOrientationPatient is missing"),
        (_without("PixelSpacing"), "PixelSpacing is missing"),
        (_set("PixelSpacing", [0, 0]), r"PixelSpacing 0\\0 is not positive"),
        (_set("PixelSpacing", [40, 40]), "PixelSpacing or ImagePositionPatient: the volume is"),
        (_tilted, "ImagePositionPatient moves sideways"),
        (_piled, "ImagePositionPatient is the same in all images"),
        (_set("SamplesPerPixel", 3), "SamplesPerPixel is not 1"),
        (_set("PhotometricInterpretation", "RGB"), "PhotometricInterpretation is 'RGB'"),
        (_set("BitsAllocated", 12), "BitsAllocated 12"),
        (_set("BitsStored", 0), "BitsStored 0"),
        (_set("NumberOfFrames", 1000000), "NumberOfFrames is 1e.06 in an MR Image"),
        (_set("Modality", "CT"), "Modality is CT"),
        (_set("SeriesInstanceUID", ""), "SeriesInstanceUID is missing"),
        (
            _set("SOPInstanceUID", "../../etc/passwd" + "9" * 99),
            "35 images share the SOPInstanceUID",
        ),
        (_set("RescaleSlope", 0), "RescaleSlope .0028,1053. is 0"),
    ],
)
def test_broken_series(
    sample_study: Sequence[Path], tmp_path: Path, change: Change, reason: str
) -> None:
    paths = changed(sample_study, tmp_path, change)
    with pytest.raises(NotAnalysable, match=reason) as caught:
        prepare.prepare(paths, FLAIR)
    assert caught.value.series
    assert not any(choice.chosen for choice in caught.value.series)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_smaller, "of another size"),
        (_without("ImagePositionPatient", 5), "without a place in the patient"),
        (_without("ImageOrientationPatient", 5), "without a place in the patient"),
        (_set("ImageOrientationPatient", [0, 1, 0, 0, 0, -1], 4), "in another plane"),
        (_set("PixelSpacing", [0.4, 0.4], 4), "with another pixel spacing"),
        (_set("ImageType", ["ORIGINAL", "PRIMARY", "P"], 4), "of another image type"),
        (_set("EchoTime", 12, 4), "of another contrast"),
        (_set("Modality", "OT", 4), "no MR image"),
    ],
)
def test_an_odd_image_is_left_out_and_named(
    sample_study: Sequence[Path], tmp_path: Path, change: Change, why: str
) -> None:
    paths = changed(sample_study, tmp_path, change)
    slices = prepare.prepare(paths, FLAIR).slices
    assert len(slices.frames) == 35
    (told,) = (warning for warning in slices.warnings if "left out" in warning)
    assert why in told
    assert re.search(r"left out \([456]\)", told), "by its InstanceNumber"


@pytest.mark.filterwarnings("ignore:Unknown encoding:UserWarning")
def test_unknown_character_set_is_no_reason(sample_study: Sequence[Path], tmp_path: Path) -> None:
    paths = []
    for path in sample_study:
        paths.append(tmp_path / path.name)
        paths[-1].write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"ISO_IR 999"))
    assert prepare.prepare(paths, FLAIR).slices.pixels.shape[0] == 36


def test_single_image_and_thin_slab(sample_study: Sequence[Path]) -> None:
    assert "a single image is not a volume" in str(refusal(sample_study[:1]))
    assert "the 5 slices cover 20 mm" in str(refusal(sample_study[15:20]))
    assert str(refusal([])) == "the study holds no files"


def test_gap_is_counted_and_told(sample_study: Sequence[Path]) -> None:
    slices = prepare.prepare([*sample_study[:15], *sample_study[17:]], FLAIR).slices
    assert slices.missing == 2
    assert slices.thickness_mm == pytest.approx(4, abs=0.01)
    assert any("2 slices seem to be missing" in warning for warning in slices.warnings)
    assert "seem to be missing" in str(refusal([*sample_study[::2], *sample_study[1:10:2]]))


def test_same_instance_twice(sample_study: Sequence[Path], tmp_path: Path) -> None:
    copies = changed(sample_study[3:6], tmp_path / "same", lambda dataset, index: None)
    prepared = prepare.prepare([*sample_study, *copies], FLAIR)
    assert not prepared.slices.warnings
    assert len(prepared.slices.frames) == 36
    brighter = changed(sample_study[3:4], tmp_path / "other", _set("RescaleSlope", 3))
    warned = prepare.prepare([*sample_study, *brighter], FLAIR)
    assert any("SOPInstanceUID again with other content" in w for w in warned.slices.warnings)


def test_repeats_in_one_series(sample_study: Sequence[Path], tmp_path: Path) -> None:
    """Two time points in one series: the first is used and the reader told."""

    def later(dataset: Dataset, index: int) -> None:
        dataset.SOPInstanceUID += ".2"
        dataset.AcquisitionNumber = 2
        dataset.PixelData = bytes(len(dataset.PixelData))

    paths = [*changed(sample_study, tmp_path, later), *sample_study]
    prepared = prepare.prepare(paths, FLAIR)
    assert np.array_equal(
        prepared.slices.pixels, prepare.prepare(sample_study, FLAIR).slices.pixels
    )
    assert any("2 images at one ImagePositionPatient" in w for w in prepared.slices.warnings)


@pytest.mark.parametrize("repeats", [1, 2])
def test_enhanced_multi_frame(sample_study: Sequence[Path], tmp_path: Path, repeats: int) -> None:
    path = enhanced(sample_study, tmp_path / "enhanced.dcm", repeats)
    prepared = prepare.prepare([path], FLAIR)
    classic = prepare.prepare(sample_study, FLAIR).slices
    assert np.allclose(prepared.slices.pixels, classic.pixels, atol=1e-5)
    assert np.allclose(prepared.slices.affines, classic.affines)
    first = prepared.slices.source(0)
    assert first.frame == classic.nearest[0] * repeats + 1
    assert first.sop_instance_uid == pydicom.dcmread(path).SOPInstanceUID
    assert bool(prepared.slices.warnings) == (repeats == 2)
    assert "FLAIR by InversionTime 2500 ms" in prepared.series[0].why


def test_enhanced_without_its_frames(sample_study: Sequence[Path], tmp_path: Path) -> None:
    path = enhanced(sample_study, tmp_path / "enhanced.dcm")
    (broken,) = changed([path], tmp_path / "b", _set("NumberOfFrames", 1_000_000))
    assert "NumberOfFrames is 1000000, but PerFrame" in str(refusal([broken]))
    (broken,) = changed([path], tmp_path / "c", _without("SharedFunctionalGroupsSequence"))
    assert refusal([broken]).series


def test_files_that_are_no_dicom(sample_study: Sequence[Path], tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"\0" * 500)
    (tmp_path / "text.txt").write_text("hello")
    error = refusal([tmp_path / "junk", tmp_path / "text.txt"])
    assert "no DICOM file: no preamble with DICM" in str(error)
    prepared = prepare.prepare([tmp_path / "junk", *sample_study], FLAIR)
    assert prepared.series[1].why.startswith("no DICOM file")


def test_absurdly_large_file(sample_study: Sequence[Path], tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    large.write_bytes(sample_study[0].read_bytes())
    with large.open("ab") as file:
        file.truncate(2**31)  # sparse: takes no room
    assert "the file is larger than 1 GiB" in str(refusal([large]))
    assert not prepare.has_wanted([large], FLAIR)


def test_nifti_studies(tmp_path: Path) -> None:
    prepared = prepare.prepare([sample.nifti()], FLAIR)
    assert prepared.series[0].uid == str(sample.nifti())
    assert prepared.slices.pixels.shape[0] == 36
    t1 = tmp_path / "patient_T1.nii.gz"
    t1.write_bytes(sample.nifti().read_bytes())
    assert "T1 by the file's name" in str(refusal([t1]))
    unnamed = tmp_path / "scan.nii"
    nifti.write(unnamed, *nifti.read(sample.nifti()))
    assert "no sequence attributes" in prepare.prepare([unnamed], FLAIR).series[0].why


def test_functional_groups_of_the_wrong_kind_are_no_reason_to_stop(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(sample_study[0])
    dataset.add_new(0x52009229, "LO", "no sequence")
    dataset.save_as(tmp_path / "a.dcm")
    assert prepare.has_wanted([tmp_path / "a.dcm"], FLAIR)
