"""Write a NIfTI volume as a classic MR Image series (PS3.3 A.4) with a synthetic header."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import NAMESPACE_OID, uuid5

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DATE, _TIME = "20240115", "101500"


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a series says it was acquired.

    Attributes:
        sequence: ScanningSequence.
        variant: SequenceVariant.
        inversion_ms: InversionTime, None without inversion.
        number: SeriesNumber.
        manufacturer: Manufacturer; empty where it is not known.
    """

    description: str
    sequence: tuple[str, ...]
    variant: str
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None
    number: int = 1
    manufacturer: str = ""


#: Usual times at 1.5 T.
FLAIR = Acquisition("t2_tirm_tra_dark-fluid", ("SE", "IR"), "SK", 9000, 120, 2500)
T1 = Acquisition("t1_se_tra", ("SE",), "NONE", 550, 12, number=2)
T2 = Acquisition("t2_tse_tra", ("SE",), "SK", 4000, 100, number=3)


def study_uid(name: str) -> str:
    """StudyInstanceUID of a study of this package."""
    return f"2.25.{uuid5(NAMESPACE_OID, f'msnode {name} study').int}"


@dataclass(frozen=True)
class Identity:
    """Whose series it says it is; nobody's.

    Attributes:
        series_uid: SeriesInstanceUID; None derives it from the study and the description.
        study_date: StudyDate, and of the series and images.
    """

    patient_name: str = "SAMPLE^PATIENT"
    patient_id: str = "MSNODE-SAMPLE"
    study_uid: str = study_uid("sample")
    series_uid: str | None = None
    sex: str = "F"
    age: str = "020Y"
    study_date: str = _DATE


def write_series(
    nifti: Path, folder: Path, acquisition: Acquisition = FLAIR, identity: Identity | None = None
) -> list[Path]:
    """Write each slice of a NIfTI volume along its third axis as an MR Image, explicit VR LE.

    The pixels keep their order and the affine becomes Image Position and Orientation
    (Patient), so the series is in whatever orientation the volume was stored in.

    Args:
        nifti: 3-D, integers of 16 bits, without shear.
        folder: is made if need be; the file names carry the series' number, not its patient.
        acquisition: what the header says of the pulse sequence.
        identity: what the header says of patient and study.

    Returns:
        The files, along the volume's third axis.

    Raises:
        ValueError: the voxels do not fit into 16 bits.
    """
    identity = identity or Identity()
    image = cast(SpatialImage, nibabel.load(nifti))
    voxels = _sixteen_bits(np.asanyarray(image.dataobj))
    affine = _LPS_FROM_RAS @ image.affine
    common = _common(voxels, affine, acquisition, identity)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(voxels.shape[2]):
        path = folder / f"{acquisition.number:02d}-{index + 1:04d}.dcm"
        instance = _instance(common, voxels[:, :, index].T, affine, index)
        instance.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _sixteen_bits(voxels: NDArray[Any]) -> NDArray[np.uint16] | NDArray[np.int16]:
    """Voxels as they can be stored in PixelData."""
    rounded = np.rint(voxels)
    kind = np.int16 if rounded.min() < 0 else np.uint16
    limits = np.iinfo(kind)
    if rounded.min() < limits.min or rounded.max() > limits.max:
        raise ValueError(
            f"voxels from {rounded.min():g} to {rounded.max():g} need more than 16 bit"
        )
    stored: NDArray[np.uint16] | NDArray[np.int16] = rounded.astype(kind)
    return stored


def _uid(*parts: object) -> str:
    """A UID that follows from its parts (PS3.5 B.2)."""
    return f"2.25.{uuid5(NAMESPACE_OID, '/'.join(map(str, parts))).int}"


def _common(
    voxels: NDArray[Any], affine: NDArray[np.float64], how: Acquisition, who: Identity
) -> dict[str, Any]:
    """The attributes that all images of the series share."""
    series_uid = who.series_uid or _uid(who.study_uid, how.description)
    return {
        **_patient_and_study(who),
        **_series_and_equipment(series_uid, how, _uid(who.study_uid, "frame of reference")),
        **_sequence(how),
        **_pixel_description(voxels),
        **_plane(affine),
        **{f"{what}Date": who.study_date for what in ("Study", "Series", "Acquisition", "Content")},
    }


def _patient_and_study(who: Identity) -> Mapping[str, Any]:
    """PS3.3 C.7.1.1, C.7.2.1, C.7.2.2."""
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": who.patient_name,
        "PatientID": who.patient_id,
        "PatientBirthDate": "",
        "PatientSex": who.sex,
        "PatientAge": who.age,
        "StudyInstanceUID": who.study_uid,
        "StudyTime": _TIME,
        "StudyID": "1",
        "StudyDescription": "MRI head",
        "AccessionNumber": f"S{int(_uid(who.study_uid, 'order')[5:]) % 10**9:09d}",
        "ReferringPhysicianName": "",
    }


def _series_and_equipment(series_uid: str, how: Acquisition, frame_uid: str) -> Mapping[str, Any]:
    """PS3.3 C.7.3.1, C.7.4.1, C.7.5.1, and the order that the images fulfil (C.7.3.1)."""
    request = Dataset()
    request.RequestedProcedureID = "RP1"
    request.RequestedProcedureDescription = "MRI head"
    request.ScheduledProcedureStepID = "SPS1"
    return {
        "Modality": "MR",
        "SeriesInstanceUID": series_uid,
        "SeriesNumber": how.number,
        "SeriesTime": _TIME,
        "SeriesDescription": how.description,
        "ProtocolName": how.description,
        "BodyPartExamined": "BRAIN",
        "PatientPosition": "HFS",
        "RequestAttributesSequence": [request],
        "FrameOfReferenceUID": frame_uid,
        "PositionReferenceIndicator": "",
        "Manufacturer": how.manufacturer,
        "DeviceSerialNumber": "1",
        "SoftwareVersions": "1",
    }


def _sequence(how: Acquisition) -> Mapping[str, Any]:
    """PS3.3 C.8.3.1."""
    inversion = {} if how.inversion_ms is None else {"InversionTime": how.inversion_ms}
    return {
        "SOPClassUID": MRImageStorage,
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "AcquisitionNumber": 1,
        "AcquisitionTime": _TIME,
        "ScanningSequence": list(how.sequence),
        "SequenceVariant": how.variant,
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "MagneticFieldStrength": 1.5,
        "RepetitionTime": how.repetition_ms,
        "EchoTime": how.echo_ms,
        "EchoTrainLength": 1,
        "FlipAngle": 90,
        **inversion,
    }


def _pixel_description(voxels: NDArray[Any]) -> Mapping[str, Any]:
    """PS3.3 C.7.6.3, with a window over the volume for viewers (C.11.2)."""
    low, high = (float(value) for value in np.quantile(voxels, [0.01, 0.995]))
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": voxels.shape[1],
        "Columns": voxels.shape[0],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": int(voxels.dtype == np.int16),
        "WindowCenter": round((low + high) / 2),
        "WindowWidth": max(1, round(high - low)),
    }


def _plane(affine: NDArray[np.float64]) -> Mapping[str, Any]:
    """PS3.3 C.7.6.2, but for the position."""
    columns, rows, slices = np.linalg.norm(affine[:3, :3], axis=0)
    directions = np.concatenate([affine[:3, 0] / columns, affine[:3, 1] / rows])
    return {
        "PixelSpacing": _decimals([rows, columns]),
        "ImageOrientationPatient": _decimals(directions),
        "SliceThickness": format_number_as_ds(float(slices)),
        "SpacingBetweenSlices": format_number_as_ds(float(slices)),
    }


def _instance(
    common: Mapping[str, Any], pixels: NDArray[Any], affine: NDArray[np.float64], index: int
) -> Dataset:
    """One image: (rows, columns) of 16 bit."""
    dataset = Dataset()
    for keyword, content in common.items():
        setattr(dataset, keyword, content)
    dataset.SOPInstanceUID = _uid(dataset.SeriesInstanceUID, index)
    dataset.InstanceNumber = index + 1
    dataset.ContentTime = _TIME
    dataset.ImagePositionPatient = _decimals((affine @ [0, 0, index, 1])[:3])
    dataset.PixelData = np.ascontiguousarray(pixels).astype("<" + pixels.dtype.str[1:]).tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _decimals(values: Any) -> list[str]:
    """Numbers as DS, at most 16 characters each (PS3.5 6.2)."""
    return [format_number_as_ds(float(value)) for value in values]
