"""Key Object Selection of the most suspicious images (TID 2010, PS3.16)."""

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from msnode.report import codes, dicom_modules
from msnode.report.case import Case, peaks
from msnode.report.measurement_sr import observer
from msnode.report.sr_document import image, separate, text


def build(case: Case) -> Dataset:
    """The images that matter, marked "Of Interest"."""
    root = sr.ContainerContentItem(codes.OF_INTEREST, template_id="2010")
    root.ContentSequence = sr.ContentSequence(
        [
            *sr.ObservationContext(observer_device_context=observer(case)),
            text(
                codes.KEY_OBJECT_DESCRIPTION,
                f"{case.say('key_images')}. {case.say('banner')}. {case.say('limits')}",
            ),
        ]
    )
    frames = peaks(case)
    items = [image(codes.KEY_OBJECT_DESCRIPTION, frame) for frame in frames]
    root.ContentSequence.extend(items)
    for item in items:
        del item.ConceptNameCodeSequence  # TID 2010 has no names on IMAGE items
    separate(root)
    dataset = dicom_modules.new(case, "kos", KeyObjectSelectionDocumentStorage)
    for keyword in ("SeriesDate", "SeriesTime"):
        dataset.pop(keyword, None)
    dataset.update(root)
    dataset.ReferencedPerformedProcedureStepSequence = []
    if case.header.requests:
        dataset.ReferencedRequestSequence = list(case.header.requests)
    dataset.CurrentRequestedProcedureEvidenceSequence = dicom_modules.references(
        case.report.study_instance_uid,
        dict.fromkeys(
            (frame.series_instance_uid, frame.sop_class_uid, frame.sop_instance_uid)
            for frame in frames
        ),
    )
    return dataset
