"""Images of several kinds under one SeriesInstanceUID: those of one kind are used."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from msnode import prepare
from msnode.records.images import Prepared
from tests.unit.prepare.series import FLAIR, enhanced

Case = Callable[..., list[Path]]


def inverted(dataset: Dataset) -> Dataset:
    """The same image with another contrast, as an instance of its own."""
    other = copy.deepcopy(dataset)
    grey = other.pixel_array.astype(int)
    other.PixelData = np.where(grey > 20, 400 - grey.clip(0, 400), grey).astype("<u2").tobytes()
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return other


@pytest.fixture(scope="module")
def truth(sample_study: Sequence[Path]) -> Prepared:
    """What is right: the series as it is."""
    return prepare.prepare(sample_study, FLAIR)


@pytest.fixture
def mixed(sample_study: Sequence[Path], tmp_path: Path) -> Case:
    """The series, and in between images of another kind with these attributes."""

    def make(own: dict[str, Any] | None = None, **attributes: Any) -> list[Path]:
        paths = []
        for number, path in enumerate(sample_study):
            image = pydicom.dcmread(path)
            other = inverted(image)
            for dataset, changes in ((image, own or {}), (other, attributes)):
                for keyword, content in changes.items():
                    setattr(dataset, keyword, content)
            first, second = (image, other) if number % 2 else (other, image)
            for turn, dataset in enumerate((first, second)):
                paths.append(tmp_path / f"{number:03d}-{turn}.dcm")
                dataset.save_as(paths[-1])
        return paths

    return make


def test_a_short_stack_of_the_wanted_kind_is_found_beside_a_long_one(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    """Ten thick FLAIR slices of a head beside 36 of a T2, under one SeriesInstanceUID."""
    paths = []
    for number, path in enumerate(sample_study):
        image = inverted(pydicom.dcmread(path))
        image.InversionTime, image.ScanningSequence = None, "SE"
        image.SeriesDescription = "t2_tse"
        paths.append(tmp_path / f"{number}.dcm")
        image.save_as(paths[-1])
    few = list(sample_study[::4])
    alone = prepare.prepare(few, FLAIR)
    found = prepare.prepare([*few, *paths], FLAIR)
    assert len(alone.slices.frames) == 9
    assert np.array_equal(found.slices.pixels, alone.slices.pixels)


SIEMENS = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]}
PHILIPS = {"ImageType": ["ORIGINAL", "PRIMARY", "M_IR", "M", "IR"]}


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ({}, {"EchoTime": 12}),
        ({}, {"InversionTime": None, "ScanningSequence": "SE"}),
        ({}, {"RepetitionTime": 3000, "InversionTime": None, "ScanningSequence": "SE"}),
        (SIEMENS, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}),
        (SIEMENS, {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "PHASE"]}),
        (PHILIPS, {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "IR"]}),
        (PHILIPS, {"ImageType": ["ORIGINAL", "PRIMARY", "R_IR", "R", "IR"]}),
        (PHILIPS, {"ImageType": ["ORIGINAL", "PRIMARY", "I_IR", "I", "IR"]}),
        ({}, {"ComplexImageComponent": "IMAGINARY"}),
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "MIP"]}),
    ],
)
def test_only_images_of_one_kind_are_used(
    mixed: Case, truth: Prepared, own: dict[str, Any], others: dict[str, Any]
) -> None:
    found = prepare.prepare(mixed(own, **others), FLAIR)
    assert np.array_equal(found.slices.pixels, truth.slices.pixels)
    assert "InversionTime 2500 ms" in found.series[0].why
    assert [choice.chosen for choice in found.series] == [True, False]


@pytest.mark.parametrize(
    "others",
    [
        {"TemporalPositionIdentifier": 2},
        {"AcquisitionNumber": 2},
        {"AcquisitionTime": "102000"},
    ],
)
def test_of_repeats_one_is_used_whole(mixed: Case, truth: Prepared, others: dict[str, Any]) -> None:
    early = {"TemporalPositionIdentifier": 1, "AcquisitionNumber": 1, "AcquisitionTime": "101000"}
    found = prepare.prepare(mixed({k: early[k] for k in others}, **others), FLAIR)
    assert np.array_equal(found.slices.pixels, truth.slices.pixels)
    assert any("one whole set of them was used" in warning for warning in found.slices.warnings)


def test_the_private_element_of_ge_names_the_component(
    sample_study: Sequence[Path], tmp_path: Path, truth: Prepared
) -> None:
    paths = []
    for number, path in enumerate(sample_study):
        for component in (2, 0):  # the real image comes first
            image: Dataset = pydicom.dcmread(path)
            image = inverted(image) if component else image
            block = image.private_block(0x0043, "GEMS_PARM_01", create=True)
            block.add_new(0x2F, "SS", component)
            paths.append(tmp_path / f"{number:03d}-{2 - component}.dcm")
            image.save_as(paths[-1])
    found = prepare.prepare(paths, FLAIR)
    assert np.array_equal(found.slices.pixels, truth.slices.pixels)


def test_frames_of_an_enhanced_image_are_told_apart(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    alone = prepare.prepare([enhanced(sample_study, tmp_path / "alone.dcm")], FLAIR)
    path = enhanced(sample_study, tmp_path / "both.dcm", repeats=2)
    image = pydicom.dcmread(path)
    for number, group in enumerate(image.PerFrameFunctionalGroupsSequence):
        kind = Dataset()
        kind.FrameType = ["ORIGINAL", "PRIMARY", "PHASE MAP" if number % 2 else "M", "NONE"]
        group.MRImageFrameTypeSequence = [kind]
    image.save_as(path)
    found = prepare.prepare([path], FLAIR)
    assert np.array_equal(found.slices.pixels, alone.slices.pixels)
    assert len(found.slices.frames) == 36


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(order=st.randoms(use_true_random=False))
def test_the_order_and_names_of_files_decide_nothing(
    mixed: Case, truth: Prepared, tmp_path_factory: pytest.TempPathFactory, order: Any
) -> None:
    paths = mixed(EchoTime=12, SeriesDescription="pd")
    order.shuffle(paths)
    folder = tmp_path_factory.mktemp("renamed")
    renamed = [path.rename(folder / f"{number}.dcm") for number, path in enumerate(paths)]
    order.shuffle(renamed)
    found = prepare.prepare(renamed, FLAIR)
    assert np.array_equal(found.slices.pixels, truth.slices.pixels)
