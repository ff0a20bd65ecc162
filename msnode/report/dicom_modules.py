"""The modules that all result objects have in common (PS3.3 C.7, C.12)."""

from collections.abc import Iterable, Sequence
from copy import copy

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from msnode.records.images import SourceFrame
from msnode.records.lesions import LesionModel
from msnode.records.results import ModelInfo
from msnode.records.vocabulary import Vocabulary
from msnode.report.case import PROGRAM, VERSION, Case, Image, device_uid
from msnode.report.codes import PROCESSING_EQUIPMENT, SOURCE_IMAGE, concept
from msnode.report.uids import uid

SERIES = {
    "sr": (9000, "SR", "MS AI result (measurements)"),
    "readable": (9001, "SR", "MS AI report"),
    "montage": (9002, "OT", "MS AI montage"),
    "overlay": (9003, "OT", "MS AI saliency overlay"),
    "kos": (9004, "KO", "MS AI key images"),
    "map": (9005, "MR", "MS AI saliency map"),
    "gsps": (9006, "PR", "MS AI saliency marks"),
    "pdf": (9007, "DOC", "MS AI report (PDF)"),
    "seg": (9008, "SEG", "MS AI lesions"),
    "course": (9009, "OT", "MS AI course of the patient"),
    "reader": (9010, "SR", "MS AI result: reader's answer"),
}
"""Kind of object -> SeriesNumber, Modality, SeriesDescription; behind the images (9000 and up),
one series each, as some viewers load only one object of an SR series."""


IMPLEMENTATION = UID(uid("implementation")), f"MSNODE_{VERSION}"[:16]
"""Class UID and version name (PS3.10 7.1) of what writes the objects."""

OUTLINED = {"overlay": "MS AI lesion outlines"}
"""SeriesDescription of what shows something else where lesions were outlined."""


def new(case: Case, kind: str, sop_class_uid: str, number: int = 1) -> Dataset:
    """A dataset with the patient, study, series, equipment and SOP common modules."""
    dataset = Dataset()
    stamp(dataset, case, kind, sop_class_uid, number)
    return dataset


def stamp(dataset: Dataset, case: Case, kind: str, sop_class_uid: str, number: int = 1) -> None:
    """Write the common modules over whatever the dataset has of them."""
    dataset.update(case.header.study)
    series_number, modality, description = SERIES[kind]
    dataset.SOPClassUID = sop_class_uid
    dataset.SeriesInstanceUID = case.uid(kind, level="series")
    dataset.SeriesNumber = series_number
    dataset.Modality = modality
    shown = OUTLINED.get(kind, description) if case.has_outlines else description
    dataset.SeriesDescription = signalled(case, shown)
    _equipment(dataset, case)
    _times(dataset, case)
    _number(dataset, case, kind, number)


def signalled(case: Case, description: str) -> str:
    """A description behind the configured token and the suggested reading priority, if any.

    A revised result's begins with the revision, as viewers list it beside the one before and
    cut long names at their end.
    The words are the same in every language, as worklists compare them.
    """
    if case.report.generation > 1:
        description = f"Rev. {case.report.generation} {description}"
    if not case.describe.token:
        return description
    word = "not analysed"
    if case.report.finding is not None:
        word = "urgent" if case.report.is_urgent else "routine"
    return f"{case.describe.token} {word}: {description}"


def another(first: Dataset, case: Case, kind: str, number: int) -> Dataset:
    """A further object of a series: as the first, with its own number and UID."""
    dataset = Dataset()
    for element in first:
        dataset[element.tag] = copy(element)
    _number(dataset, case, kind, number)
    return dataset


def _number(dataset: Dataset, case: Case, kind: str, number: int) -> None:
    dataset.SOPInstanceUID = case.uid(kind if number == 1 else f"{kind}-{number}")
    dataset.InstanceNumber = number
    _file_meta(dataset)


def _equipment(dataset: Dataset, case: Case) -> None:
    """General Equipment and the algorithm as contributing equipment (IHE AIR 6.5.3.1)."""
    model = case.report.model
    dataset.Manufacturer = PROGRAM
    dataset.ManufacturerModelName = PROGRAM
    dataset.SoftwareVersions = [VERSION, f"{model.name} {model.version}"[:64]]
    dataset.DeviceSerialNumber = case.describe.serial_number[:64]
    if case.describe.institution:
        dataset.InstitutionName = case.describe.institution[:64]
    did = "Classified the images"
    if case.report.words.has_places:
        did += " and computed the saliency"
    dataset.ContributingEquipmentSequence = [_algorithm(case, model, did)]
    if case.has_outlines:
        outlining = _algorithm(case, case.outlined.model, "Outlined lesions and compared them")
        dataset.ContributingEquipmentSequence.append(outlining)


def _algorithm(case: Case, model: ModelInfo | LesionModel, did: str) -> Dataset:
    """ContributingEquipmentSequence item (PS3.3 C.12.1.1.5) of a model."""
    algorithm = Dataset()
    algorithm.PurposeOfReferenceCodeSequence = [PROCESSING_EQUIPMENT]
    algorithm.Manufacturer = PROGRAM
    algorithm.ManufacturerModelName = model.name[:64]
    algorithm.SoftwareVersions = model.version[:64]
    algorithm.DeviceSerialNumber = model.digest[:64]
    algorithm.DeviceUID = device_uid(model)
    algorithm.ContributionDateTime = case.created.strftime("%Y%m%d%H%M%S")
    algorithm.ContributionDescription = did
    return algorithm


def _times(dataset: Dataset, case: Case) -> None:
    """Every date and time is the report's own, so that a retry writes the same bytes."""
    date, time = case.created.strftime("%Y%m%d"), case.created.strftime("%H%M%S.%f")
    for what in ("InstanceCreation", "Series", "Content"):
        setattr(dataset, f"{what}Date", date)
        setattr(dataset, f"{what}Time", time)


def _file_meta(dataset: Dataset) -> None:
    """File Meta Information (PS3.10 7.1); encoded explicit little endian."""
    dataset.file_meta = meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION


def evidence(case: Case) -> list[Dataset]:
    """The study's images as CurrentRequestedProcedureEvidenceSequence (PS3.3 C.17.2.1)."""
    return references(
        case.report.study_instance_uid,
        [(i.series_instance_uid, i.sop_class_uid, i.sop_instance_uid) for i in referable(case)],
    )


def referable(case: Case) -> tuple[Image, ...]:
    """The evidence and every frame of the series used, each instance once."""
    found = dict(case.images)
    for frame in case.report.slices.frames if case.report.slices is not None else ():
        found.setdefault(
            frame.sop_instance_uid,
            Image(frame.sop_class_uid, frame.sop_instance_uid, frame.series_instance_uid, None),
        )
    return tuple(found.values())


def references(study_uid: str, instances: Iterable[tuple[str, str, str]]) -> list[Dataset]:
    """Hierarchical SOP Instance references (PS3.3 C.17.2.1) of (series, class, instance) UIDs."""
    study = Dataset()
    study.StudyInstanceUID = study_uid
    series: dict[str, Dataset] = {}
    for series_uid, class_uid, instance_uid in instances:
        if series_uid not in series:
            series[series_uid] = Dataset()
            series[series_uid].SeriesInstanceUID = series_uid
            series[series_uid].ReferencedSOPSequence = []
        series[series_uid].ReferencedSOPSequence.append(reference(class_uid, instance_uid))
    study.ReferencedSeriesSequence = list(series.values())
    return [study] if series else []


def reference(class_uid: str, instance_uid: str, frames: Sequence[int] = ()) -> Dataset:
    """One item of a SOP Instance reference (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID = class_uid
    item.ReferencedSOPInstanceUID = instance_uid
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def frame_reference(frame: SourceFrame) -> Dataset:
    """A reference to a source frame."""
    frames = () if frame.frame is None else (frame.frame,)
    return reference(frame.sop_class_uid, frame.sop_instance_uid, frames)


def source(frame: SourceFrame) -> Dataset:
    """SourceImageSequence item (PS3.3 C.7.6.1.1.4) of a frame that an image was made from."""
    item = frame_reference(frame)
    item.PurposeOfReferenceCodeSequence = [SOURCE_IMAGE]
    return item


def add_evidence(dataset: Dataset, instance: tuple[str, str, str]) -> None:
    """List another object of the study (series, class, instance UID) in a document's evidence."""
    [study] = references(dataset.StudyInstanceUID, [instance])
    dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence.extend(
        study.ReferencedSeriesSequence
    )


def refer(dataset: Dataset, frames: Iterable[SourceFrame]) -> None:
    """Common Instance Reference module (PS3.3 C.12.2): the instances that are referred to."""
    instances = sorted(
        {(f.series_instance_uid, f.sop_class_uid, f.sop_instance_uid) for f in frames}
    )
    [study] = references(dataset.StudyInstanceUID, instances)
    series = study.ReferencedSeriesSequence
    for item in series:
        item.ReferencedInstanceSequence = item.ReferencedSOPSequence
        del item.ReferencedSOPSequence
    dataset.ReferencedSeriesSequence = series


def anatomy(dataset: Dataset, words: Vocabulary) -> None:
    """Say which part of the body the pixels show."""
    if words.body_part:
        dataset.BodyPartExamined = words.body_part
    else:
        dataset.Laterality = ""  # type 2C: nobody can tell that what has no term is no pair
    dataset.AnatomicRegionSequence = [concept(words.region)]
