"""A study outside of what the model learned from is named as such, and no other."""

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.prepare.series_header import read_acquisition
from msnode.records.population import Acquisition, Strata, outside
from msnode.records.sentences import to

TRAINED = Strata((18, None), (1.5, 1.5), (6.4, 8.1), ("Toshiba", "Canon"), ("2D",))
LIKE = Acquisition(44.0, 1.5, 6.0, "TOSHIBA_MEC", "2D")


def test_inside_there_is_no_warning() -> None:
    assert outside(TRAINED, LIKE, 7.2) == ()


def test_what_a_header_does_not_say_is_not_warned_of() -> None:
    assert outside(TRAINED, Acquisition(), 7.2) == ()
    assert outside(Strata(), Acquisition(3.0, 7.0, 1.0, "x", "3D"), 1.0) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"age_years": 11.2}, "age 11.2 years (trained on 18 and more)"),
        ({"field_strength_t": 3.0}, "field strength 3 T (trained on 1.5)"),
        ({"manufacturer": "GE MEDICAL"}, "manufacturer GE MEDICAL (trained on Toshiba, Canon)"),
        ({"dimensions": "3D"}, "3D acquisition (trained on 2D)"),
    ],
)
def test_what_is_outside_is_named(changes: dict[str, object], said: str) -> None:
    found = replace(LIKE, **changes)  # type: ignore[arg-type]
    (warning,) = outside(TRAINED, found, 7.2)
    assert warning == f"Outside of the training data, less reliable: {said}"


def test_all_of_it_is_one_warning_in_any_language() -> None:
    (warning,) = outside(TRAINED, replace(LIKE, field_strength_t=3.0), 3.0)
    assert to(warning, "de") == (
        "Außerhalb der Trainingsdaten, weniger verlässlich: Feldstärke 3 T (trainiert: 1,5); "
        "Schichtabstand 3 mm (trainiert: 6,4–8,1)"
    )


@given(st.floats(1.451, 1.549))
def test_a_scanner_of_1_494_tesla_is_one_of_1_5(tesla: float) -> None:
    assert outside(TRAINED, replace(LIKE, field_strength_t=tesla), 7.0) == ()


@pytest.mark.parametrize(
    ("attributes", "years"),
    [
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientBirthDate": "19800101", "StudyDate": "20200101"}, 40),
        ({"PatientBirthDate": "19800101", "StudyDate": "20200101", "PatientAge": "x"}, 40),
        ({"PatientBirthDate": "1980"}, None),
        ({}, None),
    ],
)
def test_the_age_is_that_at_the_study(
    save_dicom: object, attributes: dict[str, str], years: float | None
) -> None:
    path: Path = save_dicom("1.2.3", **attributes)  # type: ignore[operator]
    assert read_acquisition(path).age_years == (years and pytest.approx(years, abs=0.01))


def test_an_acquisition_is_read_from_classic_and_enhanced_images(tmp_path: Path) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.4"
    dataset.Manufacturer, dataset.MRAcquisitionType = "SIEMENS", "3D"
    dataset.MagneticFieldStrength = "2.89362"
    measures = pydicom.Dataset()
    measures.SliceThickness = "1.0"
    shared = pydicom.Dataset()
    shared.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]
    path = tmp_path / "enhanced.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert read_acquisition(path) == Acquisition(None, 2.89362, 1.0, "SIEMENS", "3D")
